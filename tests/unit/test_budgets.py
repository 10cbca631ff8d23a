"""`train_budget_s`: when it ends a training, what is expected of one, and what readers are told."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filled_store import finish
from small_trainings import run

from cli._job_page import Known, job_page
from db import open_store
from db.records import Measured, MeasuredAttempt, Worker
from report.page import markdown_page
from report.scope import read_scope
from report.tables import build_tables
from scheduler.config import Config, job_key
from scheduler.duration import Durations
from scheduler.planning import make_plan
from scheduler.suite import load_suite
from worker import engine, steps
from worker.engine import Stopped
from worker.snapshot import Snapshot

STEP_S, VALIDATION_S, EPOCH_S = 10.0, 1000.0, 30.0  # three steps are an epoch
NOW = datetime(2026, 11, 28, tzinfo=UTC)
SUITE = """
[suite]
name = "timed"
dataset = "digits"
[defaults]
train_budget_s = {budget}
[variants.short]
[variants.wide]
arguments = {{ hidden_units = 64 }}
"""


@pytest.fixture
def clock(monkeypatch):
    """Stands still but for steps and validation."""
    now = [0.0]

    def costly(module, name, seconds):
        real = getattr(module, name)

        def timed(*words, **named):
            now[0] += seconds
            return real(*words, **named)

        monkeypatch.setattr(module, name, timed)

    monkeypatch.setattr("worker.stopwatch.perf_counter", lambda: now[0])
    costly(steps, "train_step", STEP_S)
    costly(engine, "evaluate", VALIDATION_S)


@pytest.mark.parametrize(
    ("budget", "epochs"), [(0.1, 1), (EPOCH_S, 1), (EPOCH_S + 1, 2), (3 * EPOCH_S, 3), (1e6, 5)], ids=str
)
def test_a_training_ends_with_the_epoch_in_which_its_seconds_are_spent(clock, budget, epochs):
    records, outcome = run({"epochs": 5, "train_budget_s": budget})
    assert len(records) == outcome.epochs == epochs
    assert outcome.stopped_early == (epochs < 5)


@pytest.mark.parametrize("stop_at", [2, 4, 5])
def test_the_seconds_of_all_attempts_count(clock, stop_at):
    fields = {"epochs": 9, "train_budget_s": 2 * EPOCH_S}
    saved, before, asked = [], [], iter(range(1, 1000))
    with pytest.raises(Stopped):
        run(fields, should_stop=lambda: next(asked) >= stop_at, save=saved.append, on_epoch=before.append)
    snapshot = Snapshot(saved[-1].tensors, json.loads(json.dumps(saved[-1].state)))
    after, outcome = run(fields, resume=snapshot)
    assert [record.epoch for record in [*before, *after]] == [1, 2]
    assert (outcome.epochs, outcome.train_s) == (2, 2 * EPOCH_S)


def test_a_budget_is_part_of_the_key():
    keys = {job_key(Config.parse({"train_budget_s": budget}), 1) for budget in (None, 5, 6)}
    assert len(keys) == 3
    assert job_key(Config.parse({"train_budget_s": None}), 1) == job_key(Config.parse({}), 1)


def durations(epoch_s):
    config = Config.parse({"dataset": "digits", "epochs": 100, "early_stopping_patience": 0}).canonical()
    attempts = tuple(
        MeasuredAttempt(
            job_id=number,
            config=config,
            device="cpu",
            host="here",
            device_name="Xeon",
            epochs=100,
            epoch_s=epoch_s,
            around_s=5.0,
            trained_epochs=100,
            flops=1e6,
        )
        for number in range(3)
    )
    worker = Worker(id="w", host="here", pid=6, slots=2, device="cpu", started_at=NOW, seen_at=NOW)
    return Durations(Measured(attempts=attempts), [worker])


def planned(**fields):
    config = {"dataset": "digits", "epochs": 100, "early_stopping_patience": 0, **fields}
    return durations(2.0).planned(Config.parse(config).canonical(), 1e6, images=1437).span


def test_no_more_time_is_expected_than_a_budget_and_its_last_epoch_take():
    free, tight, wide = planned(), planned(train_budget_s=20), planned(train_budget_s=1e5)
    assert tight.low == pytest.approx(20 + 5)
    # a fifth of the images is validated, which costs a twelfth of the training of the others
    assert tight.high == pytest.approx(20 * 13 / 12 + 2 * 1.15 + 5)
    assert wide == free
    assert free.low > tight.high


def test_a_job_with_a_budget_counts_as_no_longer_than_that_in_the_queue():
    config = Config.parse({"dataset": "digits", "epochs": 100, "early_stopping_patience": 0})
    shorter = config.model_copy(update={"train_budget_s": 20.0})
    flops = [durations(2.0).equal_flops(one.canonical(), 1e6, device="cpu", host="here") for one in (config, shorter)]
    assert flops[1] == pytest.approx(flops[0] * 20 / 200)


@pytest.fixture
def trained(tmp_path):
    """A store in which every job of such a suite is done, after 14 s or more of training and up to 6 of 50 epochs."""

    def fill(budget):
        path = tmp_path / "timed.toml"
        path.write_text(SUITE.format(budget=budget))
        found = load_suite(str(path))
        plan = make_plan(found, found.variants, [42, 43, 44], data_dir=Path())
        store.submit(plan.submission(), plan.new_jobs())
        for number in range(len(plan.entries)):
            finish(store, store.claim_next("maker", lease_s=3600), number=number)
        return store

    store = open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)
    yield fill
    store.close()


def test_the_report_warns_of_results_that_depend_on_the_machine(trained):
    scope = read_scope(trained(10), None)
    (warning,) = scope.warnings
    assert "short: 10 s, epochs 4 to 6 of 50; wide: 10 s, epochs 4 to 6 of 50" in warning
    assert "depends on the machine" in markdown_page(scope, build_tables(scope), [])


def test_a_budget_that_was_not_spent_is_nothing_to_warn_of(trained):
    assert read_scope(trained(1000), None).warnings == ()


@pytest.mark.parametrize(("budget", "words"), [(10, "its train_budget_s is spent"), (1000, "stopped early")])
def test_the_page_of_a_job_says_what_ended_it(trained, budget, words):
    store = trained(budget)
    job = store.jobs()[0]
    page = job_page(
        Known(
            job=job,
            durations=Durations(Measured()),
            asked=[],
            attempts=[],
            history=store.histories([job.id])[job.id],
            result=store.results([job.id])[job.id],
            artifacts=[],
        )
    )
    facts = dict(page[0].rows)
    assert facts["state"] == f"done, epoch {job.epoch} of 50, {words}"
