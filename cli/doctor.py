"""`bench doctor`: whether all that bench needs is there."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from cli import _options as options
from cli._schemas import numbered
from cli._talk import printable

if TYPE_CHECKING:
    from worker.doctor import Finding


def doctor(as_json: options.Json = False) -> None:
    """Say whether all that bench needs is in order.

    Versions, card, settings, folders, disks, store, clock, broker, each with its mend; 1 when one is wrong. Changes
    nothing.
    """
    from worker.doctor import Level, examine

    found = []
    for one in examine(options.settings):
        found.append(one)
        if not as_json:
            options.put(_lines(one))
    if as_json:
        options.put(json.dumps(numbered("doctor", checks=[asdict(one) for one in found]), indent=2))
    raise typer.Exit(int(any(one.level is Level.ERROR for one in found)))


def _lines(one: "Finding") -> str:
    line = f"{one.level:<8} {one.check:<10} {printable(one.message)}"
    return f"{line}\n{'':<19} fix: {printable(one.fix)}" if one.fix else line
