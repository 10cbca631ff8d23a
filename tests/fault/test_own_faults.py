"""Faults inside the worker's own process: a heartbeat that dies or sleeps, a job whose code ends the process."""

import re

import pytest
from real_worker import (
    POSTGRES_IN_THE_LONG_RUN,
    job,
    numbers,
    outcomes,
    running_at,
    sabotaged,
    submit_digits,
    submit_endless,
    until,
    worker,
)

from db.records import Cause, JobState

EPOCHS = 12
LEASE_S = 5.0
LEASE = {"BENCH_LEASE_S": str(LEASE_S)}
DIES = """
import worker.heartbeat

def once(self):
    self._ended.wait(self._every_s)
    if self._store.heartbeat(self._claim, lease_s=self._lease_s).cancel_requested:
        self.cancelled.set()
    if not self._ended.is_set():
        raise ZeroDivisionError("a bug in the heartbeat")

worker.heartbeat.Heartbeat._run = once
"""
SLEEPS = """
import pathlib, time, db.store

beats = db.store.Store.heartbeat
records, trigger = db.store.Store.record_epoch, pathlib.Path({trigger!r})

def heartbeat(store, claim, *, lease_s):
    if trigger.exists():
        time.sleep(3 * lease_s)
    return beats(store, claim, lease_s=lease_s)

def record_epoch(store, claim, record):
    records(store, claim, record)
    while record.epoch == 2 and not trigger.exists():  # however quick the machine is, training is not over before
        time.sleep(0.1)
    time.sleep(1)

db.store.Store.heartbeat, db.store.Store.record_epoch = heartbeat, record_epoch
"""
EXITS = r"""
import os, worker.attempt

trains = worker.attempt._Run.to_the_end

def to_the_end(self, path):
    import worker.steps
    if self.claim.job_id == 1:
        worker.steps.train_step = lambda *_, **__: (os.write(2, b"this code ends its process\n"), os._exit({code}))
    return trains(self, path)

worker.attempt._Run.to_the_end = to_the_end
"""


@POSTGRES_IN_THE_LONG_RUN
def test_a_heartbeat_that_dies_again_and_again_keeps_its_job(store, here, tmp_path):
    submit_endless(store, here, tmp_path)
    with worker(tmp_path, PYTHONPATH=sabotaged(tmp_path / "dies", DIES), **LEASE) as dying:
        until(lambda: running_at(store, 1))
        owner = job(store).owner
        assert f":{dying.pid}:" in owner
        log = here.logs / "job-1-attempt-1.log"
        deaths = 2 * LEASE_S / here.heartbeat_s  # it lives for one heartbeat at least
        until(lambda: log.read_text().count("the heartbeat thread died") > deaths)
        assert (job(store).state, job(store).owner, job(store).attempt) == (JobState.RUNNING, owner, 1)
        assert "a bug in the heartbeat" in (tmp_path / "worker.log").read_text()
        store.cancel([1])
        until(lambda: job(store).state is JobState.CANCELLED)
        assert dying.poll() is None
    assert outcomes(store) == [Cause.CANCELLED]


@pytest.mark.long
@POSTGRES_IN_THE_LONG_RUN
def test_a_heartbeat_that_sleeps_past_its_lease_leaves_the_job_to_another_worker(store, here, tmp_path, undisturbed):
    submit_digits(store, here, "baseline", epochs=EPOCHS)
    trigger = tmp_path / "sleep"
    path = sabotaged(tmp_path / "sleeps", SLEEPS.format(trigger=str(trigger)))
    with worker(tmp_path, PYTHONPATH=path, **LEASE) as sleeping:
        until(lambda: job(store).state is JobState.RUNNING)
        first = job(store).owner
        assert f":{sleeping.pid}:" in first
        with worker(tmp_path, drain=True, **LEASE) as other:
            (before,) = submit_digits(store, here, "baseline", epochs=1)  # loads torch, so that it claims at once
            until(lambda: job(store, before).state is JobState.DONE)
            assert running_at(store, 0)
            trigger.touch()
            assert other.wait(timeout=180) == 0
            log = here.logs / "job-1-attempt-1.log"
            until(lambda: re.search("no longer ours|another attempt was opened", log.read_text()))
    assert outcomes(store) == [Cause.WORKER_LOST, "done"]
    one, two = store.attempts([1])[1]
    assert (one.owner, f":{other.pid}:" in two.owner) == (first, True)
    assert "stopped answering" in one.message
    assert len(store.results([1])) == 1
    assert numbers(store) == undisturbed("baseline", epochs=EPOCHS)


@pytest.mark.long
@POSTGRES_IN_THE_LONG_RUN
@pytest.mark.parametrize("code", [7, 0])
def test_a_job_whose_code_ends_its_process_is_given_up_and_the_next_one_trained(store, here, tmp_path, code):
    (bad,) = submit_digits(store, here, "baseline", epochs=2, priority=1)
    (after,) = submit_digits(store, here, "baseline", seeds=[43], epochs=1)
    path = sabotaged(tmp_path / "exits", EXITS.format(code=code))
    with worker(tmp_path, drain=True, PYTHONPATH=path, BENCH_LEASE_S="600") as only:
        assert only.wait(timeout=180) == 1
    assert (job(store, bad).state, job(store, bad).cause) == (JobState.FAILED, Cause.WORKER_LOST)
    assert outcomes(store, bad) == [Cause.WORKER_LOST] * 3
    assert len({attempt.owner for attempt in store.attempts([bad])[bad]}) == 3
    assert all("is gone" in attempt.message for attempt in store.attempts([bad])[bad])
    assert (tmp_path / "worker.log").read_text().count("this code ends its process") == 3
    assert "3 attempts ended this way" in job(store, bad).message
    assert outcomes(store, after) == ["done"]
