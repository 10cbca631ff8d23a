"""`bench init`: a suite to begin with."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cli import _options as options
from cli._umask import as_the_user_writes

_DEFAULT = Path("bench-suite.toml")
File = Annotated[Path, typer.Argument(metavar="FILE", hidden=True)]


def init(file: File = _DEFAULT) -> None:
    """Write a commented suite to begin with.

    To FILE, bench-suite.toml by default; it runs as it is, offline. Never replaces a file.
    """
    from scheduler.starter import write_starter

    with as_the_user_writes():
        write_starter(file)
    options.put(f"Suite: {file}")
    options.say(f"Next: `bench run --all --suite {shlex.quote(str(file))}` trains it here, in about a minute.")
