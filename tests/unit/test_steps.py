"""Captured steps, as far as a CPU can show them: the code that a graph is made of, called instead of replayed."""

import logging
import sys

import pytest
import torch
from small_trainings import EVERY_AUGMENTATION, SMALL, assert_same, assert_same_tensors, numbers, run

from scheduler.suite import load_suite
from worker import augmentation, engine, steps
from worker.engine import Stopped, new_network
from worker.optimizers import make_optimizer

ADAM = {"arguments": {**SMALL, "batch_norm": True, "dropout": 0.5}, "augmentation": ["flip", "crop"]}
SGD = {
    "model": "resnet",
    "arguments": {"stage_depths": [16, 32], "blocks": 1},
    "augmentation": EVERY_AUGMENTATION,
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "momentum": 0.9,
    "nesterov": True,
    "schedule": "cosine",
    "label_smoothing": 0.1,
}
# what these keep begins with ones or with the learning rate, and dampening does not hold for the first step
OTHERS = {
    "asgd": {"optimizer": "asgd", "learning_rate": 0.01},
    "nadam": {"optimizer": "nadam", "gradient_clip": 0.5},
    "rprop": {"optimizer": "rprop", "schedule": "constant"},
    "dampened": {**SGD, "nesterov": False, "optimizer_arguments": {"dampening": 0.5}},
}
BOTH = pytest.mark.parametrize("fields", [ADAM, SGD], ids=["adam", "sgd"])


@pytest.fixture
def called(monkeypatch):
    """Steps that go the captured way; the list holds a word for each warm-up and for each replay."""
    words = []
    real = steps.Steps.__init__

    def as_on_cuda(self, *arguments, graph, **named):
        real(self, *arguments, graph=True, **named)

    def capture(step, generator):
        for _ in range(3):
            step()
        words.append("captured")

        def replay():
            words.append("replayed")
            step()

        return replay

    monkeypatch.setattr(steps.Steps, "__init__", as_on_cuda)
    monkeypatch.setattr(steps, "capture", capture)
    return words


@BOTH
def test_captured_steps_give_the_numbers_of_plain_ones(fields, called, monkeypatch):
    records, outcome = run(fields)
    assert called == ["captured", *["replayed"] * 6]  # in each of three epochs two whole batches and a larger last one
    monkeypatch.undo()
    plain, other = run(fields)
    assert numbers(records) == numbers(plain)
    assert_same(outcome, other)


@pytest.mark.parametrize("fields", OTHERS.values(), ids=OTHERS)
def test_what_does_not_begin_with_zeros_makes_its_first_step_before_the_graph(fields, called, monkeypatch):
    records, outcome = run({**ADAM, **fields})
    assert called == ["captured", *["replayed"] * 5]
    monkeypatch.undo()
    plain, other = run({**ADAM, **fields})
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

    monkeypatch.setattr(steps, "capture", fails)
    with caplog.at_level(logging.WARNING, logger="worker.steps"):
        records, outcome = run(fields)
    assert caplog.text.count("no CUDA graph was captured") == 1
    assert not outcome.captured
    monkeypatch.undo()
    plain, other = run(fields)
    assert numbers(records) == numbers(plain)
    assert_same(outcome, other)


class AnyGenerator(torch.Generator):
    """For tensors without values too, which have none of their own."""

    def __new__(cls, device=None):
        return super().__new__(cls)


@pytest.mark.parametrize("variant", ["baseline", "both", "both_augmented", "advanced", "resnet"])
def test_no_step_of_the_suite_asks_the_device_or_takes_numbers_from_the_host(variant, monkeypatch):
    """Tensors without values stand for a card's: a graph that is captured may neither wait nor read the host's."""
    given, images = load_suite().variants[variant].config, 300
    # autocast knows no such device
    monkeypatch.setattr(steps, "logits_of", lambda model, given, precision: model(given))
    model = new_network(given, 1, 20, None).to("meta").to(memory_format=torch.channels_last).train()
    draws = augmentation.draw(given.augmentation, images, torch.Generator().manual_seed(1))
    with torch.device("meta"):
        pictures, labels = torch.empty(images, 32, 32, 3, dtype=torch.uint8), torch.empty(images).long()
    with monkeypatch.context() as pretended:
        pretended.setattr(torch, "Generator", AnyGenerator)
        fused = sys.modules["torch.optim.optimizer"]
        pretended.setattr(fused, "_get_fused_kernels_supported_devices", lambda: ["meta"])
        pretended.setattr(torch, "_fused_sgd_", lambda *_, **__: None)  # PyTorch has it for values only
        made = steps.Steps(model, make_optimizer(given, model), pictures, labels, given, graph=False)
        made._draws = draws.to(torch.device("meta"))
        for _ in range(2):
            made._train_at_first()
    assert {value.device.type for value in made._state()} == {"meta"}
    with pytest.raises(RuntimeError, match="meta"):
        made.sums.tolist()  # what a card would have to wait for is noticed here


@pytest.mark.parametrize(
    ("fields", "last"),
    [
        (ADAM, 1e-3),
        (SGD, 0.0),
        ({"schedule": "one_cycle", "learning_rate": 1.0, "one_cycle_start": 10, "one_cycle_end": 10}, 0.01),
        ({"schedule": "constant", "warmup_epochs": 2.5, "learning_rate": 0.02}, 0.02),
        ({"schedule": "constant", "warmup_epochs": 8, "learning_rate": 1.0}, 0.01 + 0.99 * 11 / 24),
    ],
    ids=["plateau", "cosine", "one-cycle", "warm-up", "a warm-up that does not end"],
)
def test_a_learning_rate_on_the_device_follows_the_schedule(fields, last, monkeypatch):
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
    assert float(rates[0]) == pytest.approx(last, abs=1e-8)
