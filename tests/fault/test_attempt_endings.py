"""How an attempt ends when the store has taken its job away, or is away itself."""

from dataclasses import replace

import pytest

from db import open_store
from db.errors import StoreError
from db.records import JobState
from scheduler.planning import make_plan
from scheduler.queue import submit
from scheduler.settings import load_settings
from scheduler.suite import load_suite
from worker.attempt import Slot, run_attempt


@pytest.fixture
def here(bench_home, monkeypatch):
    # no heartbeat comes within a test: only the writes themselves can tell that the job is gone
    for name, value in {"LEASE_S": "600", "HEARTBEAT_S": "60"}.items():
        monkeypatch.setenv(f"BENCH_{name}", value)
    return load_settings()


@pytest.fixture
def store(here):
    opened = open_store(here.database, create=True)
    suite = load_suite()
    submit(opened, make_plan(suite, ["baseline"], [42], data_dir=here.data, dataset="digits", epochs=1))
    yield opened
    opened.close()


def test_an_attempt_that_lost_its_job_leaves_the_new_owners_checkpoints(store, here):
    claim = store.claim_next("slow", lease_s=0)
    theirs = here.folder / "artifacts" / "checkpoints" / claim.key / "theirs"

    def steal_after_the_last_epoch():
        if store.jobs()[0].epoch == 1 and not theirs.exists():
            assert store.claim_next("quick", lease_s=600).attempt == 2
            theirs.parent.mkdir(parents=True, exist_ok=True)
            theirs.write_text("")
        return False

    assert run_attempt(store, claim, Slot(device="cpu", settings=here, stopping=steal_after_the_last_epoch)) is None
    assert theirs.exists()
    (job,) = store.jobs()
    assert (job.state, job.owner) == (JobState.RUNNING, "quick")
    assert "done:" not in (here.logs / "job-1-attempt-1.log").read_text()


def test_a_store_that_is_away_when_an_attempt_starts_costs_no_job(store, here, monkeypatch):
    claim = store.claim_next("w", lease_s=600)
    real, tries = store.start_attempt, []

    def away_once(*words, **names):
        tries.append(words)
        if len(tries) == 1:
            raise StoreError("away")
        real(*words, **names)

    monkeypatch.setattr(store, "start_attempt", away_once)
    patient = replace(here, heartbeat_s=0.05)
    assert run_attempt(store, claim, Slot(device="cpu", settings=patient)) is JobState.DONE
    assert len(tries) == 2


def test_an_error_that_quotes_a_url_is_kept_without_its_password(store, here, monkeypatch):
    def load_splits(*_words, **_names):
        raise RuntimeError("cannot read s3://me:hunter2@bucket/images")

    monkeypatch.setattr("worker.datasets.load_splits", load_splits)
    claim = store.claim_next("w", lease_s=600)
    assert run_attempt(store, claim, Slot(device="cpu", settings=here)) is JobState.FAILED
    (attempt,) = store.attempts([1])[1]
    assert "s3://me:***@bucket/images" in attempt.message
    assert "Traceback" in attempt.traceback
    assert "hunter2" not in attempt.message + attempt.traceback + store.jobs()[0].message


def test_a_job_of_another_engine_revision_is_not_trained_under_its_old_key(store, here, monkeypatch):
    monkeypatch.setattr("scheduler.config.ENGINE_REVISION", 0)
    assert run_attempt(store, store.claim_next("w", lease_s=600), Slot(device="cpu", settings=here)) is JobState.FAILED
    assert store.jobs()[0].message == "it was submitted for another revision of the engine (submit it again)"
