"""`bench status`: counts, and a line for each job."""

from typing import Annotated

import typer

from cli import _look
from cli import _options as options
from cli import _selection as select
from db.errors import ConfigError


def status(
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", "-w", help="Until nothing waits or runs; Ctrl-C leaves the jobs. Same as `bench watch`."
        ),
    ] = False,
    job: options.Jobs = None,
    submission: options.Submission = None,
    variant: select.Variants = None,
    state: select.States = None,
    where: select.Wheres = None,
    as_json: options.Json = False,
) -> None:
    """Show what waits, runs and is done.

    Looks after the queue on the way: what dead workers held is queued again.
    """
    chosen = select.narrowed(job, submission=submission, variant=variant, state=state, where=where)
    if not watch:
        _look.look_once(submission=submission, as_json=as_json, chosen=chosen)
        return
    if as_json:
        raise ConfigError("--watch and --json exclude each other", fix="give one of them")
    raise typer.Exit(_look.look_on(submission=submission, chosen=chosen))
