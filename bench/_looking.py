"""How a call finds its store, opens it for as long as it takes, and looks at the jobs."""

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from bench._records import Asked, Overrides, Status, Submission, Told
from db.errors import TimeLimitError

if TYPE_CHECKING:
    from db.store import Store
    from scheduler.settings import Settings

_EVERY_S = 1.0  # between two looks


def settings(submission: Asked, given: Overrides) -> "Settings":
    """In force for this call. Raises TypeError for a keyword that there is not, ConfigError for a bad value."""
    from scheduler.settings import load_settings

    for name in given:
        if name not in Overrides.__annotations__:
            known = ", ".join(Overrides.__annotations__)
            raise TypeError(f"unexpected keyword argument {name!r}; settings are {known}")
    if isinstance(submission, Submission) and not given:
        return submission.settings
    found = load_settings(**given)
    return replace(found, home=found.folder)  # a notebook may change its folder between two calls


def number(submission: Asked) -> int | None:
    return submission.id if isinstance(submission, Submission) else submission


@contextmanager
def opened(here: "Settings", *, create: bool = False) -> "Iterator[Store]":
    from db import open_store

    with private():
        store = open_store(here.database, create=create)
    with closing(store):
        yield store


@contextmanager
def private() -> Iterator[None]:
    """What is made in the home meanwhile is for its user alone, as the command line has it."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def look(here: "Settings", submission: int | None) -> Status:
    from db.records import WAITING, Measured
    from scheduler.config import with_whole_configs
    from scheduler.duration import Durations
    from scheduler.queue import look_after

    with opened(here) as store:
        silent = look_after(here, store, actor="status")
        ids = None
        if submission is not None:
            store.submission(submission)
            ids = {job.job_id for job in store.submitted_jobs(submission)}
        found, workers = store.jobs(ids), store.workers(seen_within_s=here.lease_s)
        waits = any(job.state in WAITING for job in found)
        left = Durations(store.measured() if waits else Measured(), workers).all_left(found).whole
    return Status(
        jobs=tuple(with_whole_configs(found)),
        workers=tuple(workers),
        time_left_s=(left.low, left.high) if left else None,
        silent=silent,
    )


def look_until_ended(
    here: "Settings",
    submission: int | None,
    timeout_s: float | None,
    progress: Told,
    *,
    each: Callable[[], object] = lambda: None,
) -> Status:
    """`each` is called before every look but the first."""
    from scheduler.outage import through_outages

    tell = teller(progress)
    until = None if timeout_s is None else time.monotonic() + timeout_s
    seen = look(here, submission)
    while True:
        tell(seen)
        if seen.ended:
            return seen
        left_s = _EVERY_S if until is None else until - time.monotonic()
        if left_s <= 0:
            fix = "wait longer, look whether a worker runs (`bench status`), or cancel them"
            raise TimeLimitError(f"after {timeout_s:g} s the jobs have not all ended: {seen}", fix=fix)
        time.sleep(min(_EVERY_S, left_s))
        each()
        seen = through_outages(lambda: look(here, submission), tell=warnings.warn, every_s=_EVERY_S)


def teller(progress: Told) -> Callable[[Status], object]:
    if callable(progress):
        return progress
    last = ""

    def tell(seen: Status) -> None:
        nonlocal last
        running = [f"{job.label}/{job.seed} {job.epoch}/{job.epochs}" for job in seen.jobs if job.state == "running"]
        line = f"{seen}{'; ' if running else ''}{', '.join(running)}"
        if line != last:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        last = line

    return tell if progress else lambda _: None
