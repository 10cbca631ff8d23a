"""What the store says of itself to logs and metrics, on SQLite and on Postgres."""

import zlib
from dataclasses import replace

import pytest
from records import EPOCH, new_job, predictions, result, submission

from db.records import Cause, EpochTimes, Weights

pytestmark = pytest.mark.usefixtures("clock")


def add(store, *seeds, **fields):
    _, jobs = store.submit(submission(), [new_job(seed, **fields) for seed in seeds])
    return [job.job_id for job in jobs]


def claim(store, owner="host:1:a/2"):
    return store.claim_next(owner, lease_s=60)


def test_a_claim_names_the_newest_submission_that_asked_for_the_job(store):
    add(store, 1)
    add(store, 1)
    add(store, 2)
    assert [claim(store).submission_id for _ in range(2)] == [2, 3]
    assert [held.claim.submission_id for held in store.held("host:1:a")] == [2, 3]


def test_the_oldest_job_that_could_be_claimed_gives_the_age_of_the_queue(store, clock):
    assert store.oldest_queued_s() == 0
    add(store, 1)
    clock.now += 100
    add(store, 2)
    assert store.oldest_queued_s() == pytest.approx(100)
    first = claim(store)
    assert store.oldest_queued_s() == pytest.approx(0)
    clock.now += 7
    assert store.oldest_queued_s() == pytest.approx(7)
    store.fail(first, Cause.PREEMPTED, "")
    assert store.oldest_queued_s() == pytest.approx(7)


def test_a_job_whose_time_has_not_come_does_not_wait(store):
    add(store, 1)
    store.fail(claim(store), Cause.OOM, "")
    assert store.counts()["queued"] == 1
    assert store.oldest_queued_s() == 0


def test_ended_attempts_are_counted_by_how_they_ended(store):
    add(store, 1, 2, 3)
    store.finish(claim(store), result(), predictions())
    store.fail(claim(store), Cause.DIVERGED, "")
    claim(store)
    ended = store.outcomes()
    assert {name: number for name, number in ended.items() if number} == {"done": 1, "diverged": 1}
    assert set(ended) == {"done", *map(str, Cause)}


def test_only_a_lease_that_ran_out_is_counted_as_one(store, clock):
    add(store, 1, 2)
    store.fail(claim(store), Cause.WORKER_LOST, "its process is gone", actor="host:1:a")
    claim(store)
    assert store.lease_expiries() == 0
    clock.now += 61
    store.reconcile()
    store.reconcile()
    assert (store.lease_expiries(), store.outcomes()["worker_lost"]) == (1, 2)


def test_epochs_are_summed_by_network_and_kind_of_device(store):
    store.register_worker("host:1:a", host="host", pid=1, slots=2, device="cpu")
    store.register_worker("host:3:b", host="host", pid=3, slots=1, device="cuda")
    add(store, 1, 2, 3, model="small_cnn")
    for owner in ("host:1:a/2", "host:1:a/7", "host:3:b/4"):
        held = claim(store, owner)
        store.record_epoch(held, EPOCH)
        store.record_epoch(held, replace(EPOCH, epoch=2, train_s=4.5))
    add(store, 4, model="resnet")
    store.record_epoch(claim(store, "nobody/1"), EPOCH)
    assert store.epoch_times() == [
        EpochTimes(network="resnet", device="unknown", epochs=1, total_s=2.0),
        EpochTimes(network="small_cnn", device="cpu", epochs=4, total_s=14.0),
        EpochTimes(network="small_cnn", device="cuda", epochs=2, total_s=7.0),
    ]


def test_the_bytes_of_predictions_are_told_by_data_set_of_the_newest_results(store):
    assert store.prediction_bytes() == {}
    add(store, 1, 2)
    add(store, 3, dataset="cifar10")
    for _ in range(3):
        store.finish(claim(store), result(), predictions())
    found = store.prediction_bytes()
    assert {name: number for name, (number, *_) in found.items()} == {"cifar100-20": 2, "cifar10": 1}
    seen = predictions()[Weights.BEST]
    parts = (seen.labels.astype("<i4"), seen.probabilities.astype("<f4"))
    both = 2 * sum(len(zlib.compress(part.tobytes())) for part in parts)
    assert found["cifar10"][1:] == (both, both)
    assert sum(number for number, *_ in store.prediction_bytes(newest=1).values()) == 1
