"""Looks at the queue, one or many, for `bench status` and `bench watch`.

At a glance where that is enough, else through the whole store.
"""

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from cli import _talk as talk
from cli._schemas import numbered
from db.errors import NoStoreError

if TYPE_CHECKING:
    from db._looks import Looks
    from db.glance import Glance
    from db.records import Job, Submission, Worker
    from scheduler.duration import Durations
    from scheduler.selection import Selection
    from scheduler.settings import Settings


class Seen(NamedTuple):
    """`silent` says that jobs wait and the broker, which somebody has started, does not answer; else it is empty."""

    jobs: "Sequence[Job]"
    workers: "Sequence[Worker]"
    durations: "Durations"
    submissions: "Sequence[Submission]" = ()
    earlier: int = 0  # submissions before these
    silent: str = ""


def asked(words: Sequence[str]) -> dict[str, Any] | None:
    """What `look_once` is to be called with, for the plain words after `bench status`; `look_on` takes no `as_json`.

    None leaves them to Typer, which loads for longer than all of a look takes: help, --watch, mistakes.
    """
    found: dict[str, Any] = {"submission": None, "as_json": False}
    rest = iter(words)
    for word in rest:
        name, mark, value = word.partition("=")
        if word == "--json":
            found["as_json"] = True
        elif name == "--submission":
            number = value if mark else next(rest, "")
            if not (number.isascii() and number.isdigit() and 1 <= int(number[:11]) <= talk.MOST):
                return None
            found["submission"] = int(number)
        else:
            return None
    return found


def look_once(*, submission: int | None, as_json: bool, chosen: "Selection | None" = None) -> None:
    """Look after the queue, and show what waits, runs and is done; of the `chosen` jobs where some are."""
    here = talk.settings()
    seen = _first_look(here, submission, chosen)
    if seen.silent:
        talk.say(seen.silent)
    if as_json:
        talk.put(json.dumps(_as_dict(seen), indent=2))
        return
    from cli._progress import render

    talk.show([*render(seen.jobs, seen.workers, seen.durations), *_submission_lines(seen)])


def look_on(*, submission: int | None, chosen: "Selection | None" = None) -> int:
    """Look until nothing waits or runs, drawn on a terminal, else as lines; gives the exit code.

    The first look has to succeed; later ones wait for a store that is away.
    """
    import time

    from cli._progress import Screen
    from db.records import WAITING
    from scheduler.outage import through_outages

    here, every_s = talk.settings(), 2.0 if sys.stdout.isatty() else 30.0
    told = False
    try:
        seen = _first_look(here, submission, chosen)
        with Screen(sys.stdout) as screen:
            while True:
                if seen.silent and not told:
                    screen.tell(seen.silent)
                told = bool(seen.silent)
                screen.show(seen.jobs, seen.workers, seen.durations)
                if not any(job.state in WAITING for job in seen.jobs):
                    return 0
                time.sleep(every_s)
                seen = through_outages(partial(_look, here, submission, chosen), tell=screen.tell, every_s=every_s)
    except KeyboardInterrupt:
        talk.say("The jobs go on. `bench watch` follows them again, `bench cancel` stops them.")
        return 130


def _first_look(here: "Settings", submission: int | None, chosen: "Selection | None") -> Seen:
    """Nothing where there is no store. Raises NoStoreError where something of it is asked for."""
    if chosen is not None:
        return in_full(here, submission, chosen)
    try:
        return _at_a_glance(here, submission) or in_full(here, submission)
    except NoStoreError:
        if submission is None:
            return _nothing()
    return in_full(here, submission)  # whose words say how to go on


def _look(here: "Settings", submission: int | None, chosen: "Selection | None") -> Seen:
    """Raises NoStoreError where there is none any more."""
    if chosen is not None:
        return in_full(here, submission, chosen)
    try:
        found = _at_a_glance(here, submission)
    except NoStoreError:
        found = None
    return found or in_full(here, submission)


def _at_a_glance(here: "Settings", submission: int | None) -> Seen | None:
    """None where somebody has to look after the queue, or the store is not in order: both need all of the store.

    Raises NoStoreError without words for a user.
    """
    from db.glance import at_a_glance

    def look(store: "Glance") -> Seen | None:
        return read(here, store, submission) if _is_settled(here, store) else None

    return at_a_glance(here.database, look)


def _is_settled(here: "Settings", store: "Glance") -> bool:
    """Whether `reconcile` would find nothing to do."""
    from db.records import JobState

    if store.expired():
        return False
    if not store.counts()[JobState.QUEUED]:
        return True
    if not here.embedded_broker:
        return False
    if not here.socket.exists():
        return True
    from scheduler.broker import depth
    from scheduler.queue import is_heard

    waiting = depth(here)
    return waiting is not None and is_heard(store, waiting)


def in_full(here: "Settings", submission: int | None, chosen: "Selection | None" = None) -> Seen:
    """Through the store, which is opened only for this look: an open file would outlive its deletion."""
    from scheduler.queue import look_after

    with closing(talk.opened(here, create=False)) as store:
        silent = look_after(here, store, actor="status")
        return read(here, store, submission, None if chosen is None else chosen.jobs(store))._replace(silent=silent)


def _nothing() -> Seen:
    from db.records import Measured
    from scheduler.duration import Durations

    return Seen([], [], Durations(Measured()))


def read(here: "Settings", store: "Looks", submission: int | None, chosen: "list[Job] | None" = None) -> Seen:
    """Of the `chosen` jobs, those of the submission, or all.

    Durations only of jobs that have any left: what was measured need not be read for the others.
    """
    from db.records import WAITING, Measured
    from scheduler.duration import Durations

    jobs = _jobs(store, submission) if chosen is None else chosen
    workers = store.workers(seen_within_s=here.lease_s)
    waits = any(job.state in WAITING for job in jobs)
    seen = Seen(jobs, workers, Durations(store.measured() if waits else Measured(), workers))
    if submission is not None or chosen is not None:
        return seen
    newest = store.submissions(newest=_SHOWN)
    return seen._replace(submissions=newest, earlier=store.submission_count() - len(newest))


def _jobs(store: "Looks", submission: int | None) -> "list[Job]":
    if submission is None:
        return store.jobs()
    store.submission(submission)
    return store.jobs({job.job_id for job in store.submitted_jobs(submission)})


def _submission_lines(seen: Seen) -> list[str]:
    """The newest, one line each: their ids are what --submission takes."""
    lines = [
        f"submission {one.id}: {one.suite} on {one.dataset}{_epochs(one)}, {one.created_at:%Y-%m-%d %H:%M} UTC"
        for one in seen.submissions
    ]
    return [*lines, f"... and {talk.number(seen.earlier, 'earlier submission')}"] if seen.earlier else lines


def _epochs(one: "Submission") -> str:
    return f", {talk.number(one.overrides['epochs'], 'epoch')}" if "epochs" in one.overrides else ""


_SHOWN = 5  # submissions


def _as_dict(seen: Seen) -> dict[str, Any]:
    from cli._progress import job_dict, span_list
    from db.records import JobState

    counts = {str(state): sum(job.state is state for job in seen.jobs) for state in JobState}
    left = span_list(seen.durations.all_left(seen.jobs).whole)
    jobs = [job_dict(job, seen.durations) for job in seen.jobs]
    return numbered("status", counts=counts, time_left_s=left, jobs=jobs)
