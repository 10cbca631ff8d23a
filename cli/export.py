"""`bench export`: what the store holds, for other programs."""

import io
import os
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import _options as options
from cli import _selection as select
from cli._streams import abandon
from cli._umask import as_the_user_writes
from db.errors import ConfigError

if TYPE_CHECKING:
    from report.export import Exported

What = Annotated[
    str | None, typer.Option("--what", metavar="WHAT", help="jobs (the default), epochs, predictions or report.")
]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME", help="csv (the default), json or parquet, which needs pyarrow."),
]
File = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Replaced if it is there; default: stdout.")]
To = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--to",
        metavar="NAME PLACE",
        help="Instead of a file: `mlflow` and a folder or tracking URI, or `tensorboard` and a folder. Jobs that have "
        "ended become runs, with their curves; a second export adds what is new. Each needs its package.",
    ),
]


def export(
    job: options.Jobs = None,
    what: What = None,
    form: Format = None,
    out: File = None,
    to: To = None,
    submission: options.Submission = None,
    variant: select.Variants = None,
    state: select.States = None,
    where: select.Wheres = None,
) -> None:
    """Give all that the store holds to other programs.

    Every job, every epoch or every prediction, unsampled, or the tables of the report; docs/export.md has the columns.
    Of all jobs, or of those that the selectors mean; JOB is an id from `bench status`.
    """
    chosen = select.selection(job, submission=submission, variant=variant, state=state, where=where)
    try:
        if to is None:
            _export_rows(what or "jobs", form or "csv", out, chosen)
            return
        if what or form or out:
            raise ConfigError("--to writes runs, not rows", fix="leave --what, --format and --out out")
        _export_runs(*to, chosen)
    except KeyboardInterrupt:
        kept = "The runs that were written stay" if to else "No file was written" if out else "Not all was written"
        options.say(f"{kept}. To go on: {options.command_line()}")
        raise typer.Exit(130) from None


def _export_runs(name: str, place: str, chosen: select.Selection) -> None:
    """Raises ConfigError for another program, and for one whose library is not installed."""
    from report.runs import runs
    from report.to_mlflow import check_mlflow, write_mlflow
    from report.to_tensorboard import check_tensorboard, write_tensorboard
    from scheduler.config import with_whole_configs
    from scheduler.urls import scrubbed, shown

    known = {"mlflow": (check_mlflow, write_mlflow), "tensorboard": (check_tensorboard, write_tensorboard)}
    _check("--to", name, tuple(known))
    if not place:
        raise ConfigError(f"--to {name} needs a place", fix="give a folder")
    check, write = known[name]
    check()
    store = options.opened(options.settings(), create=False)
    with closing(store), store.one_moment(), as_the_user_writes():
        told = write(runs(store, with_whole_configs(chosen.jobs(store))), place, clean=partial(scrubbed, url=place))
    numbers = f"{options.number(told.added, 'run')} added, {told.replaced} replaced, {told.there} there already"
    where = shown(told.where) if "://" in told.where else told.where
    options.put(f"{numbers}: {where}")
    if "://" not in place:
        line = {"mlflow": f"mlflow ui --backend-store-uri {told.where}", "tensorboard": f"tensorboard --logdir {place}"}
        options.say(f"Look: `{line[name]}`")


def _export_rows(what: str, form: str, out: Path | None, chosen: select.Selection) -> None:
    from report.export import WHAT, exported
    from report.export_files import FORMATS, TEXT_FORMATS, check_parquet
    from scheduler.config import with_whole_configs

    _check("--what", what, WHAT)
    _check("--format", form, FORMATS)
    if form == "parquet":
        check_parquet()
        if out is None:
            raise ConfigError("a Parquet file is nothing for a terminal or a pipe", fix="give --out FILE")
    if what == "report" and chosen != select.Selection(submission=chosen.submission):
        raise ConfigError("a report is of a whole submission", fix="give --submission alone")
    store = options.opened(options.settings(), create=False)
    with closing(store), store.one_moment():
        jobs = None if what == "report" else with_whole_configs(chosen.jobs(store))
        found = exported(store, what, submission_id=chosen.submission, jobs=jobs)
        if out is not None:
            _into(out, found, form)
            options.say(f"Written: {out}")
            return
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="strict")  # as in a file: no letter may be lost
        try:
            TEXT_FORMATS[form](found, sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:  # `| head`, say
            abandon(sys.stdout)


def _check(option: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        raise ConfigError(f"{option} must be one of {', '.join(known)}, not {word!r}", fix="give one of them")


def _into(out: Path, found: "Exported", form: str) -> None:
    """Written aside and put in place when it is whole: what ends early leaves the file as it was."""
    from report.export_files import TEXT_FORMATS, write_parquet

    partial = out.with_name(f"{out.name}.{os.getpid()}.partial")
    try:
        with as_the_user_writes():
            if form == "parquet":
                write_parquet(found, partial)
            else:
                with partial.open("w", encoding="utf-8", newline="") as file:
                    TEXT_FORMATS[form](found, file)
            partial.replace(out)
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror}", fix="give another --out") from error
    finally:
        partial.unlink(missing_ok=True)
