"""A glance at the store, without SQLAlchemy, sees what the store itself says, on SQLite and on Postgres."""

import sqlite3
from contextlib import closing

import pytest
from filled_store import fill
from records import EPOCH, new_job, submission

from db import open_store
from db.errors import NoStoreError, NotFoundError, StoreError
from db.glance import at_a_glance
from db.records import JobState

READINGS = {
    "jobs": lambda store: store.jobs(),
    "jobs by id": lambda store: store.jobs([2, 3, 99]),
    "newest jobs": lambda store: store.newest_jobs([JobState.QUEUED, JobState.FAILED], 3),
    "counts": lambda store: store.counts(),
    "submissions": lambda store: store.submissions(),
    "newest submission": lambda store: store.submissions(newest=1),
    "number of submissions": lambda store: store.submission_count(),
    "submission": lambda store: store.submission(1),
    "submitted jobs": lambda store: store.submitted_jobs(1),
    "workers": lambda store: store.workers(seen_within_s=60),
    "measured": lambda store: store.measured(),
    "unpublished": lambda store: (store.unpublished(), store.unpublished(limit=2)),
    "claimable": lambda store: (store.claimable(5), store.claimable(9, anywhere=True)),
}


@pytest.fixture
def filled(store):
    """Jobs in every state, of two submissions, two workers, and histories of jobs that are done and one that runs."""
    fill(store, seeds=(42, 43), only=("baseline", "batchnorm", "resnet"), failed=("resnet",))
    store.submit(submission(overrides={"epochs": 3}), [new_job(seed) for seed in range(6)])
    for number in (1, 2):
        store.register_worker(f"w{number}", host="here", pid=number, slots=2, device="cuda")
    store.worker_seen("w2", stopped=True)
    running = store.claim_next("w1/7", lease_s=60)
    store.record_epoch(running, EPOCH)
    store.mark_published(store.unpublished(limit=1))
    store.cancel(store.claimable(3)[1:2])
    assert all(store.counts().values())
    return store


@pytest.mark.parametrize("name", READINGS)
def test_a_glance_reads_what_the_store_says(filled, store_url, name):
    read = READINGS[name]
    assert at_a_glance(store_url, read) == read(filled)


def test_a_glance_is_of_one_moment(filled, store_url):
    def look(store):
        before = store.jobs()
        filled.submit(submission(), [new_job(77)])
        return before, store.jobs(), store.counts()

    before, after, counts = at_a_glance(store_url, look)
    assert before == after
    assert sum(counts.values()) == len(before) == len(filled.jobs()) - 1


def test_a_glance_sees_that_a_lease_is_over_and_takes_nothing_back(store, store_url):
    store.submit(submission(), [new_job(1)])
    store.claim_next("dead/1", lease_s=3600)
    assert at_a_glance(store_url, lambda seen: (seen.expired(),)) == (False,)
    other = store.submit(submission(), [new_job(2)])[1][0].job_id
    store.claim_next("dead/2", lease_s=-1)
    assert at_a_glance(store_url, lambda seen: (seen.expired(),)) == (True,)
    assert [job.state for job in store.jobs([other])] == [JobState.RUNNING]


def test_a_submission_that_is_unknown_is_the_same_error(filled, store_url):
    with pytest.raises(NotFoundError) as own:
        filled.submission(9)
    with pytest.raises(NotFoundError) as seen:
        at_a_glance(store_url, lambda store: store.submission(9))
    assert (str(seen.value), seen.value.fix) == (str(own.value), own.value.fix)


def test_a_store_of_another_schema_is_left_to_open_store(store, store_url):
    with store._writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    assert at_a_glance(store_url, lambda seen: seen.jobs()) is None
    with pytest.raises(StoreError, match="has schema 0001, this bench needs"):
        open_store(store_url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://bench:secret@127.0.0.1:1/bench",
        "postgresql+psycopg://bench:p@ss@localhost/bench",
        "postgresql://bench:1/2@localhost/bench",
        "sqlite:///{}/bench.db?timeout=3",
        "sqlite://",
        "mysql://there/bench",
        "no url",
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_open_store(tmp_path, url):
    assert at_a_glance(url.format(tmp_path), lambda seen: seen.jobs()) is None


@pytest.mark.parametrize("kind", ["another program's", "no database"])
def test_a_file_that_is_no_store_is_left_to_open_store_and_as_it_was(tmp_path, kind):
    path = tmp_path / "bench.db"
    if kind == "no database":
        path.write_bytes(b"a letter" * 1000)
    else:
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE notes (text)")
    before = path.read_bytes()
    assert at_a_glance(f"sqlite:///{path}", lambda seen: seen.jobs()) is None
    assert (path.read_bytes(), [one.name for one in tmp_path.iterdir()]) == (before, ["bench.db"])


def test_where_no_store_is_none_is_made(tmp_path):
    with pytest.raises(NoStoreError):
        at_a_glance(f"sqlite:///{tmp_path}/gone/bench.db", lambda seen: seen.jobs())
    assert not list(tmp_path.iterdir())
