"""Pages of docs/ that are made from the code: `make pages` writes them, and a test compares them with the code."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("cli", "scheduler", "db", "models", "worker", "report")
RAISED = frozenset(
    {"BrokerError", "ConfigError", "DataError", "NoStoreError", "NotFoundError", "OwnNetworkError"}
    | {"SchemaError", "StateError", "StoreError", "TrainingError"}
)


def command_reference() -> str:
    """Each command's help as it is printed in 100 columns."""
    from cli._app import COMMANDS, real

    words = ["", *(f" {name}{inner}" for name in COMMANDS for inner in ("", *_inner(real(name))))]
    text = (
        "# All commands\n\nAs `--help` prints them; made by `make pages`. What they mean: [commands.md](commands.md).\n"
    )
    return text + "".join(f"\n## bench{one}\n\n{_help(one.split())}" for one in words)


def _inner(command: Any) -> list[str]:
    return [f" {name}" for name in getattr(command, "commands", ())]


def _help(words: list[str]) -> str:
    from cli._app import app

    done = CliRunner().invoke(app, [*words, "--help"], prog_name="bench", terminal_width=100)
    return "".join(f"    {line}".rstrip() + "\n" for line in done.output.rstrip().splitlines())


@dataclass(frozen=True, slots=True)
class Raised:
    """An error as it stands in the code: values that are only known when it happens are named in braces."""

    room: str
    file: str
    message: str
    fix: str


def errors() -> list[Raised]:
    """Every error that bench raises on purpose with words of its own, in the order of rooms, files and lines."""
    return [raised for room in ROOMS for path in sorted((ROOT / room).glob("*.py")) for raised in _raised(room, path)]


def _raised(room: str, path: Path) -> Iterator[Raised]:
    tree = ast.parse(path.read_text())
    for function in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]:
        known = _texts_of(function)
        for node in _own_nodes(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED and node.args:
                fix = next((keyword.value for keyword in node.keywords if keyword.arg == "fix"), None)
                message = _words(node.args[0], known)
                yield Raised(room, path.name, message, _words(fix, known) if fix else "")


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Nodes of the function, without those of functions within it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from _own_nodes(child)


def _texts_of(function: ast.AST) -> dict[str, ast.expr]:
    """What names within it stand for, where that is a text."""
    return {
        target.id: node.value
        for node in _own_nodes(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value, ast.JoinedStr | ast.Constant | ast.BinOp)
    }


def _words(node: ast.expr, known: dict[str, ast.expr]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = (part if isinstance(part, ast.Constant) else getattr(part, "value", part) for part in node.values)
        return "".join(str(part.value) if isinstance(part, ast.Constant) else f"{{{_short(part)}}}" for part in parts)
    if isinstance(node, ast.BinOp):
        return _words(node.left, known) + _words(node.right, known)
    if isinstance(node, ast.IfExp):
        return f"{_words(node.body, known)} / {_words(node.orelse, known)}"
    if isinstance(node, ast.Name) and node.id in known:
        return _words(known[node.id], {})
    return f"{{{_short(node)}}}"


def _short(node: ast.AST) -> str:
    """A name for a value: that of its variable or its field."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "join":
        return _short(node.args[0])
    if isinstance(node, ast.Subscript | ast.Call):
        return _short(node.value if isinstance(node, ast.Subscript) else node.func)
    return getattr(node, "id", getattr(node, "attr", "...")).strip("_").lower()


def error_page() -> str:
    """A table for each room."""
    text = (
        "# Errors\n\nEvery error that bench raises on purpose, with its mend; made by `make pages`. Braces stand for\n"
        "what is only known when it happens. When something does not work: [troubleshooting.md](troubleshooting.md).\n"
    )
    for room in ROOMS:
        text += f"\n## {room}\n| error | fix |\n|---|---|\n"
        text += "".join(sorted({f"| {one.message} | {one.fix} |\n" for one in errors() if one.room == room}))
    return text


PAGES = {"command_reference.md": command_reference, "errors.md": error_page}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page())
        sys.stdout.write(f"docs/{name}\n")
