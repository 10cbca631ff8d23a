"""What commands say and look at, without Typer, whose import takes half of a prompt's time."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli._streams import abandon
from db.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli._tables import Part
    from db.store import Store
    from scheduler.settings import Settings

MOST = 2**31 - 1  # what an id, or a priority, may be in any database


def printable(text: str) -> str:
    """Names and values come from files: a line break or a terminal's control code among them is only shown."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def say(*words: object) -> None:
    """Talk goes to stderr; stdout is for results. Where nobody can hear it, it is no reason to stop."""
    try:
        sys.stderr.write(" ".join(str(word) for word in words) + "\n")
    except OSError:
        abandon(sys.stderr)


def number(count: int, what: str) -> str:
    """1 job, 2 jobs."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def put(text: str) -> bool:
    """A result goes to stdout; a reader who has heard enough, `| head` say, is no error. Whether somebody reads on."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        abandon(sys.stdout)
        return False
    return True


def show(parts: "Sequence[Part]") -> None:
    """Like `put`, for tables: drawn on a terminal, plain in a pipe."""
    from cli._tables import draw, plain

    if sys.stdout.isatty():
        draw(sys.stdout, parts)
    else:
        put(plain(parts))


def settings(**flags: Any) -> "Settings":
    """The settings in force, these flags first. Raises ConfigError, also when the current folder has been deleted."""
    from scheduler.settings import load_settings

    try:
        Path.cwd()
    except FileNotFoundError as error:  # libraries would stumble over it, whatever BENCH_HOME says
        raise ConfigError("the current folder is gone", fix="go to another one with cd") from error
    return load_settings(**flags)


def opened(here: "Settings", *, create: bool = True) -> "Store":
    from db import open_store

    return open_store(here.database, create=create)
