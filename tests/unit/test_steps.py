"""Captured steps, as far as a CPU can show them: the code that a graph is made of, called instead of replayed."""

import logging

import pytest
import torch
from small_trainings import SMALL, assert_same, assert_same_tensors, numbers, run

from worker import engine, steps
from worker.engine import Stopped

ADAM = {"arguments": {**SMALL, "batch_norm": True, "dropout": 0.5}, "augmentation": ["flip", "crop"]}
SGD = {
    "model": "resnet",
    "arguments": {"stage_depths": [16, 32], "blocks": 1},
    "augmentation": ["flip", "cutout"],
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "momentum": 0.9,
    "nesterov": True,
    "schedule": "cosine",
    "label_smoothing": 0.1,
}
BOTH = pytest.mark.parametrize("fields", [ADAM, SGD], ids=["adam", "sgd"])


@pytest.fixture
def called(monkeypatch):
    """Steps that go the captured way; the list holds a word for each warm-up and for each replay."""
    words = []
    real = steps.Steps.__init__

    def as_on_cuda(self, *arguments, graph, **more):
        real(self, *arguments, graph=True, **more)

    def capture(step, generator):
        for _ in range(3):
            step()
        words.append("captured")

        def replay():
            words.append("replayed")
            step()

        return replay

    monkeypatch.setattr(steps.Steps, "__init__", as_on_cuda)
    monkeypatch.setattr(steps, "_capture", capture)
    return words


@BOTH
def test_captured_steps_give_the_numbers_of_plain_ones(fields, called, monkeypatch):
    records, outcome = run(fields)
    assert called == ["captured", *["replayed"] * 6]  # in each of three epochs two whole batches and a larger last one
    monkeypatch.undo()
    plain, other = run(fields)
    assert numbers(records) == numbers(plain)
    assert_same(outcome, other)


@BOTH
@pytest.mark.parametrize("stop_at", [2, 5])
def test_a_training_that_is_captured_anew_after_a_stop_goes_on_bit_for_bit(fields, stop_at, called):
    whole = []
    run(fields, save=whole.append, save_at_end=True)
    saved, asked = [], iter(range(1, 1000))
    with pytest.raises(Stopped):
        run(fields, should_stop=lambda: next(asked) >= stop_at, save=saved.append)
    resumed = []
    run(fields, resume=saved[-1], save=resumed.append, save_at_end=True)
    assert called.count("captured") == 3
    assert_same_tensors(resumed[-1].tensors, whole[-1].tensors)


@BOTH
def test_where_nothing_can_be_captured_training_goes_on_step_by_step(fields, called, monkeypatch, caplog):
    def fails(step, generator):
        step()
        raise RuntimeError("not permitted when stream is capturing")

    monkeypatch.setattr(steps, "_capture", fails)
    with caplog.at_level(logging.WARNING, logger="worker.steps"):
        records, outcome = run(fields)
    assert caplog.text.count("no CUDA graph was captured") == 1
    assert not outcome.captured
    monkeypatch.undo()
    plain, other = run(fields)
    assert numbers(records) == numbers(plain)
    assert_same(outcome, other)


@BOTH
def test_a_learning_rate_on_the_device_follows_the_schedule(fields, monkeypatch):
    real, rates = engine.make_optimizer, []

    def on_the_device(config, model, *, captured):
        made = real(config, model)
        for group in made.param_groups:
            group["lr"] = torch.tensor(group["lr"])
        rates.append(made.param_groups[0]["lr"])
        return made

    monkeypatch.setattr(engine, "make_optimizer", on_the_device)
    records, _ = run({**fields, "epochs": 4})
    monkeypatch.undo()
    plain, _ = run({**fields, "epochs": 4})
    assert [one.learning_rate for one in records] == [one.learning_rate for one in plain]
    assert float(rates[0]) == pytest.approx(plain[-1].learning_rate if fields is ADAM else 0.0, abs=1e-8)
