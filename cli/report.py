"""`bench report`: tables and figures from the store, nothing else."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import _options as options
from cli._umask import as_the_user_writes
from db.errors import ConfigError

if TYPE_CHECKING:
    from db.store import Store
    from report.write import Report

FAILING = ("contradicted", "undecided")


def report(
    out: options.Out = None,
    submission: options.Reported = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VERDICT",
            help="End with 1 when a claim of the suite is that: contradicted, or undecided; may be repeated.",
        ),
    ] = None,
    latex: Annotated[
        bool, typer.Option("--latex", help="Also report.tex, a document for pdflatex, with its figures as PDF.")
    ] = False,
    targets: Annotated[
        list[float] | None,
        typer.Option(
            "--target",
            metavar="FRACTION",
            help="Also the time until this validation accuracy, such as 0.6 for 60 %; may be repeated.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Write the report and print its main table.

    Writes report.html, report.md, report.json, tables/ and figures/.
    """
    _check_words(fail_on or (), targets or ())
    store, folder = options.opened(options.settings(), create=False), options.out_folder(out)
    if fail_on:
        _check_claims(store, submission)
    if as_json:
        written = _written(store, folder, submission=submission, latex=latex, targets=targets or ())
        options.put(json.dumps(written.json, indent=2))
    else:
        written = say_where(store, folder, submission=submission, latex=latex, targets=targets or ())
    failing = [row for row in written.json["tables"]["claims"] if row["verdict"] in (fail_on or ())]
    for row in failing:
        options.say(f"{row['verdict']}: {row['claim']}")
    if failing:
        raise typer.Exit(1)


def _check_words(fail_on: Sequence[str], targets: Sequence[float]) -> None:
    for word in fail_on:
        if word not in FAILING:
            raise ConfigError(f"--fail-on must be {' or '.join(FAILING)}, not {word!r}", fix="give one of them")
    for target in targets:
        if not 0 < target < 1:
            raise ConfigError(f"--target must lie between 0 and 1, not {target:g}", fix="give 60 % as 0.6")


def _check_claims(store: "Store", submission: int | None) -> None:
    """Before anything is written: a pipeline that waits for a verdict must not take silence for one."""
    from report import claims_of

    if not claims_of(store, submission):
        fix = "write claims into the suite and submit it again, on its own data and protocol"
        raise ConfigError("this submission has no claims to fail on", fix=fix)


def say_where(
    store: "Store", out: Path, *, submission: int | None, latex: bool = False, targets: Sequence[float] = ()
) -> "Report":
    """Write the report, print its comparison table, and say where the page is."""
    written = _written(store, out, submission=submission, latex=latex, targets=targets)
    options.put(written.text)
    options.put(f"\nReport: {written.html}")
    if written.tex:
        options.put(f"LaTeX: {written.tex} (twice: pdflatex report.tex)")
    return written


def _written(store: "Store", out: Path, *, submission: int | None, latex: bool, targets: Sequence[float]) -> "Report":
    from report import write_report
    from scheduler.config import whole

    with as_the_user_writes():
        return write_report(store, out, submission_id=submission, latex=latex, targets=targets, whole=whole)
