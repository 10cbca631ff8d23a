"""What a store tries again after a failure, when, how often, and whether alone on its device."""

import threading
from contextlib import closing
from dataclasses import replace

import pytest
from records import EPOCH, predictions, result
from sqlalchemy import event
from stored import add, claim

from db import open_store
from db.policy import RETRIES
from db.records import Cause, JobState

pytestmark = pytest.mark.usefixtures("clock")


def test_a_job_that_kills_its_workers_is_given_up(store, clock):
    add(store, 1)
    for _ in range(3):
        assert claim(store) is not None
        clock.now += 61
    assert claim(store) is None
    (job,) = store.jobs()
    assert (job.state, job.cause, job.attempt) == (JobState.FAILED, Cause.WORKER_LOST, 3)


def test_progress_between_losses_keeps_a_job_alive(store, clock):
    add(store, 1)
    for start_epoch in range(1, 6):
        store.start_attempt(claim(store), reached=[replace(EPOCH, epoch=start_epoch)])
        clock.now += 61
    assert claim(store).attempt == 6


@pytest.mark.parametrize("cause", [Cause.CODE, Cause.DATA, Cause.DIVERGED, Cause.TIMEOUT])
def test_what_would_only_happen_again_is_not_tried_again(store, cause):
    add(store, 1)
    assert store.fail(claim(store), cause, "no", traceback="where") is JobState.FAILED
    assert claim(store) is None
    assert store.attempts([1])[1][0].traceback == "where"
    assert store.jobs()[0].cause is cause


def test_out_of_memory_is_tried_once_more_after_a_delay_and_then_given_up(store, clock):
    add(store, 1)
    assert store.fail(claim(store), Cause.OOM, "full") is JobState.QUEUED
    assert claim(store) is None
    clock.now += RETRIES[Cause.OOM].delay_s + 1
    assert store.fail(claim(store), Cause.OOM, "full") is JobState.FAILED
    assert store.retry([1]) == [1]
    assert store.fail(claim(store), Cause.OOM, "full") is JobState.QUEUED


def test_a_job_that_runs_out_of_memory_again_further_on_is_given_up_all_the_same(store, clock):
    add(store, 1)
    store.fail(claim(store), Cause.OOM, "full")
    clock.now += RETRIES[Cause.OOM].delay_s + 1
    further = claim(store)
    store.start_attempt(further, reached=[EPOCH])
    assert store.fail(further, Cause.OOM, "full") is JobState.FAILED


def test_a_job_that_must_be_alone_shares_its_device_with_nothing(store, clock):
    big, small, other = add(store, 1, 2, 3)
    store.fail(claim(store), Cause.OOM, "full")
    store.set_train_flops({big: 3.0, small: 2.0, other: 1.0})
    here = claim(store)
    clock.now += RETRIES[Cause.OOM].delay_s + 1
    assert here.job_id == small
    assert store.heartbeat(here, lease_s=60).owned
    beside = claim(store)
    assert beside.job_id == other
    assert claim(store) is None
    elsewhere = store.claim_next("w2", lease_s=60, place="other host")
    assert elsewhere.job_id == big
    store.fail(elsewhere, Cause.PREEMPTED, "stop")
    for done in (here, beside):
        store.finish(done, result(), predictions())
    assert claim(store).job_id == big
    add(store, 4)
    assert claim(store) is None
    assert store.claim_next("w2", lease_s=60, place="other host") is not None


@pytest.mark.parametrize("first", ["alone", "other"])
def test_two_claims_at_once_put_no_neighbour_beside_a_job_that_must_be_alone(store, store_url, clock, first):
    must_be_alone, other = add(store, 1, 2)
    store.fail(claim(store), Cause.OOM, "full")
    store.set_train_flops({must_be_alone: 2.0 if first == "alone" else 1.0, other: 1.5})
    clock.now += RETRIES[Cause.OOM].delay_s + 1
    claimed, commit, found = threading.Event(), threading.Event(), {}

    @event.listens_for(store._engine, "commit")
    def _wait(_connection):
        claimed.set()
        commit.wait(30)

    with closing(open_store(store_url, clock=clock.sql)) as second:
        slow = threading.Thread(target=lambda: found.update(slow=claim(store, "w1")))
        quick = threading.Thread(target=lambda: found.update(quick=claim(second, "w2")))
        slow.start()
        assert claimed.wait(30)
        quick.start()
        quick.join(0.5)  # it waits for the other's commit; one that did not would be through by now
        commit.set()
        slow.join()
        quick.join()
    assert (found["slow"].job_id, found["quick"]) == (must_be_alone if first == "alone" else other, None)
