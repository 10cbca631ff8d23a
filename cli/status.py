"""`bench status`: counts, and a line for each job."""

import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import _options as options
from cli._outage import through_outages
from cli._progress import Screen, job_dict, render
from db.errors import ConfigError
from db.records import WAITING, Job, JobState, Submission, Worker

if TYPE_CHECKING:
    from db.store import Store
    from scheduler.settings import Settings


def status(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Until nothing waits or runs; Ctrl-C leaves the jobs.")
    ] = False,
    submission: options.Submission = None,
    as_json: options.Json = False,
) -> None:
    """Show what waits, runs and is done.

    Looks after the queue on the way: what dead workers held is queued again.
    """
    if watch and as_json:
        raise ConfigError("--watch and --json exclude each other", fix="give one of them")
    here = options.settings()
    store = options.opened(here)
    if as_json:
        _reconcile(here, store)
        options.put(json.dumps(_as_dict(store, submission), indent=2))
        return
    if not watch:
        _reconcile(here, store)
        parts = render(_jobs(store, submission), store.workers(seen_within_s=here.lease_s))
        options.show([*parts, *_submission_lines(store.submissions() if submission is None else [])])
        return
    store.close()
    _watch(here, submission)


def _watch(here: "Settings", submission: int | None) -> None:
    every_s = 2.0 if sys.stdout.isatty() else 30.0

    def look() -> tuple[list[Job], list[Worker]]:
        # opened anew each time: an open file would outlive its deletion, and be watched for ever
        with closing(options.opened(here, create=False)) as store:
            _reconcile(here, store)
            return _jobs(store, submission), store.workers(seen_within_s=here.lease_s)

    try:
        with Screen(sys.stdout) as screen:
            while True:
                jobs, workers = through_outages(look, tell=screen.tell, every_s=every_s)
                screen.show(jobs, workers)
                if not any(job.state in WAITING for job in jobs):
                    return
                time.sleep(every_s)
    except KeyboardInterrupt:
        options.say("The jobs go on. `bench status` looks again, `bench cancel` stops them.")
        raise typer.Exit(130) from None


def _reconcile(here: "Settings", store: "Store") -> None:
    store.reconcile(actor="status")
    # the broker is asked only when something could have been lost; a look at finished jobs needs no queue
    if store.counts()[JobState.QUEUED]:
        from scheduler.app import doorbells
        from scheduler.broker import is_up
        from scheduler.queue import look_around

        if not here.embedded_broker or is_up(here):
            look_around(store, doorbells(here), actor="status")


def _jobs(store: "Store", submission: int | None) -> list[Job]:
    if submission is None:
        return store.jobs()
    store.submission(submission)
    return store.jobs({job.job_id for job in store.submitted_jobs(submission)})


def _submission_lines(found: Sequence[Submission]) -> list[str]:
    """The newest, one line each: their ids are what --submission takes."""
    lines = [
        f"submission {one.id}: {one.suite} on {one.dataset}{_epochs(one)}, {one.created_at:%Y-%m-%d %H:%M} UTC"
        for one in found[:_SHOWN]
    ]
    more = len(found) - len(lines)
    return [*lines, f"... and {options.number(more, 'earlier submission')}"] if more else lines


def _epochs(one: Submission) -> str:
    return f", {options.number(one.overrides['epochs'], 'epoch')}" if "epochs" in one.overrides else ""


_SHOWN = 5  # submissions


def _as_dict(store: "Store", submission: int | None) -> dict[str, Any]:
    jobs = _jobs(store, submission)
    counts = {str(state): sum(job.state is state for job in jobs) for state in store.counts()}
    return {"counts": counts, "jobs": [job_dict(job) for job in jobs]}
