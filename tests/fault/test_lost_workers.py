"""Workers that die or are asked to stop: the job goes on from its checkpoint, and gives the same numbers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from db import open_store
from db.records import Cause, JobState, Weights
from scheduler.broker import ensure_broker
from scheduler.planning import make_plan
from scheduler.queue import submit
from scheduler.settings import load_settings
from scheduler.suite import load_suite

ROOT = Path(__file__).parent.parent.parent
EPOCHS = 8


@pytest.fixture
def here(bench_home, monkeypatch):
    for name, value in {"LEASE_S": "6", "HEARTBEAT_S": "0.5", "CHECKPOINT_S": "0.2"}.items():
        monkeypatch.setenv(f"BENCH_{name}", value)
    settings = load_settings()
    ensure_broker(settings)
    return settings


@pytest.fixture
def store(here):
    opened = open_store(here.database, create=True)
    suite = load_suite()
    submit(opened, make_plan(suite, ["both"], [42], data_dir=here.data, dataset="digits", epochs=EPOCHS))
    yield opened
    opened.close()


def start_worker(cwd):
    words = [sys.executable, "-m", "cli", "worker", "--slots", "1", "--device", "cpu", "--drain"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        words, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def until(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def running_at(store, epoch):
    (job,) = store.jobs()
    return job.state is JobState.RUNNING and job.epoch >= epoch


def numbers(store):
    fields = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate")
    rows = [[getattr(record, name) for name in fields] for record in store.histories([1])[1]]
    return rows, store.predictions(1, Weights.LAST).probabilities.tobytes()


def undisturbed(store, tmp_path):
    import torch

    from worker.attempt import Slot, run_attempt

    torch.set_num_threads(1)  # as a worker's slot: numbers are promised for one thread count
    (claimed,) = store.jobs()

    other = open_store(f"sqlite:///{tmp_path / 'other' / 'bench.db'}", create=True)
    settings = load_settings(home=tmp_path / "other")
    suite = load_suite()
    submit(other, make_plan(suite, ["both"], [claimed.seed], data_dir=settings.data, dataset="digits", epochs=EPOCHS))
    claim = other.claim_next("alone", lease_s=600)
    assert run_attempt(other, claim, Slot(device="cpu", settings=settings)) is JobState.DONE
    found = numbers(other)
    other.close()
    return found


def test_a_killed_worker_costs_no_epoch_and_changes_no_number(store, tmp_path):
    first = start_worker(tmp_path)
    until(lambda: running_at(store, 3))
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert not psutil.pid_exists(first.pid)
    second = start_worker(tmp_path)
    assert second.wait(timeout=120) == 0
    lost, *_, done = store.attempts([1])[1]
    assert (lost.outcome, done.outcome) == (Cause.WORKER_LOST, "done")
    assert done.start_epoch >= 1
    assert numbers(store) == undisturbed(store, tmp_path)


def test_sigterm_saves_a_checkpoint_and_gives_the_job_back(store, tmp_path):
    first = start_worker(tmp_path)
    until(lambda: running_at(store, 3))
    first.send_signal(signal.SIGTERM)
    first.wait(timeout=30)
    (job,) = store.jobs()
    assert (job.state, job.cause) == (JobState.QUEUED, Cause.PREEMPTED)
    second = start_worker(tmp_path)
    assert second.wait(timeout=120) == 0
    assert [attempt.outcome for attempt in store.attempts([1])[1]] == [Cause.PREEMPTED, "done"]
    assert numbers(store) == undisturbed(store, tmp_path)


def test_a_cancelled_job_stops_while_it_runs(store, tmp_path):
    worker = start_worker(tmp_path)
    until(lambda: running_at(store, 1))
    assert store.cancel([1]) == ([], [1])
    assert worker.wait(timeout=60) == 0
    (job,) = store.jobs()
    assert (job.state, job.cause) == (JobState.CANCELLED, Cause.CANCELLED)
    assert job.epoch < EPOCHS
