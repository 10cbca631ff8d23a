"""`bench retry`: queue again what failed or was cancelled."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli import _options as options
from cli import _selection as select
from db.errors import ConfigError

if TYPE_CHECKING:
    from db.records import Job


ByCause = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Only those that ended by it: oom (out of memory), diverged (loss not finite), timeout (its timeout_s "
        "was over), worker_lost (its process died), preempted (its worker was stopped), cancelled (by somebody), "
        "data (images missing or other ones) or code (an error in the program).",
    ),
]


def retry(
    job: options.Jobs = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed: --state failed.")] = False,
    cancelled: Annotated[bool, typer.Option("--cancelled", help="All that were cancelled: --state cancelled.")] = False,
    cause: ByCause = None,
    submission: options.Submission = None,
    variant: select.Variants = None,
    state: select.States = None,
    where: select.Wheres = None,
    yes: options.Yes = False,
) -> None:
    """Queue failed or cancelled jobs again.

    JOB is an id from `bench status`. Each job goes on from its last checkpoint.
    """
    from scheduler.app import doorbells
    from scheduler.broker import ensure_broker
    from scheduler.queue import ring

    if job and (failed or cancelled):
        raise ConfigError("give ids or --failed and --cancelled, not both", fix="leave one of them out")
    states = [*(state or ()), *(["failed"] if failed else []), *(["cancelled"] if cancelled else [])]
    wheres = [*(where or ()), *_caused(cause)]
    chosen = select.selection(job, submission=submission, variant=variant, state=states, where=wheres)
    if not chosen:
        raise ConfigError("say which jobs", fix=f"give ids, or --failed, --cancelled, --cause{_SELECTORS}")
    here = options.settings()
    store = options.opened(here)
    ids = [one.id for one in chosen.jobs(store) if one.state in _ENDED_BADLY]
    options.make_sure(len(ids), "queued again", yes=yes)
    moved = store.retry(ids)
    options.put(f"{options.number(len(moved), 'job')} queued again.")
    for one in store.jobs(job) if job else ():
        if one.id not in moved:
            options.say(f"job {one.id} {_why_not(one, cause)}: nothing to retry")
    if moved:
        ensure_broker(here)
        ring(store, doorbells(here))


_ENDED_BADLY = ("failed", "cancelled")
_SELECTORS = ", --submission, --variant, --state or --where"


def _caused(cause: str | None) -> list[str]:
    """The condition that --cause is short for. Raises ConfigError for what is no cause."""
    from db.records import Cause

    if cause is not None and cause not in list(Cause):
        raise ConfigError(f"unknown cause {cause!r}", fix=f"choose one of {', '.join(Cause)}")
    return [] if cause is None else [f"cause={cause}"]


def _why_not(job: "Job", cause: str | None) -> str:
    if job.state not in _ENDED_BADLY:
        return f"is {job.state}"
    return (
        f"ended by {job.cause or 'nothing'}, not {cause}"
        if cause not in (None, job.cause)
        else "does not meet the rest"
    )
