"""Which jobs may share a card, on SQLite and on Postgres: those whose expected memory has room there."""

import threading
from contextlib import closing
from dataclasses import replace

import pytest
from records import new_job, predictions, result, submission
from sqlalchemy import event

from db import open_store
from db.policy import RETRIES
from db.records import Cause, JobState
from worker.admission import expect_memory

pytestmark = pytest.mark.usefixtures("clock")

ROOM = 10_000.0
CARD = "host/cuda:GPU-a"
MINUTE = 60.0
LONG = 3600.0


def add(store, *needs, start=0):
    """A job for each expected memory, the first the most urgent; gives their ids."""
    jobs = [new_job(seed) for seed in range(start, start + len(needs))]
    ids = [job.job_id for job in store.submit(submission(), jobs)[1]]
    store.set_memory({job_id: mib for job_id, mib in zip(ids, needs, strict=True) if mib is not None})
    return ids


def claim(store, place=CARD, *, owner="w1", **card):
    return store.claim_next(owner, lease_s=LONG, place=place, **({"room_mib": ROOM} | card))


def claimed(store, place=CARD, **card):
    found = claim(store, place, **card)
    return found and found.job_id


def test_jobs_that_fit_together_share_a_card(store):
    jobs = add(store, 4_000.0, 3_000.0, 3_000.0)
    assert [claimed(store) for _ in range(3)] == jobs


def test_a_job_that_does_not_fit_beside_others_waits_until_they_end_or_goes_elsewhere(store):
    small, large, larger = add(store, 4_000.0, 6_001.0, 6_002.0)
    running = claim(store)
    assert running.job_id == small
    assert claimed(store) is None
    assert claimed(store, "host/cuda:GPU-b") == large
    store.finish(running, result(), predictions())
    assert claimed(store) == larger


def test_a_smaller_job_takes_the_room_that_the_most_urgent_one_does_not_fit_in(store):
    _, large, small = add(store, 4_000.0, 9_000.0, 6_000.0)
    claim(store)
    assert claimed(store) == small
    assert store.jobs([large])[0].state is JobState.QUEUED


@pytest.mark.parametrize("need", [None, ROOM + 1], ids=["unknown", "larger than the room"])
def test_a_job_of_unknown_need_or_of_more_than_there_is_runs_alone(store, need):
    first, odd, other, after = add(store, 100.0, need, 100.0, 100.0)
    running = [claim(store), claim(store)]
    assert [one.job_id for one in running] == [first, other]
    assert claimed(store, room_mib=250.0) is None
    for one in running:
        store.finish(one, result(), predictions())
    alone = claim(store)
    assert alone.job_id == odd
    assert claimed(store) is None
    store.finish(alone, result(), predictions())
    assert claimed(store) == after


def test_a_card_is_drained_for_a_job_that_was_passed_over_for_ten_minutes(store, clock):
    _, large, small, smaller = add(store, 4_000.0, 9_000.0, 100.0, 50.0)
    claim(store)
    clock.now += 10 * MINUTE - 1
    beside = claim(store)
    assert beside.job_id == small
    clock.now += 1
    assert claimed(store) is None
    assert claimed(store, "host/cuda:GPU-b", room_mib=8_000.0) == large
    assert claimed(store) == smaller


def test_once_a_card_is_drained_the_large_job_is_next(store, clock):
    _, large, _ = add(store, 4_000.0, 9_000.0, 100.0)
    first = claim(store)
    clock.now += 10 * MINUTE
    assert claimed(store) is None
    store.finish(first, result(), predictions())
    assert claimed(store) == large


def test_no_job_goes_before_one_that_waits_too_long_because_a_newer_one_does_not_fit_either(store, clock):
    add(store, 4_000.0, 9_000.0)
    claim(store)
    clock.now += 9 * MINUTE
    urgent, small, _ = add(store, 9_000.0, 100.0, 50.0, start=10)
    store.set_train_flops({urgent: 9.0})
    assert claimed(store) == small
    clock.now += MINUTE
    assert claimed(store) is None


def test_what_other_programs_hold_is_not_given_away(store, clock):
    large, small = add(store, 5_000.0, 1_000.0)
    assert claimed(store, free_mib=999.0) is None
    clock.now += 20 * MINUTE  # no drained card would have more
    beside = claim(store, free_mib=1_000.0)
    assert beside.job_id == small
    assert claimed(store, free_mib=5_000.0) == large


def test_one_that_nobody_knows_or_that_needs_it_all_is_tried_whatever_is_free(store):
    first, second = add(store, None, ROOM + 1)
    unknown = claim(store, free_mib=0.0)
    assert unknown.job_id == first
    store.finish(unknown, result(), predictions())
    assert claimed(store, free_mib=0.0) == second


