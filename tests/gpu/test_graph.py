"""Steps captured as a CUDA graph: the numbers of plain steps, and the same ones each time."""

import pytest
import torch
from small_trainings import EVERY_AUGMENTATION, SMALL, assert_same, assert_same_tensors, config, numbers, of_size, run

from scheduler.optimizers import OPTIMIZERS
from worker.engine import Stopped
from worker.optimizers import can_be_captured

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda")
FIELDS = {
    "adam": {"arguments": {**SMALL, "batch_norm": True, "dropout": 0.5}, "augmentation": ["flip", "crop"]},
    "sgd": {
        "model": "resnet",
        "arguments": {"stage_depths": [16, 32], "blocks": 1},
        "augmentation": ["flip", "cutout"],
        "optimizer": "sgd",
        "learning_rate": 0.05,
        "momentum": 0.9,
        "nesterov": True,
        "schedule": "cosine",
    },
    "every augmentation": {"arguments": SMALL, "augmentation": EVERY_AUGMENTATION, "label_smoothing": 0.1},
}
EACH = pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)


@EACH
def test_a_captured_training_gives_the_numbers_of_a_plain_one_within_tolerance(fields):
    records, outcome = run(fields, device=CUDA)
    plain, other = run(fields, device=CUDA, graph=False)
    assert outcome.captured
    assert not other.captured
    for ours, theirs in zip(records, plain, strict=True):
        assert ours.learning_rate == theirs.learning_rate
        assert (ours.train_loss, ours.val_loss) == pytest.approx((theirs.train_loss, theirs.val_loss), rel=1e-3)


@EACH
def test_a_captured_training_gives_the_same_numbers_each_time(fields):
    records, outcome = run(fields, device=CUDA)
    again, other = run(fields, device=CUDA)
    assert numbers(records) == numbers(again)
    assert_same(outcome, other)


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (15, 3), (64, 1)])
@EACH
def test_a_captured_training_of_other_pictures_gives_the_numbers_of_a_plain_one(fields, side, channels):
    of_pictures = {**fields, "image_size": side, "channels": channels}
    (records, outcome), (plain, _) = (
        run(of_pictures, splits=of_size(side, channels), device=CUDA, graph=graph) for graph in (True, False)
    )
    assert outcome.captured
    for ours, theirs in zip(records, plain, strict=True):
        assert (ours.train_loss, ours.val_loss) == pytest.approx((theirs.train_loss, theirs.val_loss), rel=1e-3)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("graph", [True, False], ids=["captured", "step by step"])
@pytest.mark.parametrize("schedule", ["one_cycle", "warm-up"])
def test_with_every_optimizer_a_training_goes_on_bit_for_bit(name, schedule, graph):
    moving = {"schedule": "one_cycle"} if schedule == "one_cycle" else {"schedule": "cosine", "warmup_epochs": 1.5}
    fields = {
        "arguments": {**SMALL, "batch_norm": True},
        "optimizer": name,
        "gradient_clip": 1.0,
        "momentum": 0.9 if name == "sgd" else 0.0,
        **({"schedule": "constant"} if name == "rprop" else moving),
    }
    ends, saved, asked = [], [], iter(range(1, 1000))
    records, outcome = run(fields, device=CUDA, graph=graph, save=ends.append, save_at_end=True)
    assert outcome.captured == (graph and can_be_captured(config(**fields), CUDA))
    with pytest.raises(Stopped):
        run(fields, device=CUDA, graph=graph, should_stop=lambda: next(asked) >= 5, save=saved.append)
    after, resumed = run(fields, device=CUDA, graph=graph, resume=saved[-1], save=ends.append, save_at_end=True)
    assert numbers(after) == numbers(records)[1:]
    assert_same(resumed, outcome)
    assert_same_tensors(*(end.tensors for end in ends))


MORE = {
    "adam, amsgrad": {"optimizer": "adam", "weight_decay": 0.01, "optimizer_arguments": {"amsgrad": True}},
    "adam, decoupled": {
        "optimizer": "adam",
        "weight_decay": 0.1,
        "optimizer_arguments": {"decoupled_weight_decay": True},
    },
    "rmsprop, centered": {"optimizer": "rmsprop", "weight_decay": 0.01, "optimizer_arguments": {"centered": True}},
    "sgd, dampened": {
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "momentum": 0.9,
        "weight_decay": 0.01,
        "optimizer_arguments": {"dampening": 0.5},
    },
}


@pytest.mark.parametrize("fields", MORE.values(), ids=MORE)
def test_arguments_of_an_optimizer_hold_in_captured_steps(fields):
    wanted = {"arguments": SMALL, "schedule": "cosine", "warmup_epochs": 1, **fields}
    (records, outcome), (plain, _) = (run(wanted, device=CUDA, graph=graph) for graph in (True, False))
    assert outcome.captured
    for ours, theirs in zip(records, plain, strict=True):
        assert (ours.train_loss, ours.val_loss) == pytest.approx((theirs.train_loss, theirs.val_loss), rel=1e-3)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "rprop"])  # it reads its rate once
def test_a_graph_heeds_the_learning_rate_of_each_step(name):
    """A rate that was fixed when the graph was captured would train as at the beginning of the warm-up."""
    fields = {"optimizer": name, "schedule": "constant", "epochs": 6, "early_stopping_patience": 0}
    frozen, _ = run({**fields, "learning_rate": 1e-5}, device=CUDA)
    warmed, _ = run({**fields, "learning_rate": 1e-3, "warmup_epochs": 3}, device=CUDA)
    plain, _ = run({**fields, "learning_rate": 1e-3, "warmup_epochs": 3}, device=CUDA, graph=False)
    ours, theirs, still = (one[-1].train_loss for one in (warmed, plain, frozen))
    assert abs(ours - theirs) < 0.1 * abs(theirs - still)
