"""One set of promises, kept by the store on SQLite and on Postgres."""

from contextlib import closing
from dataclasses import replace

import pytest
from records import EPOCH, new_job, predictions, result, submission
from stored import add, claim

from db import open_store
from db.errors import LostError, NotFoundError
from db.records import MOVES, Artifact, Cause, JobState, Weights

pytestmark = pytest.mark.usefixtures("clock")

HOUR = 3600.0


def test_submitting_twice_is_submitting_once(store):
    first, second = (
        store.submit(submission(), [new_job(1), new_job(2)]),
        store.submit(submission(), [new_job(2), new_job(1)]),
    )
    assert [job.new for job in first[1]] == [True, True]
    assert [job.new for job in second[1]] == [False, False]
    assert len(store.jobs()) == 2
    assert len(store.submissions()) == 2


def test_two_labels_of_one_key_are_one_job(store):
    _, jobs = store.submit(submission(), [new_job(1), new_job(1, label="alias")])
    assert jobs[0].job_id == jobs[1].job_id
    assert [job.label for job in store.jobs()] == ["baseline"]
    assert {job.label for job in store.submitted_jobs(1)} == {"baseline", "alias"}


def test_jobs_are_found_by_the_labels_they_were_submitted_under(store):
    store.submit(submission(), [new_job(1), new_job(1, label="alias"), new_job(2)])
    store.submit(submission(), [new_job(1, label="later")])
    assert store.labelled(["alias"]) == store.labelled(["later"]) == {1}
    assert store.labelled(["baseline", "later"]) == {1, 2}
    assert store.labelled(["baseline", "later"], 2) == {1}
    assert store.labelled(["none"]) == store.labelled([]) == set()
    asked = {1: [(1, "alias"), (1, "baseline"), (2, "later")], 2: [(1, "baseline")], 7: []}
    assert store.asked_for([1, 2, 7]) == asked


def test_a_higher_priority_then_a_longer_training_goes_first(store):
    low, long = add(store, 1, 2)
    (urgent,) = add(store, 3, priority=5)
    store.set_train_flops({low: 1.0, long: 2.0, urgent: 0.5})
    assert [claim(store).job_id for _ in range(3)] == [urgent, long, low]
    assert claim(store) is None


def test_a_submission_raises_the_priority_of_jobs_that_wait_and_lowers_none(store):
    first, second, third = add(store, 1, 2, 3)
    add(store, 2, priority=5)
    add(store, 2, priority=-1)
    add(store, 2)
    add(store, 1, priority=-1)
    assert [job.priority for job in store.jobs([first, second, third])] == [0, 5, 0]
    assert claim(store).job_id == second


def test_a_lost_job_is_claimed_again_as_a_new_attempt(store, clock):
    add(store, 1)
    assert claim(store).attempt == 1
    assert claim(store) is None
    clock.now += 61
    assert claim(store, "w2").attempt == 2
    assert store.attempts([1])[1][0].outcome == Cause.WORKER_LOST


def test_after_a_restart_of_postgres_the_living_renew_their_leases_first(store_url, monkeypatch):
    with closing(open_store(store_url, create=True)) as store:
        add(store, 1)
        assert store.claim_next("w1", lease_s=-1).attempt == 1
        monkeypatch.setattr("db._database.SETTLE_S", 10**6)  # the test's server is younger than that
        with closing(open_store(store_url)) as restarted:
            taken = restarted.claim_next("w2", lease_s=60)
            assert (taken is None) is (store.dialect == "postgresql")
            assert len(restarted.reconcile().requeued) == 0
        monkeypatch.setattr("db._database.SETTLE_S", 0)
        with closing(open_store(store_url)) as settled:
            assert store.dialect == "sqlite" or settled.claim_next("w2", lease_s=60).attempt == 2


def test_a_heartbeat_keeps_a_job(store, clock):
    add(store, 1)
    held = claim(store)
    clock.now += 59
    assert store.heartbeat(held, lease_s=60).owned
    clock.now += 59
    assert store.reconcile().requeued == ()
    clock.now += 2
    assert store.reconcile().requeued == (held.job_id,)
    assert not store.heartbeat(held, lease_s=60).owned


