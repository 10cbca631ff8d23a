"""Workers that die, freeze or are asked to stop: the job goes on from its checkpoint, and gives the same numbers."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest
from real_worker import (
    POSTGRES_IN_THE_LONG_RUN,
    ROOT,
    children,
    first_attempts_rows,
    job,
    locked,
    numbers,
    outcomes,
    pid_of,
    running_at,
    saved_at,
    stop,
    submit_digits,
    until,
    weights,
    worker,
)

from db.records import Cause, JobState

EPOCHS = 4


@pytest.fixture
def store(store, here):
    submit_digits(store, here, "both", epochs=EPOCHS)
    return store


def finish_with_another(store, tmp_path, **variables):
    with worker(tmp_path, drain=True, **variables) as second:
        assert second.wait(timeout=120) == 0


def freeze(pids, here):
    """Stop the processes, but not in the middle of a write: a frozen writer would hold SQLite's lock for good."""
    while True:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        if not here.database.startswith("sqlite") or not locked(here.folder / "bench.db"):
            return
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)


@POSTGRES_IN_THE_LONG_RUN
def test_a_killed_worker_costs_no_epoch_and_changes_no_number_and_no_weight(
    store, here, tmp_path, undisturbed, undisturbed_weights
):
    with worker(tmp_path, BENCH_CHECKPOINT_S="0") as first:  # each step saves one
        until(lambda: saved_at(here) > (2, 0))
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        assert not psutil.pid_exists(first.pid)
    saved = saved_at(here)
    assert (2, 0) < saved < (EPOCHS, 0)  # killed while it trained
    assert job(store).state is JobState.RUNNING
    finish_with_another(store, tmp_path, BENCH_KEEP_CHECKPOINTS="true")
    lost, *_, done = store.attempts([1])[1]
    assert (lost.outcome, done.outcome) == (Cause.WORKER_LOST, "done")
    assert (done.start_epoch, done.start_step) == saved
    assert numbers(store) == undisturbed("both", epochs=EPOCHS)
    found, expected = weights(store), undisturbed_weights("both", epochs=EPOCHS)
    assert {name.partition(".")[0] for name in expected} == {"model", "best"}
    assert found.keys() == expected.keys()
    assert [name for name, value in found.items() if value != expected[name]] == []


@POSTGRES_IN_THE_LONG_RUN
def test_sigterm_saves_a_checkpoint_and_gives_the_job_back(store, here, tmp_path, undisturbed):
    with worker(tmp_path, BENCH_CHECKPOINT_S="600") as first:  # so that only the stop saves one
        until(lambda: running_at(store, 2))
        assert saved_at(here) == (0, 0)
        assert stop(first) == 0
    saved = saved_at(here)
    assert (2, 0) <= saved < (EPOCHS, 0)
    assert (job(store).state, job(store).cause) == (JobState.QUEUED, Cause.PREEMPTED)
    finish_with_another(store, tmp_path)
    stopped, done = store.attempts([1])[1]
    assert (stopped.outcome, done.outcome) == (Cause.PREEMPTED, "done")
    assert (done.start_epoch, done.start_step) == saved
    assert numbers(store) == undisturbed("both", epochs=EPOCHS)


@pytest.mark.long
def test_sigterm_to_the_whole_process_group_is_as_orderly(store, tmp_path, undisturbed):
    with worker(tmp_path, BENCH_LEASE_S="600", BENCH_CHECKPOINT_S="600") as first:
        until(lambda: running_at(store, 2))
        os.killpg(first.pid, signal.SIGTERM)
        first.wait(timeout=30)
    assert (job(store).state, job(store).cause) == (JobState.QUEUED, Cause.PREEMPTED)
    finish_with_another(store, tmp_path)
    assert store.attempts([1])[1][1].start_epoch >= 2
    assert numbers(store) == undisturbed("both", epochs=EPOCHS)


