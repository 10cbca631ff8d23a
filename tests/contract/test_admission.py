"""Which jobs may share a card or a host, on SQLite and on Postgres: those whose expected memory has room there."""

import threading
from contextlib import closing
from dataclasses import replace

import pytest
from records import new_job, predictions, result, submission
from sqlalchemy import event

from db import open_store
from db.policy import RETRIES, USUAL_CPU_MIB
from db.records import Cause, JobState
from worker.admission import expect_memory

pytestmark = pytest.mark.usefixtures("clock")

ROOM = 10_000.0
CARD = "host/cuda:GPU-a"
MINUTE = 60.0
LONG = 3600.0


def add(store, *needs, start=0, device="cuda"):
    """A job for each expected memory, the first the most urgent; gives their ids."""
    jobs = [new_job(seed) for seed in range(start, start + len(needs))]
    ids = [job.job_id for job in store.submit(submission(), jobs)[1]]
    store.set_memory(device, {job_id: mib for job_id, mib in zip(ids, needs, strict=True) if mib is not None})
    return ids


def claim(store, place=CARD, *, owner="w1", **card):
    return store.claim_next(owner, lease_s=LONG, place=place, **({"room_mib": ROOM} | card))


def beside_a_shorter_one(store, *needs):
    """As `add`, of a card where 4,000 MiB are in a job's hands to which the first of them is preferred."""
    add(store, 4_000.0, start=100)
    claim(store, owner="w1/1")
    jobs = add(store, *needs)
    store.set_train_flops({jobs[0]: 1.0})
    return jobs


def claimed(store, place=CARD, **card):
    foreseen = store.would_claim(place=place, **({"room_mib": ROOM} | card))
    found = claim(store, place, **card)
    assert foreseen == (found and found.job_id)
    return foreseen


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
    large, small, smaller = beside_a_shorter_one(store, 9_000.0, 100.0, 50.0)
    clock.now += 10 * MINUTE - 1
    beside = claim(store)
    assert beside.job_id == small
    clock.now += 1
    assert claimed(store) is None
    assert claimed(store, "host/cuda:GPU-b", room_mib=8_000.0) == large
    assert claimed(store) == smaller


def test_while_a_more_urgent_job_runs_there_smaller_ones_go_on_however_long_one_was_passed_over(store, clock):
    """To drain the place would leave it empty for as long as that one takes."""
    first, _, *small = add(store, 4_000.0, 9_000.0, 100.0, 50.0)
    assert claim(store).job_id == first
    clock.now += 20 * MINUTE
    assert [claimed(store), claimed(store)] == small


@pytest.mark.parametrize(
    ("large", "running"),
    [((1, 1.0), (0, 2.0)), ((0, 2.0), (0, 1.0)), ((0, 1.0), (0, 1.0))],
    ids=["by priority", "by length", "by age"],
)
def test_a_place_is_drained_for_what_is_more_urgent_than_all_that_runs_there(store, clock, large, running):
    oldest = store.submit(submission(), [new_job(0)], priority=large[0])[1][0].job_id
    second = store.submit(submission(), [new_job(1)], priority=running[0])[1][0].job_id
    store.set_memory("cuda", {oldest: 4_000.0, second: 4_000.0})
    store.set_train_flops({oldest: large[1], second: running[1]})
    elsewhere, _ = claim(store, "host/cuda:GPU-b"), claim(store)
    add(store, 100.0, start=5)
    store.fail(elsewhere, Cause.PREEMPTED, "stop")
    store.set_memory("cuda", {oldest: 9_000.0})
    clock.now += 10 * MINUTE
    assert claimed(store) is None


def test_once_a_card_is_drained_the_large_job_is_next(store, clock):
    large, _ = beside_a_shorter_one(store, 9_000.0, 100.0)
    clock.now += 10 * MINUTE
    assert claimed(store) is None
    (first,) = store.held("w1")
    store.finish(first.claim, result(), predictions())
    assert claimed(store) == large


