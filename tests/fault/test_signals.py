"""Signals at odd moments, to workers and to their children, and what becomes of a child that does not listen."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from real_worker import (
    ROOT,
    attempt_here,
    children,
    job,
    outcomes,
    pid_of,
    running_at,
    sabotaged,
    submit_digits,
    submit_endless,
    until,
    worker,
)

from db.records import Cause, JobState
from scheduler.broker import stop_broker
from worker.child import Child
from worker.stopping import StopPipe

ASLEEP = "import signal, time\nsignal.signal(signal.SIGUSR2, lambda *_: time.sleep(1e6))\n"
DETACHED = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"


def test_a_cancelled_job_that_hangs_is_killed_after_a_lease_and_its_slot_goes_on(store, here, tmp_path):
    (hanging,) = submit_endless(store, here, tmp_path)
    with worker(tmp_path, PYTHONPATH=sabotaged(tmp_path / "own", ASLEEP)) as only:
        until(lambda: running_at(store, 1, hanging))
        pid = pid_of(store, hanging)
        os.kill(pid, signal.SIGUSR2)  # the training's thread sleeps for good, and only that: the heartbeat goes on
        store.cancel([hanging])
        (after,) = submit_digits(store, here, "baseline", seeds=[43], epochs=1)
        until(lambda: job(store, hanging).state is JobState.CANCELLED)
        until(lambda: job(store, after).state is JobState.DONE)
        assert pid not in [child.pid for child in children(only)]
    assert not psutil.pid_exists(pid)
    assert outcomes(store, hanging) == [Cause.CANCELLED]
    assert "did not stop when it was cancelled" in job(store, hanging).message
    log = here.logs / f"job-{hanging}-attempt-1.log"
    assert log.read_text().splitlines()[-1].endswith("and was killed; its job is cancelled")


@pytest.mark.long
def test_a_worker_that_was_detached_from_its_terminal_outlives_it(store, here, tmp_path):
    submit_digits(store, here, "baseline", epochs=4)
    with worker(tmp_path, PYTHONPATH=sabotaged(tmp_path / "own", DETACHED), drain=True) as only:
        until(lambda: running_at(store, 1))
        os.killpg(only.pid, signal.SIGHUP)  # as the system does it when the terminal closes
        assert only.wait(timeout=120) == 0
    assert outcomes(store) == ["done"]


def test_a_worker_that_is_stopped_before_it_is_ready_ends_in_order(here, tmp_path):
    with worker(tmp_path, fresh=True) as only:
        until(lambda: signal.SIGTERM in caught(only.pid))
        only.terminate()
        assert only.wait(timeout=60) == 0
    assert "Traceback" not in (tmp_path / "worker.log").read_text()


def caught(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (mask,) = [line.split()[1] for line in lines if line.startswith("SigCgt")]
    return {number for number in signal.valid_signals() if int(mask, 16) >> (number - 1) & 1}


def test_a_child_that_hears_the_stop_while_it_loads_torch_claims_nothing(store, here, monkeypatch):
    submit_digits(store, here, "baseline", epochs=1)
    pipe = StopPipe()
    child = Child(settings=here, worker_id="w", device="cpu", pipe=pipe)
    monkeypatch.setattr(Child, "_prepare_torch", lambda self: pipe.stopping.set())
    child._work()
    child.store.close()
    assert job(store).state is JobState.QUEUED
    assert job(store).attempt == 0


def test_an_attempt_that_is_stopped_at_once_loads_no_data(store, here, monkeypatch):
    submit_digits(store, here, "baseline", epochs=1)
    monkeypatch.setattr("worker.datasets.load_splits", lambda *words, **names: 1 / 0)
    assert attempt_here(store, here, stopping=lambda: True) is JobState.QUEUED
    assert outcomes(store) == [Cause.PREEMPTED]


@pytest.mark.long
def test_two_runs_at_once_leave_no_broker_behind_and_want_no_port_for_metrics(here, tmp_path):
    stop_broker(here)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "BENCH_METRICS": str(taken.getsockname()[1])}
        words = [sys.executable, "-m", "cli", "run", "--variant", "baseline", "--dataset", "digits", "--slots", "1"]
        first = subprocess.Popen([*words, "--epochs", "1", "--out", "a"], cwd=tmp_path, env=environment)
        until(here.socket.exists)
        second = subprocess.Popen([*words, "--epochs", "12", "--out", "b"], cwd=tmp_path, env=environment)
        assert first.wait(timeout=180) == 0
        assert second.wait(timeout=180) == 0
    assert not here.socket.exists()
    assert not (here.folder / "broker" / "closed").exists()
