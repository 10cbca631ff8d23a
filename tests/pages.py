"""Pages of docs/ that are made from the code: `make pages` writes them, and a test compares them with the code."""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("cli", "scheduler", "db", "models", "worker", "report")
RAISED = frozenset(
    {"BrokerError", "ConfigError", "DataError", "NoStoreError", "NotFoundError", "OwnNetworkError"}
    | {"SchemaError", "StateError", "StoreError", "TrainingError"}
)
Where: TypeAlias = tuple[tuple[int, str], ...]
"""The blocks around a node, the innermost last: whose it is, and which of its fields."""


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
        placed = list(_placed(function, ()))
        for node, where in placed:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED and node.args:
                known = _texts_at(node.lineno, where, function, placed)
                fix = next((keyword.value for keyword in node.keywords if keyword.arg == "fix"), None)
                message = _words(node.args[0], known)
                if re.sub(r"\{.*?\}", "", message).strip():  # else it is handed on: its words stand elsewhere
                    yield Raised(room, path.name, message, _words(fix, known) if fix else "")


def _placed(node: ast.AST, where: Where) -> Iterator[tuple[ast.AST, Where]]:
    """Nodes of a function, without those of functions within it; each with the blocks that it stands in."""
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.FunctionDef):
                inner = (*where, (id(node), field))
                yield child, inner
                yield from _placed(child, inner)


def _texts_at(
    line: int, where: Where, function: ast.AST, placed: Sequence[tuple[ast.AST, Where]]
) -> dict[str, list[ast.expr]]:
    """What names may stand for in that line, where that is a text: as a parameter, or as they were set before."""
    found: dict[str, list[ast.expr]] = {}
    if isinstance(function, ast.FunctionDef):
        given = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        found |= {name.arg: [value] for name, value in given if isinstance(value, ast.Constant)}
    for node, block in placed:
        if not isinstance(node, ast.Assign) or node.lineno >= line:
            continue
        for target in node.targets:
            if isinstance(target, ast.Name):
                text = isinstance(node.value, ast.JoinedStr | ast.Constant | ast.BinOp | ast.IfExp)
                # what is set in a block that need not have been gone through leaves open what was set before
                before = [] if block[-1] in where else found.get(target.id, [])
                found[target.id] = [*before, *([node.value] if text else [])]
    return {name: values for name, values in found.items() if values}


def _words(node: ast.expr, known: dict[str, list[ast.expr]]) -> str:
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
        return " / ".join(_words(one, {}) for one in known[node.id])
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
