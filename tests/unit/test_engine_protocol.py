"""The engine does what the config says, no more: each number against one computed another way."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_trainings import FROZEN, MISLEADING, SMALL, SPLITS, config, made, numbers, part, run

from db.records import Weights
from models import build_model
from worker import randomness
from worker.batches import batch_bounds
from worker.optimizers import make_optimizer
from worker.schedules import Schedule
from worker.splits import Part

NORMED = {**SMALL, "batch_norm": True}
DROPPED = {**SMALL, "dropout": 0.5}
PLAIN_LOOPS = {
    "adam": ({}, lambda weights: torch.optim.Adam(weights, 1e-3)),
    "adam, decay": ({"weight_decay": 0.5}, lambda weights: torch.optim.Adam(weights, 1e-3, weight_decay=0.5)),
    "sgd": (
        {"optimizer": "sgd", "learning_rate": 0.02},
        lambda weights: torch.optim.SGD(weights, 0.02),
    ),
    "sgd, nesterov, decay, smoothing": (
        {
            "optimizer": "sgd",
            "learning_rate": 0.02,
            "momentum": 0.9,
            "nesterov": True,
            "weight_decay": 0.1,
            "label_smoothing": 0.1,
        },
        lambda weights: torch.optim.SGD(weights, 0.02, momentum=0.9, nesterov=True, weight_decay=0.1),
    ),
}


def as_floats(images):
    return torch.from_numpy(images).float() / 255


@pytest.mark.parametrize(("fields", "optimizer_of"), PLAIN_LOOPS.values(), ids=PLAIN_LOOPS)
def test_the_engine_trains_like_a_plain_loop(fields, optimizer_of):
    """Network, batches and optimizer written by hand, in the plain layout: equal but for the order of sums.

    Adam makes steps of full size out of the rounding noise of a bias that batch norm cancels, hence a thousandth.
    """
    records, _ = run({"arguments": NORMED, "epochs": 2, "schedule": "constant", **fields})
    torch.manual_seed(randomness.derive(7, 0, 0, "weights"))
    model = build_model("small_cnn", classes=3, **NORMED)
    optimizer = optimizer_of(model.parameters())
    images, labels = as_floats(SPLITS.train.images), torch.from_numpy(SPLITS.train.labels)
    truth = torch.from_numpy(SPLITS.val.labels)
    for record in records:
        total = 0.0
        model.train()
        for start, end in batch_bounds(49, 16):
            rows = randomness.permutation(7, record.epoch, 49)[start:end]
            loss = F.cross_entropy(model(images[rows]), labels[rows], label_smoothing=fields.get("label_smoothing", 0))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        val_loss = F.cross_entropy(model.eval()(as_floats(SPLITS.val.images)), truth).item()
        assert (record.train_loss, record.val_loss) == pytest.approx((total / 49, val_loss), rel=1e-3)


def test_the_test_loss_is_that_of_the_true_classes_whatever_smoothing_was_trained_with():
    _, outcome = run({"label_smoothing": 0.5})
    seen = outcome.predictions[Weights.LAST]
    of_the_truth = seen.probabilities[np.arange(30), seen.labels]
    assert outcome.last.test_loss == pytest.approx(-np.log(of_the_truth).mean(), rel=1e-5)
    assert outcome.last.test_accuracy == (seen.probabilities.argmax(1) == seen.labels).mean()


def test_sgd_steps_as_nesterovs_equation_says():
    weight = torch.nn.Linear(1, 1, bias=False)
    optimizer = make_optimizer(config(optimizer="sgd", momentum=0.9, nesterov=True, weight_decay=0.5), weight)
    torch.nn.init.constant_(weight.weight, 2.0)
    expected, velocity = 2.0, 0.0
    for gradient in (1.0, -3.0, 0.5):
        decayed = gradient + 0.5 * expected
        velocity = 0.9 * velocity + decayed
        expected -= 1e-3 * (decayed + 0.9 * velocity)
        weight.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
    assert weight.weight.item() == pytest.approx(expected, rel=1e-6)


def test_the_cosine_falls_to_nearly_nothing_in_the_last_epoch():
    records, _ = run({"schedule": "cosine", "learning_rate": 0.01, "epochs": 4})
    by_hand = [0.01 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert [record.learning_rate for record in records] == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("factor", "patience", "rates"),
    [
        (0.5, 0, [1, 1, 0.5, 0.25, 0.125, 0.125, 0.0625]),
        (0.1, 1, [1, 1, 1, 0.1, 0.1, 0.1, 0.1]),
        (0.5, 2, [1, 1, 1, 1, 0.5, 0.5, 0.5]),
    ],
)
def test_a_plateau_is_waited_for_and_left_as_the_config_says(factor, patience, rates):
    chosen = config(learning_rate=1.0, plateau_factor=factor, plateau_patience=patience)
    schedule = Schedule(chosen, make_optimizer(chosen, torch.nn.Linear(1, 1)))
    seen = []
    for epoch, val_loss in enumerate((3.0, 3.0, 3.1, 3.2, 2.0, 2.5, 1.9), start=1):
        seen.append(schedule.learning_rate)
        schedule.end_epoch(epoch, val_loss)
    assert seen == pytest.approx(rates)


def test_the_learning_rate_follows_the_validation_loss_not_the_training_loss():
    fields = {"epochs": 8, "learning_rate": 0.01, "plateau_patience": 0, "early_stopping_patience": 0}
    records, _ = run(fields, splits=MISLEADING)
    train_losses = [record.train_loss for record in records]
    assert train_losses == sorted(train_losses, reverse=True)
    expected, best = [0.01], math.inf
    for record in records[:-1]:
        # torch's plateau wants a loss lower by one part in ten thousand
        expected.append(expected[-1] * (1 if record.val_loss < best * (1 - 1e-4) else 0.5))
        best = min(best, record.val_loss)
    assert [record.learning_rate for record in records] == pytest.approx(expected)
    assert expected[-1] < 0.01


def test_the_test_set_sees_the_best_and_the_last_weights_each_under_its_name():
    fields = {"learning_rate": 0.01, "schedule": "constant", "early_stopping_patience": 0}
    _, long = run({**fields, "epochs": 6}, splits=MISLEADING)
    _, short = run({**fields, "epochs": long.best.epoch}, splits=MISLEADING)
    assert long.best.epoch < 6
    best, last = long.predictions[Weights.BEST].probabilities, long.predictions[Weights.LAST].probabilities
    assert (best == short.predictions[Weights.LAST].probabilities).all()
    assert (long.best.test_loss, long.best.confusion) == (short.last.test_loss, short.last.confusion)
    assert not np.allclose(last, best, rtol=0.01)
    truth = np.arange(30), SPLITS.test.labels
    assert long.last.test_loss == pytest.approx(-np.log(last[truth]).mean(), rel=1e-5)


def alike(images):
    """So many copies of one image: whatever differs between two batches is drawn."""
    one = part(1, 4)
    return made(Part(one.images.repeat(images, axis=0), one.labels.repeat(images)), part(24, 2))


def test_each_epoch_draws_other_dropout_masks():
    records, _ = run({"arguments": DROPPED, "epochs": 3, **FROZEN}, splits=alike(16))
    assert len({round(record.train_loss, 4) for record in records}) == 3


def test_each_step_draws_other_dropout_masks():
    (one_step,), _ = run({"arguments": DROPPED, "epochs": 1, **FROZEN}, splits=alike(16))
    (two_steps,), _ = run({"arguments": DROPPED, "epochs": 1, **FROZEN}, splits=alike(32))
    assert abs(two_steps.train_loss - one_step.train_loss) > 1e-4


def test_each_epoch_draws_another_order():
    # batch norm sees which images share a batch; nothing else here depends on the order
    records, _ = run({"arguments": NORMED, "epochs": 3, **FROZEN})
    assert len({round(record.train_loss, 4) for record in records}) == 3


def test_each_epoch_draws_another_augmentation():
    plain, _ = run({"epochs": 3, **FROZEN}, splits=alike(16))
    assert len({round(record.train_loss, 6) for record in plain}) == 1
    records, _ = run({"epochs": 3, "augmentation": ["crop"], **FROZEN}, splits=alike(16))
    assert len({round(record.train_loss, 6) for record in records}) == 3


def test_the_validation_images_are_never_augmented():
    fields = {"epochs": 1, **FROZEN}
    (plain,), _ = run(fields)
    (augmented,), _ = run({**fields, "augmentation": [{"name": "cutout", "size": 32}]})
    assert augmented.train_loss != pytest.approx(plain.train_loss, rel=1e-3)
    assert augmented.val_loss == pytest.approx(plain.val_loss, rel=1e-6)


def test_the_test_set_has_no_say_in_the_training():
    records, outcome = run({})
    other = replace(SPLITS, test=part(12, 99))
    others, _ = run({}, splits=other)
    assert numbers(others) == numbers(records)
    assert len(outcome.predictions[Weights.BEST].labels) == 30


@pytest.mark.parametrize(
    "other", [(8, 1, 2, "dropout"), (7, 2, 2, "dropout"), (7, 1, 3, "dropout"), (7, 1, 2, "order")]
)
def test_every_part_of_its_name_changes_a_draw(other):
    assert randomness.derive(*other) != randomness.derive(7, 1, 2, "dropout")


def test_a_draw_is_the_same_for_every_machine_and_python():
    # a change here is another engine: ENGINE_REVISION goes up
    assert randomness.derive(7, 1, 2, "dropout") == 137792901077798015
    assert randomness.permutation(7, 1, 6).tolist() == [3, 5, 1, 4, 0, 2]
