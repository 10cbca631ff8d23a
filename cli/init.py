"""`bench init`: a suite to begin with."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cli import _options as options
from cli._umask import as_the_user_writes

_DEFAULT = Path("bench-suite.toml")
File = Annotated[Path, typer.Argument(metavar="FILE", hidden=True)]
Dataset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Data of yours: folder:PATH, file:PATH, or a published set. Default: the digits."
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="A network of yours, nets.py:MyNet or package.module:MyNet, beside one of bench; may be repeated.",
    ),
]


def init(file: File = _DEFAULT, dataset: Dataset = None, model: Models = None) -> None:
    """Write a commented suite to begin with.

    To FILE, bench-suite.toml by default. It runs as it is: offline, or on the data and with the networks that are
    named. Never replaces a file.
    """
    from scheduler.starter import write_starter

    with as_the_user_writes():
        write_starter(file, dataset=dataset, models=model or ())
    options.put(f"Suite: {file}")
    name = shlex.quote(str(file))
    if dataset or model:
        options.say(f"Next: `bench plan --all --suite {name}` checks networks and data,")
        options.say(f"      `bench run --all --suite {name}` trains and reports.")
    else:
        options.say(f"Next: `bench run --all --suite {name}` trains it here, in about a minute.")
