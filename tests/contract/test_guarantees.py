"""What the store asks of its databases, and that it is so: one writer at a time, references, moments, durability."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from records import EPOCH, new_job, predictions, result, submission
from sqlalchemy import event, exc, insert

from db import open_store
from db.errors import NotFoundError
from db.records import JobState
from db.tables import attempts

CLAIMER = Path(__file__).parent.parent / "claimer.py"
NORMAL, FULL = 1, 2


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path / 'bench.db'}"


@pytest.fixture
def sqlite_store(sqlite_url):
    with closing(open_store(sqlite_url, create=True)) as store:
        yield store


def asked(store, question):
    with store._reading() as connection:
        return connection.exec_driver_sql(question).scalar()


def test_readers_never_wait_for_a_writer_on_sqlite(sqlite_store, sqlite_url):
    assert asked(sqlite_store, "PRAGMA journal_mode") == "wal"
    with closing(open_store(sqlite_url)) as other, other._writing():
        assert sqlite_store.counts()[JobState.QUEUED] == 0


def test_a_row_about_nothing_is_refused(store):
    orphan = {"job_id": 99, "number": 1, "owner": "w", "started_at": 0.0, "message": "", "traceback": "", "log": ""}
    with pytest.raises(exc.IntegrityError), store._writing() as connection:
        connection.execute(insert(attempts).values(start_epoch=0, start_step=0, **orphan))


def test_only_what_must_survive_a_power_cut_waits_for_the_disk(sqlite_store):
    seen = []

    @event.listens_for(sqlite_store._engine, "commit")
    def _note(connection):
        seen.append(connection.exec_driver_sql("PRAGMA synchronous").scalar())

    def by(act, *arguments, **named):
        seen.clear()
        answer = act(*arguments, **named)
        return seen[:], answer

    assert by(sqlite_store.submit, submission(), [new_job(1)])[0] == [FULL]
    levels, claim = by(sqlite_store.claim_next, "w", lease_s=60)
    assert levels == [NORMAL]
    assert by(sqlite_store.heartbeat, claim, lease_s=60)[0] == [NORMAL]
    assert by(sqlite_store.record_epoch, claim, EPOCH)[0] == [NORMAL]
    assert by(sqlite_store.finish, claim, result(), predictions())[0] == [FULL]


def test_many_processes_at_once_claim_each_job_once(store, store_url):
    number = 600  # enough work that a second process gets some of it, on a busy machine too
    store.submit(submission(), [new_job(seed) for seed in range(number)])
    command = [sys.executable, str(CLAIMER), store_url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    claimers = [subprocess.Popen([*command, f"w{nth}"], **pipes) for nth in range(4)]
    try:
        for claimer in claimers:
            assert claimer.stdout.readline() == "ready\n"
        for claimer in claimers:
            claimer.stdin.write("go\n")
            claimer.stdin.flush()
        told = [claimer.communicate(timeout=120) for claimer in claimers]
    finally:
        for claimer in claimers:
            claimer.kill()
    assert [(claimer.returncode, err) for claimer, (_, err) in zip(claimers, told, strict=True)] == [(0, "")] * 4
    claimed = [tuple(map(int, line.split())) for out, _ in told for line in out.splitlines()]
    assert sum(bool(out) for out, _ in told) > 1
    assert len({job for job, _, _ in claimed}) == len(claimed) == number
    assert {attempt for _, attempt, _ in claimed} == {1}
    assert len({attempt_id for _, _, attempt_id in claimed}) == number
    assert store.counts()[JobState.DONE] == number


def test_a_writer_that_takes_long_makes_others_wait_not_fail(sqlite_store, tmp_path):
    sqlite_store.submit(submission(), [new_job(1)])
    locked, hold_s = threading.Event(), 5.0

    def hold():
        with closing(sqlite3.connect(tmp_path / "bench.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            locked.set()
            time.sleep(hold_s)
            other.execute("ROLLBACK")

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(10)
    began = time.monotonic()
    assert sqlite_store.claim_next("w", lease_s=60) is not None
    waited = time.monotonic() - began
    holder.join()
    assert waited > hold_s - 1


def test_all_that_is_read_in_one_moment_is_of_one_moment(store, store_url):
    store.submit(submission(), [new_job(1)])
    with closing(open_store(store_url)) as other:
        with store.one_moment():
            before = store.jobs()
            other.submit(submission(), [new_job(2)])
            other.finish(other.claim_next("w", lease_s=60), result(), predictions())
            assert store.jobs() == before
            assert store.results([1]) == {}
            assert len(store.submissions()) == 1
        assert [job.state for job in store.jobs()] == [JobState.DONE, JobState.QUEUED]
        assert set(store.results([1])) == {1}


def test_a_moment_ends_with_its_block_even_after_an_error(store, store_url):
    with pytest.raises(NotFoundError), store.one_moment():
        store.submission(99)
    with closing(open_store(store_url)) as other:
        other.submit(submission(), [new_job(1)])
    assert len(store.jobs()) == 1


def test_reading_on_postgres_is_repeatable_and_writes_nothing(postgres_url):
    with closing(open_store(postgres_url, create=True)) as store:
        assert asked(store, "SHOW transaction_isolation") == "repeatable read"
        assert asked(store, "SHOW transaction_read_only") == "on"
        with store._writing() as connection:
            assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"


def test_the_files_of_a_store_are_for_their_owner_only(tmp_path):
    home = tmp_path / "new" / "home"
    umask = os.umask(0)
    try:
        with closing(open_store(f"sqlite:///{home / 'bench.db'}", create=True)) as store:
            store.submit(submission(), [new_job(1)])
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    finally:
        os.umask(umask)
    assert modes == {"bench.db": 0o600, "bench.db-wal": 0o600, "bench.db-shm": 0o600}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
