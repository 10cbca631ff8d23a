"""`bench report`: tables and figures from the store, nothing else."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import _options as options
from cli._umask import as_the_user_writes

if TYPE_CHECKING:
    from db.store import Store


def report(
    out: options.Out = None,
    submission: Annotated[
        int | None,
        typer.Option(
            metavar="ID",
            min=1,
            max=2**31 - 1,
            help="Report the suite, data and protocol of this submission, with all submissions that share them; "
            "`bench submit` and `bench status` print the numbers. Default: the newest one.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Write the report and print its main table.

    Writes report.html, report.md, report.json, tables/ and figures/.
    """
    store, folder = options.opened(options.settings(), create=False), options.out_folder(out)
    if as_json:
        from report import write_report

        with as_the_user_writes():
            written = write_report(store, folder, submission_id=submission)
        options.put(json.dumps(written.json, indent=2))
        return
    say_where(store, folder, submission=submission)


def say_where(store: "Store", out: Path, *, submission: int | None) -> None:
    """Write the report, print its comparison table, and say where the page is."""
    from report import write_report

    with as_the_user_writes():
        written = write_report(store, out, submission_id=submission)
    options.put(written.text)
    options.put(f"\nReport: {written.html}")
