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
from cli._schemas import numbered
from db.errors import BrokerError, ConfigError, NoStoreError

if TYPE_CHECKING:
    from db.records import Job, Submission, Worker
    from db.store import Store
    from scheduler.duration import Durations
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
    from db.records import Measured
    from scheduler.duration import Durations

    if watch and as_json:
        raise ConfigError("--watch and --json exclude each other", fix="give one of them")
    here = options.settings()
    try:
        store = options.opened(here, create=False)
    except NoStoreError:
        if submission is not None:
            raise
        _show([], [], Durations(Measured()), [], as_json=as_json)
        return
    if watch:
        store.close()
        _watch(here, submission)
        return
    silent = _reconcile(here, store)
    if silent:
        options.say(silent)
    jobs, workers, durations = _look(here, store, submission)
    _show(jobs, workers, durations, store.submissions() if submission is None else [], as_json=as_json)


def _show(
    jobs: "Sequence[Job]",
    workers: "Sequence[Worker]",
    durations: "Durations",
    submissions: "Sequence[Submission]",
    *,
    as_json: bool,
) -> None:
    from cli._progress import render

    if as_json:
        options.put(json.dumps(_as_dict(jobs, durations), indent=2))
    else:
        options.show([*render(jobs, workers, durations), *_submission_lines(submissions)])


def _watch(here: "Settings", submission: int | None) -> None:
    from cli._progress import Screen
    from db.records import WAITING

    every_s = 2.0 if sys.stdout.isatty() else 30.0

    def look() -> "tuple[list[Job], list[Worker], Durations, str]":
        # opened anew each time: an open file would outlive its deletion, and be watched for ever
        with closing(options.opened(here, create=False)) as store:
            silent = _reconcile(here, store)
            return (*_look(here, store, submission), silent)

    told = False
    try:
        with Screen(sys.stdout) as screen:
            while True:
                jobs, workers, durations, silent = through_outages(look, tell=screen.tell, every_s=every_s)
                if silent and not told:
                    screen.tell(silent)
                told = bool(silent)
                screen.show(jobs, workers, durations)
                if not any(job.state in WAITING for job in jobs):
                    return
                time.sleep(every_s)
    except KeyboardInterrupt:
        options.say("The jobs go on. `bench status` looks again, `bench cancel` stops them.")
        raise typer.Exit(130) from None


def _reconcile(here: "Settings", store: "Store") -> str:
    """Look after the queue; gives a line when jobs wait and the broker, which somebody has started, is silent."""
    from db.records import JobState

    store.reconcile(actor="status")
    waiting = store.counts()[JobState.QUEUED]
    # the broker is asked only when something could have been lost; a look at finished jobs needs no queue
    if not waiting:
        return ""
    from scheduler.app import doorbells
    from scheduler.broker import is_up
    from scheduler.queue import look_around
    from scheduler.urls import shown

    line = (
        f"the broker {shown(here.broker)} does not answer; "
        f"{options.number(waiting, 'job')} {'waits' if waiting == 1 else 'wait'} in the store"
    )
    if here.embedded_broker and not is_up(here):
        return line if here.socket.exists() else ""  # `bench worker` starts one where there is none
    errors: list[BrokerError] = []
    look_around(store, doorbells(here), actor="status", away=errors.append)
    return line if errors else ""


def _look(here: "Settings", store: "Store", submission: int | None) -> "tuple[list[Job], list[Worker], Durations]":
    """Durations only of jobs that have any left: what was measured need not be read for the others."""
    from db.records import WAITING, Measured
    from scheduler.duration import Durations

    jobs, workers = _jobs(store, submission), store.workers(seen_within_s=here.lease_s)
    waits = any(job.state in WAITING for job in jobs)
    return jobs, workers, Durations(store.measured() if waits else Measured(), workers)


def _jobs(store: "Store", submission: int | None) -> "list[Job]":
    if submission is None:
        return store.jobs()
    store.submission(submission)
    return store.jobs({job.job_id for job in store.submitted_jobs(submission)})


def _submission_lines(found: "Sequence[Submission]") -> list[str]:
    """The newest, one line each: their ids are what --submission takes."""
    lines = [
        f"submission {one.id}: {one.suite} on {one.dataset}{_epochs(one)}, {one.created_at:%Y-%m-%d %H:%M} UTC"
        for one in found[:_SHOWN]
    ]
    more = len(found) - len(lines)
    return [*lines, f"... and {options.number(more, 'earlier submission')}"] if more else lines


def _epochs(one: "Submission") -> str:
    return f", {options.number(one.overrides['epochs'], 'epoch')}" if "epochs" in one.overrides else ""


_SHOWN = 5  # submissions


def _as_dict(jobs: "Sequence[Job]", durations: "Durations") -> dict[str, Any]:
    from cli._progress import job_dict, span_list
    from db.records import JobState

    counts = {str(state): sum(job.state is state for job in jobs) for state in JobState}
    left = span_list(durations.all_left(jobs).whole)
    return numbered("status", counts=counts, time_left_s=left, jobs=[job_dict(job, durations) for job in jobs])
