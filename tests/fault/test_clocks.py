"""Workers whose clocks are wrong, from the start or in the middle: the database's clock alone says what is over."""

import os
import subprocess
import sys
import time

import pytest
from real_worker import job, numbers, outcomes, running_at, sabotaged, submit_digits, submit_endless, until, worker

from db import open_store
from db.records import Cause, JobState
from scheduler.settings import load_settings

# Python's clock, and with it that of Celery and kombu, goes wrong by the seconds in a file
SHIM = """
import pathlib, time
_right, _file = time.time, pathlib.Path({file!r})
time.time = lambda: _right() + float(_file.read_text())
"""


@pytest.fixture
def store(here, monkeypatch, postgres_url):
    monkeypatch.setenv("BENCH_DATABASE_URL", postgres_url)
    opened = open_store(load_settings().database, create=True)
    yield opened
    opened.close()


@pytest.fixture
def clock(tmp_path):
    """By how many seconds the clock of those is wrong who run with `path`."""
    return Clock(tmp_path)


class Clock:
    def __init__(self, folder):
        self._file = folder / "wrong_by"
        self.path = sabotaged(folder / "shim", SHIM.format(file=str(self._file)))

    def set_hours(self, hours):
        """Seen to be so in a process with that path."""
        aside = self._file.with_suffix(".new")
        aside.write_text(str(hours * 3600))
        aside.replace(self._file)
        words = [sys.executable, "-c", "import time; print(time.time())"]
        environment = {**os.environ, "PYTHONPATH": self.path}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        assert float(done.stdout) - time.time() == pytest.approx(hours * 3600, abs=60)


@pytest.mark.parametrize(
    ("from_the_start", "then"),
    [
        pytest.param(-1, (), id="behind", marks=pytest.mark.long),
        pytest.param(1, (), id="ahead", marks=pytest.mark.long),
        pytest.param(0, (1, -1), id="stepped in mid-training", marks=pytest.mark.long),
    ],
)
def test_a_worker_whose_clock_is_wrong_loses_no_job_and_takes_no_other(
    store, here, tmp_path, clock, undisturbed, from_the_start, then
):
    """Each has a job of its own: of two that trust their own clocks, one takes the other's for a lost one."""
    theirs, ours = submit_endless(store, here, tmp_path, seeds=[1, 2])
    clock.set_hours(from_the_start)
    with worker(tmp_path, PYTHONPATH=clock.path) as wrong:
        until(lambda: running_at(store, 1, theirs))
        assert f":{wrong.pid}:" in job(store, theirs).owner
        with worker(tmp_path) as right:
            until(lambda: running_at(store, 1, ours))
            assert f":{right.pid}:" in job(store, ours).owner
            owners = [job(store, one).owner for one in (theirs, ours)]
            for hours in then or (from_the_start,):
                clock.set_hours(hours)
                until_both_look_around(store)
            assert [job(store, one).owner for one in (theirs, ours)] == owners
            store.cancel([theirs])
            (after,) = submit_digits(store, here, "baseline", epochs=2)
            until(lambda: job(store, after).state is JobState.DONE)
            assert job(store, after).owner == owners[0]
            assert (wrong.poll(), right.poll()) == (None, None)
    assert [outcomes(store, one) for one in (theirs, ours, after)] == [[Cause.CANCELLED], [None], ["done"]]
    assert numbers(store, after) == undisturbed("baseline", epochs=2)


def until_both_look_around(store):
    def seen():
        return {one.id: one.seen_at for one in store.workers(seen_within_s=60)}

    for _ in range(2):  # the first may have begun before
        before = seen()
        assert len(before) == 2
        until(lambda before=before: all(seen()[one] > at for one, at in before.items()))
