"""`bench compare`: today's results beside a saved report; ends with 1 when something has become worse."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli import _options as options
from cli._schemas import numbered
from cli._talk import printable


def compare(
    against: Annotated[
        Path, typer.Option("--against", metavar="FILE", help="A report.json that `bench report` wrote.")
    ],
    submission: options.Reported = None,
    as_json: options.Json = False,
) -> None:
    """Say what has become worse since a saved report.

    Ends with 1 when a variant is worse by more than noise, or has no result any more; for a pipeline.
    """
    from report import compare_with

    store = options.opened(options.settings(), create=False)
    text, rows = compare_with(store, against, submission_id=submission)
    options.put(json.dumps(numbered("compare", rows=rows), indent=2) if as_json else text)
    single = [row["variant"] for row in rows if row["verdict"].endswith("in one run")]
    if single:
        options.say(f"one seed on a side says nothing of the variant: {_names(single)}; train several")
    failed = [row["variant"] for row in rows if row["verdict"] in ("worse", "missing")]
    if failed:
        options.say(f"worse or missing: {_names(failed)}")
        raise typer.Exit(1)


def _names(labels: Sequence[str]) -> str:
    """They may come from somebody else's file."""
    return ", ".join(printable(label) for label in labels)
