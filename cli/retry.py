"""`bench retry`: queue again what failed or was cancelled."""

from typing import Annotated

import typer

from cli import _options as options
from db.errors import ConfigError


def retry(
    job: options.Jobs = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed.")] = False,
    cancelled: Annotated[bool, typer.Option("--cancelled", help="All that were cancelled.")] = False,
    cause: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only those that ended by it: oom (out of memory), diverged (loss not finite), timeout (its timeout_s "
            "was over), worker_lost (its process died), preempted (its worker was stopped), cancelled (by somebody), "
            "data (images missing or other ones) or code (an error in the program).",
        ),
    ] = None,
) -> None:
    """Queue failed or cancelled jobs again.

    JOB is an id from `bench status`. Each job goes on from its last checkpoint.
    """
    from db.records import Cause, JobState
    from scheduler.app import doorbells
    from scheduler.broker import ensure_broker
    from scheduler.queue import ring

    if job and (failed or cancelled):
        raise ConfigError("give ids or --failed and --cancelled, not both", fix="leave one of them out")
    if not job and not (failed or cancelled or cause):
        raise ConfigError("say which jobs", fix="give ids, or --failed, or --cancelled, or --cause")
    if cause is not None and cause not in list(Cause):
        raise ConfigError(f"unknown cause {cause!r}", fix=f"choose one of {', '.join(Cause)}")
    here = options.settings()
    store = options.opened(here)
    anyhow = not (job or failed or cancelled)  # the cause alone says which
    states = {JobState.FAILED: failed or anyhow, JobState.CANCELLED: cancelled or anyhow}
    chosen = [one for one in store.jobs(job) if job or states.get(one.state)]
    if job and len(chosen) < len(set(job)):
        store.retry(job)  # names those that are unknown
    ids = [one.id for one in chosen if cause in (None, one.cause)]
    moved = store.retry(ids)
    options.put(f"{options.number(len(moved), 'job')} queued again.")
    for one in chosen if job else ():
        if one.id not in moved:
            why = f"is {one.state}" if one.id in ids else f"ended by {one.cause or 'nothing'}, not {cause}"
            options.say(f"job {one.id} {why}: nothing to retry")
    if moved:
        ensure_broker(here)
        ring(store, doorbells(here))