def test_a_job_that_ran_out_of_memory_has_its_card_alone_however_little_it_is_said_to_need(store, clock):
    full, other, after = add(store, 100.0, 100.0, 100.0)
    store.fail(claim(store), Cause.OOM, "full")
    beside = claim(store)
    clock.now += RETRIES[Cause.OOM].delay_s + 10 * MINUTE
    assert (beside.job_id, claimed(store)) == (other, None)
    store.finish(beside, result(), predictions())
    alone = claim(store)
    assert (alone.job_id, claimed(store)) == (full, None)
    store.finish(alone, result(), predictions())
    assert claimed(store) == after


def test_where_no_memory_is_counted_nothing_waits_for_it(store):
    jobs = add(store, None, ROOM + 1, 100.0)
    assert [claimed(store, "host/cpu", room_mib=None) for _ in jobs] == jobs


def test_two_claims_at_once_share_out_the_room_only_once(store, store_url, clock):
    first, _ = add(store, 6_000.0, 5_000.0)
    claiming, commit, found = threading.Event(), threading.Event(), {}

    @event.listens_for(store._engine, "commit")
    def _wait(_connection):
        claiming.set()
        commit.wait(30)

    with closing(open_store(store_url, clock=clock.sql)) as other:
        slow = threading.Thread(target=lambda: found.update(slow=claimed(store)))
        quick = threading.Thread(target=lambda: found.update(quick=claimed(other, owner="w2")))
        slow.start()
        assert claiming.wait(30)
        quick.start()
        quick.join(0.5)  # it waits for the other's commit; one that did not would be through by now
        commit.set()
        slow.join()
        quick.join()
    assert found == {"slow": first, "quick": None}


def measured(store, seed, *, peak_mib, device="cuda", **fields):
    """A job that is done and took so much."""
    store.submit(submission(), [new_job(seed, **fields)], priority=9)
    done = store.claim_next("w1", lease_s=LONG)
    assert done.seed == seed
    store.finish(done, replace(result(), peak_mib=peak_mib, device=device), {})


def needs(store):
    return {job_id: mib for job_id, _, mib in store.queued_memory()}


def test_what_a_job_needs_is_told_by_the_greatest_peak_of_its_config_or_else_of_its_network(store):
    measured(store, 1, peak_mib=2_000.0)
    measured(store, 2, peak_mib=1_000.0)
    measured(store, 3, peak_mib=4_000.0, learning_rate=0.5)
    measured(store, 6, peak_mib=3_000.0, learning_rate=0.75)
    measured(store, 4, peak_mib=9_000.0, batch_size=512)
    measured(store, 5, peak_mib=9_000.0, device="cpu", model="resnet")
    wanted = [{}, {"learning_rate": 0.25}, {"batch_size": 64}, {"precision": "bfloat16"}, {"model": "resnet"}]
    asked = store.submit(submission(), [new_job(seed, **fields) for seed, fields in enumerate(wanted, 10)])[1]
    expect_memory(store)
    found = [needs(store)[job.job_id] for job in asked]
    assert found[:2] == [1.5 * 2_000 + 1_024, 2 * 4_000 + 1_024]
    assert found[2:] == [small := pytest.approx(5_442, abs=1), small, pytest.approx(14_279, abs=1)]


def test_a_job_like_which_nothing_was_measured_is_told_by_the_size_of_its_network(store):
    known = [new_job(1), new_job(2, batch_size=512), new_job(3, arguments={"hidden_units": 4096})]
    strange = new_job(4)
    strange.config["model"] = "of a later version"
    store.submit(submission(), [*known, strange])
    expect_memory(store)
    small, larger_batch, larger, unknown = needs(store).values()
    # 78,100 values of 4 bytes for each image, four times; 546,388 parameters, eight times
    assert small == pytest.approx(1_024 + 4_096 + 4 * (4 * 256 * 78_100 + 8 * 546_388) / 2**20)
    assert larger_batch - small == pytest.approx(4 * 4 * 256 * 78_100 / 2**20)
    assert larger > small + 4 * 8 * 16e6 / 2**20
    assert unknown is None


def test_a_guess_gives_way_to_what_is_measured_but_not_under_a_job_that_runs(store):
    measured(store, 1, peak_mib=2_000.0, learning_rate=0.5)
    running, waits = add(store, None, None, start=10)
    expect_memory(store)
    assert claimed(store) == running
    assert [*needs(store).values()] == [5_024.0]
    measured(store, 2, peak_mib=1_000.0)
    expect_memory(store)
    assert [*needs(store).values()] == [2_524.0]
    store.set_memory(dict.fromkeys((running, waits), 1.0))
    assert claimed(store, room_mib=5_024.0) is None
    assert claimed(store, room_mib=5_025.0) == waits