@POSTGRES_IN_THE_LONG_RUN
def test_a_second_ctrl_c_ends_at_once_and_still_nothing_is_lost(store, here, tmp_path, undisturbed):
    with worker(tmp_path) as first:
        until(lambda: running_at(store, 2))
        pool = children(first)
        freeze([pid_of(store)], here)  # a child that does not stop when it is asked to
        first.send_signal(signal.SIGINT)
        time.sleep(1)
        assert first.poll() is None
        assert stop(first, with_signal=signal.SIGINT, seconds=15) == 128 + signal.SIGINT
        assert pool
        assert psutil.wait_procs(pool, timeout=5)[1] == []
    finish_with_another(store, tmp_path)
    assert outcomes(store)[-1] == "done"
    assert numbers(store) == undisturbed("both", epochs=EPOCHS)


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGQUIT, marks=pytest.mark.long), signal.SIGHUP], ids=lambda number: number.name
)
def test_other_signals_stop_a_worker_as_orderly(store, tmp_path, number):
    with worker(tmp_path, BENCH_LEASE_S="600", BENCH_CHECKPOINT_S="600") as only:
        until(lambda: running_at(store, 1))
        assert stop(only, with_signal=number) == 0
    assert (job(store).state, job(store).cause) == (JobState.QUEUED, Cause.PREEMPTED)
    assert list((tmp_path / "home" / "artifacts").rglob("*.safetensors"))


@pytest.mark.long
def test_a_child_that_hangs_keeps_a_worker_from_stopping_for_half_a_minute_and_no_longer(store, tmp_path):
    with worker(tmp_path, BENCH_LEASE_S="600") as only:
        until(lambda: running_at(store, 1))
        pid = pid_of(store)
        os.kill(pid, signal.SIGSTOP)
        assert stop(only, seconds=30) == 1
    assert not psutil.pid_exists(pid)
    assert outcomes(store) == [Cause.WORKER_LOST]
    assert job(store).state is JobState.QUEUED


@pytest.mark.long
def test_a_second_ctrl_c_of_a_run_ends_it_at_once_and_still_nothing_is_lost(store, here, tmp_path, undisturbed):
    with a_run(tmp_path) as running:
        until(lambda: running_at(store, 2))
        pid = pid_of(store)
        freeze([pid], here)  # a child that does not stop when it is asked to
        running.send_signal(signal.SIGINT)
        until(lambda: "Ctrl-C again" in (tmp_path / "run.log").read_text())
        time.sleep(1)
        assert running.poll() is None
        assert stop(running, with_signal=signal.SIGINT, seconds=15) == 130
        assert "Stopping at once" in (tmp_path / "run.log").read_text()
        until(lambda: not psutil.pid_exists(pid), seconds=5)
    assert job(store).state is JobState.RUNNING  # only its lease brings it back
    finish_with_another(store, tmp_path)
    assert outcomes(store) == [Cause.WORKER_LOST, "done"]
    assert numbers(store) == undisturbed("both", epochs=EPOCHS)