def test_a_heartbeat_says_how_many_trainings_share_the_device(store, clock):
    for seed in range(4):
        add(store, seed)
    claims = [store.claim_next("w", lease_s=60, place=place) for place in ("card-a", "card-a", "card-b")]
    assert [held.trainings for held in claims] == [1, 2, 1]
    here, _, elsewhere = claims
    assert [store.heartbeat(held, lease_s=60).trainings for held in (here, elsewhere)] == [2, 1]
    store.claim_next("w", lease_s=60, place="card-a")
    assert store.heartbeat(here, lease_s=60).trainings == 3
    store.finish(here, result(), predictions())
    assert not store.heartbeat(here, lease_s=60).owned


@pytest.mark.parametrize("energy_j", [None, 1234.5])
def test_a_result_keeps_its_energy_or_that_nobody_knows_it(store, energy_j):
    add(store, 1)
    held = claim(store)
    store.finish(held, replace(result(), energy_j=energy_j), predictions())
    assert store.results([held.job_id])[held.job_id].energy_j == energy_j


def test_a_frozen_worker_that_wakes_up_changes_nothing(store, clock):
    add(store, 1)
    frozen = claim(store)
    clock.now += 61
    held = claim(store, "w2")
    for write in (
        lambda: store.record_epoch(frozen, EPOCH),
        lambda: store.finish(frozen, result(), {}),
        lambda: store.fail(frozen, Cause.CODE, "late"),
        lambda: store.start_attempt(frozen),
    ):
        with pytest.raises(LostError):
            write()
    store.finish(held, result(0.7), predictions())
    assert store.results([1])[1].best.test_accuracy == 0.7
    assert store.histories([1]) == {1: []}


def test_finishing_twice_is_finishing_once(store):
    add(store, 1)
    held = claim(store)
    store.finish(held, result(), predictions())
    store.finish(held, result(0.1), predictions())
    assert store.results([1])[1] == result()


def test_what_was_written_is_what_is_read(store):
    add(store, 1)
    held = claim(store)
    store.note_log(held, "a.log")
    store.start_attempt(held)
    store.record_epoch(held, EPOCH)
    store.record_epoch(held, EPOCH)
    store.finish(held, result(), predictions())
    assert store.histories([1]) == {1: [EPOCH]}
    assert store.results([1]) == {1: result()}
    read = store.predictions(1, Weights.LAST)
    assert (read.labels == predictions()[Weights.LAST].labels).all()
    assert (read.probabilities == predictions()[Weights.LAST].probabilities).all()


def test_a_resumed_attempt_keeps_the_history_before_it(store):
    add(store, 1)
    first = claim(store)
    for epoch in (1, 2, 3):
        store.record_epoch(first, replace(EPOCH, epoch=epoch, val_loss=1.0))
    store.fail(first, Cause.PREEMPTED, "stop")
    second = claim(store)
    store.start_attempt(second, reached=[replace(EPOCH, epoch=1), replace(EPOCH, epoch=2)])
    store.record_epoch(second, replace(EPOCH, epoch=3, val_loss=3.0))
    assert [(r.epoch, r.val_loss) for r in store.histories([1])[1]] == [(1, 1.0), (2, 1.0), (3, 3.0)]
    recorded = [(r.attempt, r.record.epoch, r.counted) for r in store.recorded_epochs([1])]
    assert recorded == [(1, 1, True), (1, 2, True), (1, 3, False), (2, 3, True)]


def test_history_that_only_a_checkpoint_kept_is_written_by_the_attempt_that_resumes_it(store):
    add(store, 1)
    first = claim(store)
    store.record_epoch(first, replace(EPOCH, epoch=1))
    store.fail(first, Cause.PREEMPTED, "stop")
    reached = [replace(EPOCH, epoch=epoch) for epoch in (1, 2, 3)]
    store.start_attempt(claim(store), reached=reached)
    assert store.histories([1])[1] == reached


def test_a_second_submit_brings_its_timeout_to_what_is_not_done(store):
    done, waiting = add(store, 1, 2)
    store.finish(claim(store), result(), predictions())
    later = [replace(new_job(seed), timeout_s=90.0) for seed in (1, 2)]
    assert [job.new for job in store.submit(submission(), later)[1]] == [False, False]
    held = claim(store)
    assert (held.job_id, held.timeout_s) == (waiting, 90.0)
    assert store.jobs([done])[0].state is JobState.DONE
    store.fail(held, Cause.PREEMPTED, "stop")
    add(store, 2)
    assert claim(store).timeout_s is None