def test_no_job_goes_before_one_that_waits_too_long_because_a_newer_one_does_not_fit_either(store, clock):
    _, waits = add(store, 4_000.0, 9_000.0)
    claim(store)
    store.set_train_flops({waits: 2.0})
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
        slow = threading.Thread(target=lambda: found.update(slow=claim(store).job_id))
        quick = threading.Thread(target=lambda: found.update(quick=claim(other, owner="w2")))
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


def needs(store, device="cuda"):
    return {job_id: mib for job_id, _, mib in store.queued_memory(device)}


def test_what_a_job_needs_is_told_by_the_greatest_peak_of_its_config_or_else_of_its_network(store):
    measured(store, 1, peak_mib=2_000.0)
    measured(store, 2, peak_mib=1_000.0)
    measured(store, 3, peak_mib=4_000.0, learning_rate=0.5)
    measured(store, 6, peak_mib=3_000.0, learning_rate=0.75)
    measured(store, 4, peak_mib=9_000.0, batch_size=512)
    measured(store, 5, peak_mib=9_000.0, device="cpu", model="resnet")
    wanted = [{}, {"learning_rate": 0.25}, {"batch_size": 64}, {"precision": "bfloat16"}, {"model": "resnet"}]
    asked = store.submit(submission(), [new_job(seed, **fields) for seed, fields in enumerate(wanted, 10)])[1]
    expect_memory(store, "cuda")
    found = [needs(store)[job.job_id] for job in asked]
    assert found[:2] == [1.5 * 2_000 + 1_024, 2 * 4_000 + 1_024]
    assert found[2:] == [small := pytest.approx(5_442, abs=1), small, pytest.approx(14_279, abs=1)]


def test_a_job_like_which_nothing_was_measured_is_told_by_the_size_of_its_network(store):
    known = [new_job(1), new_job(2, batch_size=512), new_job(3, arguments={"hidden_units": 4096})]
    strange = new_job(4)
    strange.config["model"] = "of a later version"
    store.submit(submission(), [*known, strange])
    expect_memory(store, "cuda")
    small, larger_batch, larger, unknown = needs(store).values()
    # 78,100 values of 4 bytes for each image, four times; 546,388 parameters, eight times
    assert small == pytest.approx(1_024 + 4_096 + 4 * (4 * 256 * 78_100 + 8 * 546_388) / 2**20)
    assert larger_batch - small == pytest.approx(4 * 4 * 256 * 78_100 / 2**20)
    assert larger > small + 4 * 8 * 16e6 / 2**20
    assert unknown is None


def test_a_guess_gives_way_to_what_is_measured_but_not_under_a_job_that_runs(store):
    measured(store, 1, peak_mib=2_000.0, learning_rate=0.5)
    running, waits = add(store, None, None, start=10)
    expect_memory(store, "cuda")
    assert claimed(store) == running
    assert [*needs(store).values()] == [5_024.0]
    measured(store, 2, peak_mib=1_000.0)
    expect_memory(store, "cuda")
    assert [*needs(store).values()] == [2_524.0]
    store.set_memory("cuda", dict.fromkeys((running, waits), 1.0))
    assert claimed(store, room_mib=5_024.0) is None
    assert claimed(store, room_mib=5_025.0) == waits


HOST = {"place": "host/cpu", "device": "cpu"}


def test_jobs_share_a_host_as_far_as_its_memory_goes(store):
    first, large, small, smaller = add(store, 4_000.0, 6_001.0, 5_000.0, 900.0, device="cpu")
    running = claim(store, **HOST)
    assert [running.job_id, claimed(store, **HOST), claimed(store, **HOST)] == [first, small, smaller]
    store.finish(running, result(), predictions())
    assert claimed(store, **HOST) is None
    assert claimed(store, "other/cpu", device="cpu") == large