@contextmanager
def a_run(cwd):
    """`bench run` of the same job; what it says goes into `cwd/run.log`."""
    words = [sys.executable, "-m", "cli", "run", "--variant", "both", "--dataset", "digits", "--epochs", str(EPOCHS)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (cwd / "run.log").open("ab") as log:
        started = subprocess.Popen([*words, "--slots", "1"], cwd=cwd, env=environment, stdout=log, stderr=log)
    try:
        yield started
    finally:
        started.kill()
        started.wait()  # a worker that is still there ends with it


@pytest.mark.long  # children are killed in the soak of each run, too
@pytest.mark.parametrize("here", ["sqlite", "postgres"], indirect=True)
def test_a_killed_child_gives_its_job_back_long_before_its_lease_is_over(store, tmp_path, undisturbed):
    with worker(tmp_path, drain=True, BENCH_LEASE_S="600") as only:
        until(lambda: running_at(store, 2))
        pid = pid_of(store)
        os.kill(pid, signal.SIGKILL)
        assert only.wait(timeout=120) == 0
    assert not psutil.pid_exists(pid)
    assert outcomes(store) == [Cause.WORKER_LOST, "done"]
    assert "is gone" in store.attempts([1])[1][0].message
    assert numbers(store) == undisturbed("both", epochs=EPOCHS)


def test_a_child_that_is_killed_before_its_worker_is_ready_is_replaced(here, tmp_path):
    with worker(tmp_path, slots=2) as only:
        first = until(lambda: children(only))[0]  # the pool's other one is still to come
        first.kill()
        until(lambda: len({one.pid for one in children(only)} - {first.pid}) == 2)
        assert only.poll() is None
        assert stop(only) == 0


@POSTGRES_IN_THE_LONG_RUN
@pytest.mark.long  # parents are killed in the soak of each run, too
def test_children_of_a_killed_parent_save_a_checkpoint_and_give_their_jobs_back(store, tmp_path, undisturbed):
    with worker(tmp_path, slots=2, BENCH_LEASE_S="600", BENCH_CHECKPOINT_S="600") as first:
        until(lambda: running_at(store, 2))
        orphans = children(first)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        assert psutil.wait_procs(orphans, timeout=30)[1] == []
    assert (job(store).state, job(store).cause) == (JobState.QUEUED, Cause.PREEMPTED)
    finish_with_another(store, tmp_path)
    assert outcomes(store) == [Cause.PREEMPTED, "done"]
    assert store.attempts([1])[1][1].start_epoch >= 2
    assert numbers(store) == undisturbed("both", epochs=EPOCHS)


def test_a_child_that_was_told_to_stop_while_its_parent_was_still_there_ends_when_it_is_gone(here):
    # what happens by chance when a parent is killed: its pipe is closed a moment before its children lose it
    script = """if True:
        import os, signal, time
        from scheduler.settings import load_settings
        from worker.child import Child
        from worker.stopping import StopPipe

        pipe = StopPipe()
        child = Child(settings=load_settings(), worker_id="w", device="cpu", pipe=pipe)
        pid = os.fork()
        if pid == 0:
            child.start()
            time.sleep(600)
        pipe.tell()
        time.sleep(1)
        print(pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True) as parent:
        orphan = psutil.Process(int(parent.stdout.readline()))
    assert psutil.wait_procs([orphan], timeout=10)[1] == []


@POSTGRES_IN_THE_LONG_RUN
def test_a_frozen_worker_that_wakes_up_beside_another_writes_nothing_more(store, here, tmp_path, undisturbed):
    with worker(tmp_path) as frozen:
        until(lambda: running_at(store, 2))
        stopped = [frozen.pid, *(child.pid for child in children(frozen))]
        freeze(stopped, here)
        written = first_attempts_rows(store)
        with worker(tmp_path, drain=True) as second:
            until(lambda: job(store).attempt == 2)
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            log = next((tmp_path / "home" / "logs").glob("job-1-attempt-1.log"))
            until(lambda: re.search("no longer ours|another attempt was opened", log.read_text()))
            assert second.wait(timeout=120) == 0
    assert first_attempts_rows(store) == written
    assert outcomes(store) == [Cause.WORKER_LOST, "done"]
    assert numbers(store) == undisturbed("both", epochs=EPOCHS)
    assert list((tmp_path / "home" / "artifacts").rglob("*.*")) == []


@POSTGRES_IN_THE_LONG_RUN
def test_a_cancelled_job_stops_and_its_slot_takes_the_next_one(store, here, tmp_path):
    (after,) = submit_digits(store, here, "baseline", epochs=1, priority=-1)
    with worker(tmp_path):
        until(lambda: running_at(store, 1))
        assert store.cancel([1]) == ([], [1])
        asked_at = time.monotonic()
        until(lambda: job(store).state is JobState.CANCELLED)
        until(lambda: job(store, after).state is not JobState.QUEUED)
        assert time.monotonic() - asked_at < 10
    assert job(store).cause is Cause.CANCELLED
    assert job(store).epoch < EPOCHS
