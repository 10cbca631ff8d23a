"""What the store tells of how long epochs took, on SQLite and on Postgres."""

import socket
from dataclasses import replace

import pytest
from records import EPOCH, new_job, predictions, result, submission
from sqlalchemy import event

from db.records import Cause, Measured
from scheduler.duration import Durations
from scheduler.epoch_time import Source
from worker.child import Child, count_flops

pytestmark = pytest.mark.usefixtures("clock")

OWNER = "host:1:a/2"


def add(store, *seeds, **fields):
    _, jobs = store.submit(submission(), [new_job(seed, **fields) for seed in seeds])
    return [job.job_id for job in jobs]


def claim(store, owner=OWNER):
    return store.claim_next(owner, lease_s=60)


def trained(store, *seconds, owner=OWNER):
    """A claim of the next job, and an epoch of so many seconds for each number."""
    held = claim(store, owner)
    for number, took in enumerate(seconds, 1):
        store.record_epoch(held, replace(EPOCH, epoch=number, train_s=took, eval_s=0.5))
    return held


def test_an_empty_store_has_measured_nothing(store):
    add(store, 1)
    assert store.measured() == Measured(attempts=[])


def test_a_finished_attempt_tells_its_epochs_and_what_it_took_around_them(store, clock):
    store.register_worker("host:1:a", host="host", pid=1, slots=2, device="cuda")
    (job_id,) = add(store, 1, model="resnet")
    held = trained(store, 1.5, 3.5)
    clock.now += 10
    named = replace(result(), epochs=2, environment={"host": "else", "device_name": "NVIDIA H100"})
    store.finish(held, named, predictions())
    (attempt,) = store.measured().attempts
    assert (attempt.job_id, attempt.config["model"]) == (job_id, "resnet")
    assert (attempt.device, attempt.host, attempt.device_name) == ("cuda", "host", "NVIDIA H100")
    assert (attempt.epochs, attempt.trained_epochs, attempt.flops) == (2, 2, result().flops)
    assert attempt.epoch_s == pytest.approx(3.0)
    assert attempt.around_s == pytest.approx(4.0)


def test_a_result_names_the_place_of_a_worker_that_is_unknown(store):
    add(store, 1)
    store.finish(trained(store, 1.5), result(), predictions())
    (attempt,) = store.measured().attempts
    assert (attempt.device, attempt.host, attempt.device_name) == ("cpu", "here", None)
    assert attempt.around_s == 0


def test_an_attempt_without_a_result_tells_its_epochs_and_one_without_epochs_nothing(store):
    add(store, 1, 2)
    store.fail(trained(store, 1.5), Cause.DIVERGED, "")
    store.fail(trained(store), Cause.DIVERGED, "")
    (attempt,) = store.measured().attempts
    assert (attempt.epochs, attempt.around_s, attempt.trained_epochs, attempt.flops) == (1, None, None, None)


def test_of_each_config_only_the_newest_attempts_are_read(store):
    add(store, *range(30), model="small_cnn")
    for _ in range(30):
        store.finish(trained(store, 1.0), result(), predictions())
    (rare,) = add(store, 0, model="resnet")
    store.finish(trained(store, 1.0), result(), predictions())
    jobs = [attempt.job_id for attempt in store.measured().attempts]
    assert jobs == [rare, *range(30, 10, -1)]


def test_of_very_many_configs_the_newest_are_read(store, monkeypatch):
    monkeypatch.setattr("db._looks._SAMPLED_IN_ALL", 2)
    for number in range(3):
        add(store, 0, epochs=1 + number)
        store.finish(trained(store, 1.0), result(), predictions())
    assert [attempt.config["epochs"] for attempt in store.measured().attempts] == [3, 2]


def test_a_running_job_tells_its_last_five_epochs_of_the_attempt_that_runs(store):
    add(store, 1)
    first = trained(store, 9.5, 9.5)
    store.fail(first, Cause.PREEMPTED, "")
    assert store.measured().recent == {}
    held = claim(store)
    assert store.measured().recent == {}
    for number in range(3, 10):
        store.record_epoch(held, replace(EPOCH, epoch=number, train_s=float(number), eval_s=0.5))
    assert store.measured().recent == {first.job_id: [5.5, 6.5, 7.5, 8.5, 9.5]}


def test_flops_are_told_of_jobs_that_wait_or_run_and_were_counted(store):
    done, runs, waits, _ = add(store, 1, 2, 3, 4)
    store.set_train_flops({done: 3.0, runs: 2.0, waits: 1.0})
    store.finish(claim(store), result(), predictions())
    claim(store)
    assert store.measured().train_flops == {runs: 2.0, waits: 1.0}


def test_the_other_seeds_of_a_job_that_is_done_are_estimated_by_it(store, clock):
    store.register_worker("host:1:a", host="host", pid=1, slots=2, device="cpu")
    add(store, 1, 2, 3, dataset="digits")
    held = trained(store, 1.5, 1.5)
    clock.now += 5
    store.finish(held, replace(result(), epochs=20), predictions())
    durations = Durations(store.measured(), store.workers(seen_within_s=60))
    _, waits, _ = store.jobs()
    assert durations.left(waits).source is Source.MEASURED
    low, high = durations.all_left(store.jobs()).span
    assert low < 11 * 2 + 1 < 50 * 2 + 1 < high


def test_jobs_that_took_longer_on_this_machine_go_first_though_their_flops_are_the_same(store):
    store.register_worker("here:1:a", host=socket.gethostname(), pid=1, slots=2, device="cpu")
    quick, slow = {"batch_size": 64, "dataset": "digits"}, {"batch_size": 8, "dataset": "digits"}
    for fields, took in ((quick, 1.5), (slow, 9.5)):
        add(store, 1, **fields)
        store.finish(trained(store, took, owner="here:1:a/2"), result(), predictions())
    add(store, 2, **quick)
    add(store, 2, **slow)
    add(store, 2, batch_size=512, dataset="digits")
    count_flops(store, "cpu")
    assert [claim(store).config["batch_size"] for _ in range(3)] == [8, 512, 64]


def test_the_queue_is_ordered_again_when_more_of_it_is_measured_and_not_all_the_time(store, monkeypatch):
    child = Child(settings=None, worker_id="w", device="cpu", pipe=None)
    (waits,) = add(store, 1)
    config = store.jobs()[0].config
    for again, counted in ((config, False), (config, True), (config | {"batch_size": 8}, True)):
        store.set_train_flops({waits: 1.0})
        child._order_again(store, again)
        assert (store.jobs_without_flops() == []) is counted
    monkeypatch.setattr("worker.child._ORDER_S", 0.0)
    child._order_again(store, config | {"batch_size": 8})
    assert [job_id for job_id, _ in store.jobs_without_flops()] == [waits]


def test_the_epochs_are_read_by_their_key_and_not_all_of_them(store):
    add(store, *range(60))
    for _ in range(60):
        store.finish(trained(store, *[1.0] * 20), result(), predictions())
    said = []

    @event.listens_for(store._engine, "before_cursor_execute")
    def _note(_connection, _cursor, statement, parameters, _context, _many):
        said.append((statement, parameters))

    store.measured()
    (sampled,) = [words for words in said if "row_number" in words[0]]
    if store.dialect == "sqlite":  # Postgres reads a small table whole, whatever its indexes
        with store._reading() as connection:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sampled[0]}", sampled[1])
            plan = "\n".join(str(row[-1]) for row in rows)
        assert "SCAN epochs" not in plan
