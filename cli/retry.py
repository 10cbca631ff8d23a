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
            metavar="NAME", help="Only those with this cause: oom, diverged, timeout, worker_lost, data or code."
        ),
    ] = None,
) -> None:
    """Queue failed or cancelled jobs again; each goes on from its last checkpoint."""
    from db.records import Cause, JobState
    from scheduler.app import doorbells
    from scheduler.broker import ensure_broker
    from scheduler.queue import ring

    if bool(job) == (failed or cancelled):
        raise ConfigError("say which jobs", fix="give ids, or --failed, or --cancelled")
    if cause is not None and cause not in list(Cause):
        raise ConfigError(f"unknown cause {cause!r}", fix=f"choose one of {', '.join(Cause)}")
    here = options.settings()
    store = options.opened(here)
    states = {state for state, wanted in ((JobState.FAILED, failed), (JobState.CANCELLED, cancelled)) if wanted}
    chosen = [one for one in store.jobs(job) if job or one.state in states]
    if job and len(chosen) < len(set(job)):
        store.retry(job)  # names those that are unknown
    ids = [one.id for one in chosen if cause in (None, one.cause)]
    moved = store.retry(ids)
    options.put(f"{options.number(len(moved), 'job')} queued again.")
    if moved:
        ensure_broker(here)
        ring(store, doorbells(here))
