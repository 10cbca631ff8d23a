"""The soak of `make soak`, for a minute in CI and for long by hand."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from promises import left_files
from real_worker import ROOT, submit_digits
from soak import FAULTS, Soak

from db.records import JobState


def soak(seconds, seed, store):
    words = [sys.executable, str(ROOT / "tests" / "soak.py"), "--seconds", str(seconds), "--seed", str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*words, "--store", store], env=environment, capture_output=True, text=True, check=False, timeout=1500
    )
    assert done.stdout, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.timeout(900)
def test_random_faults_for_a_minute_break_no_promise():
    figures = soak(60, 20261124, "sqlite")
    assert figures["broken_promises"] == []
    assert figures["faults_total"] >= 10
    assert figures["jobs"] >= 4
    assert figures["jobs_by_state"]["done"] >= 1  # else no number was compared with those of an undisturbed training


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_random_faults_for_long_break_no_promise(store):
    figures = soak(300, 7, store)
    assert figures["broken_promises"] == []
    assert figures["faults_total"] >= 60


@contextmanager
def a_soak(folder, script):
    """One that has begun, with this program for its only worker and nothing to do."""
    run = Soak(folder, 1, None)
    with subprocess.Popen([sys.executable, "-c", script], start_new_session=True) as only:
        run.workers.append(only)
        try:
            yield run
        finally:
            only.kill()
            run.store.close()


WORKERS = ["worker killed", "parent killed", "child killed", "worker frozen", "worker stopped", "worker stopped twice"]
JOBS = ["queue flushed", "messages doubled", "job cancelled", "jobs retried"]


@pytest.mark.parametrize("fault", WORKERS + JOBS)
def test_a_fault_that_finds_nothing_to_strike_does_not_count(here, tmp_path, fault):
    with a_soak(tmp_path, "") as run:
        run.workers[0].wait()
        assert FAULTS[fault](run) is False


@pytest.mark.parametrize("fault", ["worker frozen", "worker stopped", "broker killed", *JOBS[1:3]])
def test_a_fault_that_strikes_counts(here, tmp_path, fault):
    with a_soak(tmp_path, "import time; time.sleep(600)") as run:
        submit_digits(run.store, here, "baseline")
        assert FAULTS[fault](run) is True


def test_checkpoints_of_jobs_that_are_done_are_left_behind_whatever_became_of_the_others(here, tmp_path):
    checkpoints = here.folder / "artifacts" / "checkpoints"
    for key in ("done", "failed"):
        (checkpoints / key).mkdir(parents=True)
    jobs = [SimpleNamespace(key=str(state), state=state) for state in (JobState.DONE, JobState.FAILED)]
    with a_soak(tmp_path, "") as run:
        assert left_files(run, jobs) == [checkpoints / "done"]
