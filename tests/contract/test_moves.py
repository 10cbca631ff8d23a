"""A job changes its state as the table of moves allows and not otherwise, and each change leaves one event."""

import contextlib
import itertools

import pytest
from clock import Clock
from records import new_job, result, submission

from db import open_store
from db.errors import BenchError
from db.records import MOVES, Cause, Claim, JobState

PAIRS = [*itertools.product(JobState, JobState)]
ALLOWED = [(start, end) for start, end in PAIRS if end in MOVES[start]]


@pytest.fixture
def bench(store_url):
    clock = Clock()
    store = open_store(store_url, create=True, clock=clock.sql)
    yield Bench(store, clock)
    store.close()


class Bench:
    """A store and all that anybody can do in it to one job."""

    def __init__(self, store, clock):
        self.store, self.clock = store, clock
        self.seeds = itertools.count(1)

    def job_in(self, state):
        """A new job in this state, more urgent than all before it, and the newest claim of it."""
        seed = next(self.seeds)
        _, (job,) = self.store.submit(submission(), [new_job(seed)], priority=seed)
        held = Claim(job_id=job.job_id, attempt=0, attempt_id=0, owner="w", key="", label="", seed=0, config={},
                     fingerprint=None, timeout_s=None, submission_id=None)  # fmt: skip
        if state is not JobState.QUEUED:
            held = self.store.claim_next("w", lease_s=60)
        if state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED):
            self.end(held, state)
        assert self.state(job.job_id) is state
        return held

    def end(self, held, state):
        if state is JobState.DONE:
            self.store.finish(held, result(), {})
        else:
            self.store.fail(held, Cause.CODE if state is JobState.FAILED else Cause.CANCELLED, "")

    def state(self, job_id):
        (job,) = self.store.jobs([job_id])
        return job.state

    def ways_to(self, end):
        """Everything that may bring the job of a claim to this state."""
        store = self.store
        return {
            JobState.QUEUED: [
                lambda held: store.fail(held, Cause.PREEMPTED, ""),
                lambda held: store.retry([held.job_id]),
                self.expire,
                lambda _: store.submit(submission(), [new_job(seed) for seed in range(1, 10)]),
            ],
            JobState.RUNNING: [lambda _: store.claim_next("other", lease_s=60)],
            JobState.DONE: [lambda held: store.finish(held, result(), {})],
            JobState.FAILED: [lambda held: store.fail(held, Cause.CODE, "")],
            JobState.CANCELLED: [
                lambda held: store.fail(held, Cause.CANCELLED, ""),
                lambda held: store.cancel([held.job_id]),
            ],
        }[end]

    def expire(self, _held):
        self.clock.now += 61
        self.store.reconcile()

    def tried(self, start, end):
        """The states of jobs that were in `start`, one for each way to `end`."""
        states = []
        for way in self.ways_to(end):
            held = self.job_in(start)
            with contextlib.suppress(BenchError):
                way(held)
            states.append(self.state(held.job_id))
        return states


@pytest.mark.parametrize(("start", "end"), PAIRS)
def test_a_job_moves_as_the_table_says_and_not_otherwise(bench, start, end):
    states = set(bench.tried(start, end))
    assert states <= {start, end}
    assert ((end in states) and start is not end) == (end in MOVES[start])


@pytest.mark.parametrize(("start", "end"), ALLOWED)
def test_a_move_that_is_not_in_the_table_is_not_made(bench, start, end, monkeypatch):
    held = bench.job_in(start)
    bench.store.finish(bench.job_in(JobState.RUNNING), result(), {})  # so that the statements are made before
    monkeypatch.setitem(MOVES, start, MOVES[start] - {end})
    for way in bench.ways_to(end):
        with contextlib.suppress(BenchError):
            way(held)
    assert bench.state(held.job_id) is start


@pytest.mark.parametrize(("start", "end"), ALLOWED)
def test_each_move_leaves_one_event_that_names_actor_attempt_and_state(bench, start, end):
    for way in bench.ways_to(end):
        held = bench.job_in(start)
        before = len(moves(bench, held))
        with contextlib.suppress(BenchError):
            way(held)
        new = moves(bench, held)[before:]
        assert len(new) == (bench.state(held.job_id) is not start)
        attempt = held.attempt + (end is JobState.RUNNING)
        assert all((e.details["to"], e.details["attempt"]) == (end, attempt) for e in new)
        assert all(e.actor in ("w", "other", "retry", "cancel", "reconcile") for e in new)


def moves(bench, held):
    return [event for event in bench.store.events(held.job_id) if "to" in event.details]


def test_events_tell_the_life_of_a_job_in_order(bench):
    held = bench.job_in(JobState.RUNNING)
    bench.store.fail(held, Cause.PREEMPTED, "stop")
    bench.store.cancel([held.job_id], actor="me")
    told = [(e.what, e.actor, e.details["attempt"]) for e in bench.store.events(held.job_id)]
    assert told == [("claimed", "w", 1), ("preempted", "w", 1), ("cancelled", "me", 1)]
