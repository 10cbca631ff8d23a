"""Faults inside the worker's own process: a heartbeat that dies or sleeps."""

import re

import pytest
from real_worker import job, numbers, outcomes, running_at, sabotaged, submit_digits, until, worker

from db.records import Cause, JobState

POSTGRES_IN_THE_LONG_RUN = pytest.mark.parametrize(
    "here", ["sqlite", pytest.param("postgres", marks=pytest.mark.long)], indirect=True
)
EPOCHS = 12
LEASE_S = 5.0
LEASE = {"BENCH_LEASE_S": str(LEASE_S)}
DIES = """
import worker.heartbeat

def once(self):
    self._ended.wait(self._every_s)
    self._store.heartbeat(self._claim, lease_s=self._lease_s)
    if not self._ended.is_set():
        raise ZeroDivisionError("a bug in the heartbeat")

worker.heartbeat.Heartbeat._run = once
"""
SLEEPS = """
import pathlib, time, db.store

beats = db.store.Store.heartbeat

def heartbeat(store, claim, *, lease_s):
    if pathlib.Path({trigger!r}).exists():
        time.sleep(3 * lease_s)
    return beats(store, claim, lease_s=lease_s)

db.store.Store.heartbeat = heartbeat
"""


@POSTGRES_IN_THE_LONG_RUN
def test_a_heartbeat_that_dies_again_and_again_keeps_its_job(store, here, tmp_path, undisturbed):
    submit_digits(store, here, "both", epochs=EPOCHS)
    path = sabotaged(tmp_path / "dies", DIES)
    with worker(tmp_path, PYTHONPATH=path, **LEASE) as dying:
        until(lambda: running_at(store, 1))
        assert f":{dying.pid}:" in job(store).owner
        with worker(tmp_path, drain=True, **LEASE) as other:
            assert other.wait(timeout=120) == 0
    (only,) = store.attempts([1])[1]
    assert (only.outcome, (only.ended_at - only.started_at).total_seconds() > LEASE_S) == ("done", True)
    assert (here.logs / "job-1-attempt-1.log").read_text().count("the heartbeat thread died") > 1
    assert numbers(store) == undisturbed("both", epochs=EPOCHS)


@POSTGRES_IN_THE_LONG_RUN
def test_a_heartbeat_that_sleeps_past_its_lease_leaves_the_job_to_another_worker(store, here, tmp_path, undisturbed):
    submit_digits(store, here, "both", epochs=EPOCHS)
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
    assert numbers(store) == undisturbed("both", epochs=EPOCHS)