def test_a_worker_sees_what_its_children_hold(store, clock):
    add(store, 1, 2, 3)
    mine, theirs = claim(store, "w_1/10"), claim(store, "wx1/10")
    clock.now += 7
    (held,) = store.held("w_1")
    assert (held.claim, held.running_s) == (mine, 7)
    store.finish(theirs, result(), predictions())
    assert store.held("wx1") == []


def test_a_free_slot_does_not_take_what_another_slot_of_its_own_worker_holds(store, clock):
    (running,) = add(store, 1)
    claim(store, "w_1/10")
    clock.now += 61
    (waiting,) = add(store, 2)
    assert claim(store, "w_1/11").job_id == waiting
    assert [job.state for job in store.jobs()] == [JobState.RUNNING, JobState.RUNNING]
    assert claim(store, "wx1/10").job_id == running


@pytest.mark.parametrize("text", ["half a pair \ud800", "a \0 in the middle"])
def test_what_a_library_said_is_kept_whatever_is_in_it(store, text):
    add(store, 1)
    held = claim(store)
    store.start_attempt(held, message=text)
    store.fail(held, Cause.CODE, text, traceback=text)
    (attempt,) = store.attempts([1])[1]
    assert "\\" in attempt.traceback
    assert attempt.message == f"{attempt.traceback}\n{store.jobs()[0].message}"


def test_an_attempt_that_ends_before_it_begins_to_train_hides_no_history(store):
    add(store, 1)
    first = claim(store)
    store.start_attempt(first)
    store.record_epoch(first, EPOCH)
    store.fail(first, Cause.PREEMPTED, "stop")
    store.fail(claim(store), Cause.PREEMPTED, "stop")
    third = claim(store)
    store.start_attempt(third, reached=[EPOCH])
    store.record_epoch(third, replace(EPOCH, epoch=2))
    assert [record.epoch for record in store.histories([1])[1]] == [1, 2]


def test_kept_files_are_part_of_the_result(store):
    add(store, 1)
    kept = Artifact(kind="checkpoint", url="file:///a", sha256="0" * 64, bytes=5)
    store.finish(claim(store), result(), predictions(), kept=[kept])
    assert store.artifacts([1, 2]) == {1: [kept], 2: []}


def test_a_job_that_was_to_be_cancelled_does_not_come_back_from_a_stopped_worker(store):
    (job,) = add(store, 1)
    held = claim(store)
    store.cancel([job])
    assert store.fail(held, Cause.PREEMPTED, "stop") is JobState.CANCELLED
    assert store.jobs()[0].cause is Cause.CANCELLED
    assert store.attempts([job])[job][0].outcome == Cause.PREEMPTED


def test_cancelling_ends_waiting_jobs_and_asks_running_ones(store):
    running, waiting = add(store, 1, 2)
    held = claim(store)
    assert store.cancel([running, waiting]) == ([waiting], [running])
    assert store.heartbeat(held, lease_s=60).cancel_requested
    assert store.fail(held, Cause.CANCELLED, "asked") is JobState.CANCELLED
    assert store.retry([running, waiting]) == [running, waiting]


def test_a_done_job_never_moves_again(store):
    (job,) = add(store, 1)
    store.finish(claim(store), result(), predictions())
    assert store.cancel([job]) == ([], [])
    assert store.retry([job]) == []
    assert store.reconcile().requeued == ()
    assert store.jobs()[0].state is JobState.DONE
    assert MOVES[JobState.DONE] == frozenset()


def test_an_unknown_job_is_named(store):
    add(store, 1)
    with pytest.raises(NotFoundError, match="no job 99"):
        store.cancel([1, 99])
    assert store.jobs()[0].state is JobState.QUEUED


def test_doorbells_that_were_not_sent_are_remembered(store):
    jobs = add(store, 1, 2)
    assert store.unpublished() == jobs
    store.mark_published(jobs[:1])
    assert store.unpublished() == jobs[1:]
