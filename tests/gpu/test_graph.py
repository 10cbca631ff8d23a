"""Steps captured as a CUDA graph: the numbers of plain steps, and the same ones each time."""

import pytest
import torch
from small_trainings import EVERY_AUGMENTATION, SMALL, assert_same, numbers, of_size, run

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
