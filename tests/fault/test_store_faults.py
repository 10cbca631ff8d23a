"""Databases that crash, fill up or lock: training goes on, and one result comes out."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import psutil
import pytest
from crashable import crashable_postgres
from real_worker import (
    POSTGRES_IN_THE_LONG_RUN,
    ROOT,
    job,
    locked,
    numbers,
    outcomes,
    pid_of,
    running_at,
    sabotaged,
    submit_digits,
    submit_endless,
    until,
    worker,
    writes_held,
)

from db import open_store
from db.errors import StoreError
from db.records import Cause, JobState
from scheduler.settings import load_settings

BOTH_STORES = pytest.mark.parametrize("here", ["sqlite", "postgres"], indirect=True)
EPOCHS = 4
HASTY = "import db._database; db._database.BUSY_S = 0.2"  # a worker that waits so long for a lock, and not 30 s


# the driver complains about the connection that the crash took from it
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("away_s", [2.0, 9.0], ids=["shorter than the lease", "longer than the lease"])
@pytest.mark.long
def test_a_postgres_that_crashes_costs_no_training_and_no_history(here, monkeypatch, tmp_path, undisturbed, away_s):
    """Of two slots one is free when Postgres is back: it must not take the other one's job, whose lease is over too."""
    with crashable_postgres() as postgres:
        monkeypatch.setenv("BENCH_DATABASE_URL", postgres.url)
        settings = load_settings()
        store = open_store(settings.database, create=True)
        submit_digits(store, settings, "both", epochs=2 * EPOCHS, priority=2)
        submit_digits(store, settings, "both", epochs=EPOCHS, priority=1)
        waiting = submit_digits(store, settings, "baseline", epochs=1, seeds=[42, 43])
        with worker(tmp_path, slots=2, drain=True) as only:
            until(lambda: running_at(store, 2) and running_at(store, 2, job_id=2))
            postgres.crash()
            with pytest.raises(StoreError):
                store.jobs()
            time.sleep(away_s)
            postgres.start()
            assert only.wait(timeout=180) == 0
        assert [outcomes(store, one) for one in (1, 2, *waiting)] == [["done"]] * 4
        assert numbers(store, 2) == undisturbed("both", epochs=EPOCHS)
        assert len(store.histories([1])[1]) == 2 * EPOCHS
        store.close()


@POSTGRES_IN_THE_LONG_RUN
def test_a_worker_that_dies_while_it_writes_its_result_leaves_one_result(store, here, tmp_path, undisturbed):
    submit_digits(store, here, "both", epochs=EPOCHS)
    with worker(tmp_path) as first:
        until(lambda: running_at(store, EPOCHS - 1))
        with results_held(here) as half_written:
            until(half_written)
            os.killpg(first.pid, signal.SIGKILL)
            first.wait()
    with worker(tmp_path, drain=True) as second:
        assert second.wait(timeout=120) == 0
    assert outcomes(store) == [Cause.WORKER_LOST, "done"]
    assert numbers(store) == undisturbed("both", epochs=EPOCHS)


@contextmanager
def results_held(here):
    """Whoever writes a result stays in the middle of it, before its predictions; gives what tells that one does."""
    if here.database.startswith("sqlite"):
        with closing(sqlite3.connect(here.folder / "bench.db", timeout=30, isolation_level=None)) as connection:
            endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
            connection.execute(f"CREATE VIEW endless AS {endless}")
            connection.execute(
                "CREATE TRIGGER hold BEFORE INSERT ON predictions BEGIN SELECT count(*) FROM endless; END"
            )
            yield lambda: locked(here.folder / "bench.db", for_s=2)
            connection.execute("DROP TRIGGER hold")
            connection.execute("DROP VIEW endless")
    else:
        import psycopg

        with psycopg.connect(here.database.replace("+psycopg", "")) as connection:
            connection.execute("LOCK TABLE predictions IN EXCLUSIVE MODE")
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'predictions'::regclass"
            yield lambda: connection.execute(waiting).fetchone() == (1,)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 96 MiB of its own; only root can make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_costs_no_training_and_no_history(here, monkeypatch, small_disk, tmp_path, undisturbed):
    monkeypatch.setenv("BENCH_DATABASE_URL", f"sqlite:///{small_disk / 'bench.db'}")
    monkeypatch.setenv("BENCH_ARTIFACTS_URL", f"file://{small_disk / 'artifacts'}")
    settings = load_settings()
    store = open_store(settings.database, create=True)
    submit_digits(store, settings, "both", epochs=EPOCHS)
    with worker(tmp_path, drain=True) as only:
        until(lambda: running_at(store, 2))
        ballast, log = small_disk / "ballast", here.logs / "job-1-attempt-1.log"
        for words in ("no checkpoint was written", "wait for the store"):
            until(lambda words=words: fill(ballast) or words in log.read_text())
        ballast.unlink()
        assert only.wait(timeout=180) == 0
    assert outcomes(store) == ["done"]
    assert numbers(store) == undisturbed("both", epochs=EPOCHS)
    store.close()


def fill(path):
    """All that is left, and what was freed since the last call."""
    with path.open("ab", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


@BOTH_STORES
def test_a_worker_on_an_older_schema_refuses_and_changes_nothing(store, here, tmp_path):
    submit_digits(store, here, "baseline", epochs=1)
    with store._writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    store.close()
    with worker(tmp_path, drain=True) as refused:
        assert refused.wait(timeout=60) == 3
    assert "run `bench db upgrade`" in (tmp_path / "worker.log").read_text()
    with store._writing() as connection:
        assert connection.exec_driver_sql("SELECT state, attempt FROM jobs").all() == [("queued", 0)]


@BOTH_STORES
def test_four_submits_of_the_same_jobs_at_once_add_each_once(store, here):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from real_worker import *; from db import open_store; "
        "from scheduler.settings import load_settings; here = load_settings(); "
        "seeds = range(42, 542) if sys.argv[2] == '0' else range(541, 41, -1); "
        "print(len(set(submit_digits(open_store(here.database), here, 'baseline', 'both', 'dropout', 'batchnorm', "
        "seeds=seeds))))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    four = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(ROOT / "tests"), str(number % 2)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    assert [one.communicate(timeout=120)[0].strip() for one in four] == ["2000"] * 4
    assert len(store.jobs()) == len({one.key for one in store.jobs()}) == 2000


def test_a_cancelled_lease_is_heard_through_a_store_that_was_locked(store, here, tmp_path):
    submit_endless(store, here, tmp_path)
    log = here.logs / "job-1-attempt-1.log"
    with worker(tmp_path, PYTHONPATH=sabotaged(tmp_path / "hasty", HASTY), BENCH_LEASE_S="60"):
        until(lambda: running_at(store, 1))
        pid = pid_of(store)
        with writes_held(here):
            until(lambda: log.read_text().count("no heartbeat after") >= 2, seconds=30)
        assert store.cancel([1]) == ([], [1])
        until(lambda: job(store).state is JobState.CANCELLED)
        assert psutil.pid_exists(pid)
    assert outcomes(store) == [Cause.CANCELLED]
