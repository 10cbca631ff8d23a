"""`bench export`: what the store holds, for other programs."""

import io
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import _options as options
from cli._streams import abandon
from cli._umask import as_the_user_writes
from db.errors import ConfigError

if TYPE_CHECKING:
    from report.export import Exported

What = Annotated[str, typer.Option("--what", metavar="WHAT", help="jobs, epochs, predictions or report.")]
Format = Annotated[str, typer.Option("--format", metavar="NAME", help="csv, json or parquet, which needs pyarrow.")]
File = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Replaced if it is there; default: stdout.")]


def export(what: What = "jobs", form: Format = "csv", out: File = None, submission: options.Submission = None) -> None:
    """Give all that the store holds to other programs.

    Every job, every epoch or every prediction, unsampled, or the tables of the report; docs/export.md has the columns.
    """
    from report.export import WHAT, exported
    from report.export_files import FORMATS, TEXT_FORMATS, check_parquet

    _check("--what", what, WHAT)
    _check("--format", form, FORMATS)
    if form == "parquet":
        check_parquet()
        if out is None:
            raise ConfigError("a Parquet file is nothing for a terminal or a pipe", fix="give --out FILE")
    store = options.opened(options.settings(), create=False)
    with closing(store), store.one_moment():
        found = exported(store, what, submission_id=submission)
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
