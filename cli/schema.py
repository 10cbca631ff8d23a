"""`bench schema`: what `--json` of each command prints."""

import json
from typing import Annotated

import typer

from cli import _options as options
from cli._schemas import SCHEMAS
from db.errors import ConfigError

Name = Annotated[str | None, typer.Argument(metavar="NAME", hidden=True)]


def schema(name: Name = None) -> None:
    """Print the formats of --json, for machines.

    Of NAME (plan, status, show, diff, report, compare, doctor or config), or of each: its number and its keys.
    """
    if name is None:
        options.put(json.dumps({one: _described(one) for one in SCHEMAS}, indent=2))
        return
    if name not in SCHEMAS:
        raise ConfigError(f"no command {name!r} has --json", fix=f"choose one of {', '.join(SCHEMAS)}")
    options.put(json.dumps(_described(name), indent=2))


def _described(name: str) -> dict[str, object]:
    found = SCHEMAS[name]
    return {"schema": found.number, "keys": found.keys, "within": found.within}
