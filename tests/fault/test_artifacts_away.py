"""Artifacts that do not answer when an attempt begins or ends: neither the job nor what was trained is lost."""

import errno
import threading
import time
from dataclasses import replace

import pytest
from fsspec.implementations.local import LocalFileSystem
from real_worker import attempt_here, job, numbers, outcomes, submit_digits

from db.records import Cause, JobState
from scheduler.settings import load_settings
from worker.checkpoints import clear_left_over

EPOCHS = 4  # of the interrupted job


@pytest.fixture
def here(bench_home, monkeypatch):
    for name, value in {"CHECKPOINT_S": "0", "HEARTBEAT_S": "0.1", "LEASE_S": "60"}.items():
        monkeypatch.setenv(f"BENCH_{name}", value)
    return load_settings()


@pytest.fixture
def away(monkeypatch):
    """While it is set the artifacts answer as a network disk that has lost its server; `asked` counts."""
    lost = threading.Event()
    lost.asked = 0

    def failing(real):
        def ask(*words, **names):
            if lost.is_set():
                lost.asked += 1
                raise OSError(errno.EIO, "Input/output error")
            return real(*words, **names)

        return ask

    for name in ("ls", "cat_file", "rm", "rm_file", "makedirs"):
        monkeypatch.setattr(LocalFileSystem, name, failing(getattr(LocalFileSystem, name)))
    return lost


def last_attempt(store):
    return store.attempts([1])[1][-1]


@pytest.mark.long
def test_artifacts_that_come_back_within_a_lease_are_waited_for(here, interrupted, away, undisturbed):
    away.set()
    threading.Timer(1, away.clear).start()
    assert attempt_here(interrupted, here) is JobState.DONE
    assert away.asked > 1
    assert last_attempt(interrupted).start_epoch == 2
    assert last_attempt(interrupted).message == ""
    assert numbers(interrupted) == undisturbed("baseline", epochs=EPOCHS)


@pytest.mark.long
def test_artifacts_that_stay_away_are_done_without(here, interrupted, away, undisturbed):
    away.set()
    assert attempt_here(interrupted, replace(here, lease_s=0.5)) is JobState.DONE
    assert last_attempt(interrupted).start_epoch == 0
    assert "do not answer: OSError: [Errno 5] Input/output error; training starts from the beginning" in (
        last_attempt(interrupted).message
    )
    assert numbers(interrupted) == undisturbed("baseline", epochs=EPOCHS)


def test_a_worker_that_is_stopped_while_they_are_away_leaves_the_checkpoints_as_they_are(here, interrupted, away):
    away.set()
    began = time.monotonic()
    assert attempt_here(interrupted, here, stopping=lambda: time.monotonic() - began > 0.5) is JobState.QUEUED
    assert away.asked > 1
    away.clear()
    assert attempt_here(interrupted, here) is JobState.DONE
    assert last_attempt(interrupted).start_epoch == 2
    assert outcomes(interrupted) == [Cause.PREEMPTED, Cause.PREEMPTED, "done"]


@pytest.mark.parametrize("keep", [False, pytest.param(True, marks=pytest.mark.long)])
def test_artifacts_that_are_away_at_the_end_cost_no_result(here, interrupted, away, keep):
    def lose_them_at_the_end():
        if job(interrupted).epoch == EPOCHS:
            away.set()
        return False

    settings = replace(here, keep_checkpoints=keep)
    assert attempt_here(interrupted, settings, stopping=lose_them_at_the_end) is JobState.DONE
    assert away.asked >= 1
    assert len(interrupted.results([1])) == 1
    assert ("not on record" if keep else "not removed") in (here.logs / "job-1-attempt-2.log").read_text()


@pytest.mark.long
@pytest.mark.parametrize("keep", [False, True])
def test_what_a_done_job_could_not_remove_goes_with_the_next_worker(here, interrupted, away, keep):
    assert attempt_here(interrupted, replace(here, keep_checkpoints=keep)) is JobState.DONE
    submit_digits(interrupted, here, "dropout", epochs=EPOCHS)
    root = here.folder / "artifacts" / "checkpoints"
    keys = [one.key for one in interrupted.jobs()]
    for key in (*keys, "a stranger's"):
        (root / key).mkdir(parents=True, exist_ok=True)
        (root / key / "left").touch()
    clear_left_over(f"file://{root}", interrupted.done_with)
    assert {path.name for path in root.iterdir()} == {keys[1], "a stranger's", *([keys[0]] if keep else [])}