def test_what_is_expected_of_a_card_says_nothing_of_a_host(store):
    jobs = add(store, ROOM, ROOM, ROOM)
    store.set_memory("cpu", dict.fromkeys(jobs, 3_000.0))
    assert [claimed(store, **HOST) for _ in jobs] == jobs


def test_of_which_nothing_is_known_a_job_counts_as_a_usual_one_on_a_host(store):
    jobs = add(store, *[None] * 4)
    assert [claimed(store, **HOST, room_mib=3 * USUAL_CPU_MIB) for _ in jobs] == [*jobs[:3], None]


def test_what_running_jobs_have_not_taken_yet_is_not_free(store):
    """Slots that start together would else all be given the same memory, which other programs hold a part of."""
    first, second, third = add(store, 3_400.0, 3_400.0, 1_000.0, device="cpu")
    held = {"w1/1": 400.0, "w1/2": 900.0}.__getitem__
    assert claim(store, **HOST, owner="w1/1", free_mib=5_000.0, held_mib=held).job_id == first
    assert store.would_claim(**HOST, room_mib=ROOM, free_mib=5_000.0, held_mib=held) == third
    assert claim(store, **HOST, owner="w1/2", free_mib=5_000.0, held_mib=held).job_id == third
    assert claim(store, **HOST, owner="w1/3", free_mib=6_499.0, held_mib=held) is None
    assert claim(store, **HOST, owner="w1/3", free_mib=6_500.0, held_mib=held).job_id == second


@pytest.mark.parametrize("scarce", [{"room_mib": 100.0}, {"free_mib": 100.0}], ids=["too small", "others hold it"])
def test_where_nothing_else_runs_a_host_takes_any_job(store, scarce):
    first, second = add(store, 5_000.0, 200.0, device="cpu")
    running = claim(store, **HOST, **scarce)
    assert (running.job_id, claimed(store, **HOST, **scarce)) == (first, None)
    store.finish(running, result(), predictions())
    assert claimed(store, **HOST, **scarce) == second


def test_what_a_job_needs_of_a_host_is_told_by_measured_processes_or_by_its_network(store):
    measured(store, 1, peak_mib=800.0, device="cpu")
    measured(store, 2, peak_mib=700.0, device="cpu")
    measured(store, 3, peak_mib=900.0, device="cpu", learning_rate=0.5)
    measured(store, 4, peak_mib=9_000.0, device="cuda")
    wanted = [{}, {"learning_rate": 0.25}, {"batch_size": 64}, {"batch_size": 512}, {"model": "resnet"}]
    asked = store.submit(submission(), [new_job(seed, **fields) for seed, fields in enumerate(wanted, 10)])[1]
    expect_memory(store, "cpu")
    found = [needs(store, "cpu")[job.job_id] for job in asked]
    # 78,100 values of 4 bytes for each of 256 images at least; 546,388 parameters, eight times
    small, large = (1_024 + (4 * images * 78_100 + 32 * 546_388) / 2**20 for images in (256, 512))
    assert found == [1.25 * 800, 1.5 * 900, pytest.approx(small), pytest.approx(large), pytest.approx(3_413, abs=1)]
    assert set(needs(store, "cuda").values()) == {None}


def test_a_network_that_this_worker_does_not_know_counts_as_a_usual_one_on_a_host(store):
    strange = new_job(1)
    strange.config["model"] = "of a later version"
    store.submit(submission(), [strange])
    expect_memory(store, "cpu")
    assert [*needs(store, "cpu").values()] == [USUAL_CPU_MIB]


def test_what_is_new_can_be_looked_at_alone(store):
    known, _, new = jobs = add(store, 1.0, None, None, device="cpu")
    store.cancel([jobs[1]])
    assert expect_memory(store, "cpu", after=known) == new
    assert expect_memory(store, "cpu", after=new) == new
    found = needs(store, "cpu")
    assert found[known] == 1.0
    assert found[new] > 1_000
    expect_memory(store, "cpu")
    assert needs(store, "cpu")[known] == found[new]
