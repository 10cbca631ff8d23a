"""A first suite: commented, small, and ready to run on the digits."""

import re
import shlex
from importlib import resources
from pathlib import Path

from db.errors import ConfigError


def write_starter(path: Path) -> None:
    """Write it to `path`, named like the file. Raises ConfigError where something is already, or nothing can be."""
    template = resources.files("scheduler").joinpath("suites/starter.toml").read_text("utf-8")
    text = template.replace("{name}", _name_of(path)).replace("{file}", _on_a_line(path))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already", fix="name another file: `bench init FILE`") from error
    except OSError as error:
        fix = "name a file in a folder that you may write to"
        raise ConfigError(f"cannot write {path}: {error.strerror}", fix=fix) from error


def _name_of(path: Path) -> str:
    """The file's name as a suite's name: its letters that a name may have."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "", path.stem).lstrip("_.-")[:100] or "mine"


def _on_a_line(path: Path) -> str:
    """As a shell takes it; a name with control codes, which no comment can hold, is left for the user to type."""
    return shlex.quote(str(path)) if str(path).isprintable() else "FILE"
