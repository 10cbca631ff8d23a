"""The engine on small made-up images: it learns, it stops, and it goes on bit for bit."""

from typing import get_args

import numpy as np
import pytest
import torch
from small_trainings import (
    CPU,
    EVERY_AUGMENTATION,
    SMALL,
    SPLITS,
    assert_same,
    assert_same_tensors,
    config,
    numbers,
    run,
)

from db.errors import TrainingError
from scheduler.augmentations import Augmentation
from worker.batches import batch_bounds
from worker.checkpoints import Checkpoints
from worker.engine import Hooks, Stopped, train

CONFIGS = {
    "adam, plateau, dropout, augmentation": {
        "arguments": {**SMALL, "batch_norm": True, "dropout": 0.5},
        "augmentation": ["flip", "crop", {"name": "cutout", "size": 8}],
        "plateau_patience": 0,
    },
    "every augmentation": {
        "arguments": {**SMALL, "batch_norm": True},
        "augmentation": EVERY_AUGMENTATION,
        "label_smoothing": 0.1,
    },
    "unit dropout": {"arguments": {**SMALL, "dropout": 0.25, "dropout_kind": "unit"}},
    "sgd, cosine, smoothing": {
        "model": "resnet",
        "arguments": {"stage_depths": [4, 8], "blocks": 1},
        "optimizer": "sgd",
        "learning_rate": 0.05,
        "momentum": 0.9,
        "nesterov": True,
        "schedule": "cosine",
        "label_smoothing": 0.1,
        "early_stopping_patience": 0,
    },
    "advanced": {
        "model": "advanced_cnn",
        "arguments": {"block_depths": [4, 8], "hidden_units": [16]},
    },
    "convolutions by tiles": {"model": "resnet", "arguments": {"stage_depths": [32], "blocks": 1}},
}


@pytest.mark.parametrize("fields", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("stop_at", [1, 2, 4, 6])
def test_an_interrupted_training_goes_on_bit_for_bit(fields, stop_at, tmp_path):
    ends = []
    records, outcome = run(fields, save=ends.append, save_at_end=True)
    asked = iter(range(1, 1000))
    checkpoints = Checkpoints(str(tmp_path / "c"), key="k")
    before = []
    hooks = Hooks(on_epoch=before.append, should_stop=lambda: next(asked) >= stop_at, save=checkpoints.save)
    with pytest.raises(Stopped):
        train(config(**fields), 7, SPLITS, device=CPU, hooks=hooks)
    snapshot, warning = checkpoints.load()
    assert warning == ""
    after, resumed = run(fields, resume=snapshot, save=ends.append, save_at_end=True)
    assert numbers([*before[: snapshot.epoch], *after]) == numbers(records)
    assert_same(resumed, outcome)
    assert_same_tensors(*(end.tensors for end in ends))


def test_every_augmentation_is_among_those_that_are_stopped_and_go_on():
    known = {model.model_fields["name"].default for model in get_args(get_args(Augmentation)[0])}
    assert {one.name for one in config(**CONFIGS["every augmentation"]).augmentation} == known


def test_checkpoints_on_the_way_change_no_number():
    saved = []
    fields = CONFIGS["adam, plateau, dropout, augmentation"]
    records, outcome = run(fields)
    others, other = run(fields, save=saved.append, checkpoint_s=0)
    assert len(saved) > 3
    assert numbers(others) == numbers(records)
    assert_same(other, outcome)


def test_the_same_seed_gives_the_same_numbers_and_another_one_others():
    fields = CONFIGS["unit dropout"]
    assert numbers(run(fields)[0]) == numbers(run(fields)[0])
    assert numbers(run(fields)[0]) != numbers(run(fields, seed=8)[0])


def test_nothing_draws_from_the_global_generator():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    run(CONFIGS["adam, plateau, dropout, augmentation"])
    run(CONFIGS["every augmentation"])
    assert torch.equal(before, torch.random.get_rng_state())


def test_it_learns_what_can_be_learned():
    _, outcome = run({"epochs": 20, "learning_rate": 0.01})
    assert outcome.best.test_accuracy > 0.9
    assert outcome.best.test_accuracy == np.trace(outcome.best.confusion) / 30


def test_best_weights_are_those_of_the_lowest_validation_loss():
    records, outcome = run({"epochs": 6, "learning_rate": 0.02})
    best = min(records, key=lambda record: record.val_loss)
    assert (outcome.best.epoch, outcome.best.val_loss) == (best.epoch, best.val_loss)
    assert outcome.last.epoch == 6


def test_early_stopping_waits_as_long_as_the_config_says():
    records, outcome = run({"epochs": 60, "learning_rate": 0.02, "early_stopping_patience": 2})
    assert outcome.stopped_early
    assert outcome.epochs == len(records) == outcome.best.epoch + 2


def test_a_loss_that_is_not_finite_ends_the_training():
    with pytest.raises(TrainingError, match="not finite") as caught:
        run({"optimizer": "sgd", "learning_rate": 1e30, "schedule": "constant"})
    assert caught.value.cause == "diverged"


def test_a_tail_of_one_image_joins_the_batch_before_it():
    assert batch_bounds(49, 16) == [(0, 16), (16, 32), (32, 49)]
    assert batch_bounds(50, 16)[-1] == (48, 50)
    assert batch_bounds(1, 16) == [(0, 1)]
