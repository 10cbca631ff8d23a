"""Trainings that take a fraction of a second: made-up images, small networks, the real engine."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from db.records import EpochRecord
from scheduler.config import Config
from worker.engine import Hooks, Outcome, train
from worker.snapshot import Snapshot
from worker.splits import Part, Splits

CPU = torch.device("cpu")
SMALL = {"conv_depths": [4, 8], "hidden_units": 16}
EVERY_AUGMENTATION = [
    "flip",
    "crop",
    {"name": "cutout", "size": 4},
    "random_erasing",
    {"name": "affine", "translate": 0.1, "scale": [0.8, 1.2]},
    {"name": "color_jitter", "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "trivial_augment",
    "mixup",
    "cutmix",
]
FROZEN = {"learning_rate": 1e-12}  # too small to move a float32 weight: every epoch sees the initial ones


def part(images: int, seed: int) -> Part:
    """Three classes that differ in their brightness, with noise."""
    random = np.random.default_rng(seed)
    labels = np.arange(images) % 3
    pixels = random.integers(0, 120, (images, 3, 32, 32)) + 60 * labels[:, None, None, None]
    return Part(pixels.astype(np.uint8), labels.astype(np.int64))


def made(train_part: Part, val_part: Part) -> Splits:
    """These parts, and always the same test set."""
    return Splits(
        name="made", fingerprint="f", classes=("a", "b", "c"), train=train_part, val=val_part, test=part(30, 3)
    )


def of_size(side: int, channels: int) -> Splits:
    """Three classes of noise in pictures of that form."""

    def noise(images: int, seed: int) -> Part:
        pixels = np.random.default_rng(seed).integers(0, 256, (images, channels, side, side), dtype=np.uint8)
        return Part(pixels, (np.arange(images) % 3).astype(np.int64))

    parts = {"train": noise(49, 1), "val": noise(24, 2), "test": noise(30, 3)}
    return Splits(name="made", fingerprint="f", classes=("a", "b", "c"), **parts)


SPLITS = made(part(49, 1), part(24, 2))
# what is learned of the training images is wrong for these: the validation loss soon rises
MISLEADING = made(part(48, 1), Part(part(24, 2).images, (part(24, 2).labels + 1) % 3))


def config(epochs: int = 3, **fields: Any) -> Config:
    return Config.parse({"dataset": "made", "batch_size": 16, "epochs": epochs, "arguments": SMALL, **fields})


def run(
    fields: dict[str, Any],
    *,
    splits: Splits = SPLITS,
    seed: int = 7,
    resume: Snapshot | None = None,
    on_epoch: Callable[[EpochRecord], object] = lambda record: None,
    device: torch.device = CPU,
    graph: bool = True,
    **hooks: Any,
) -> tuple[list[EpochRecord], Outcome]:
    """Train with these fields of a config; the rows of its history, and how it ended."""
    records: list[EpochRecord] = []

    def note(record: EpochRecord) -> None:
        records.append(record)
        on_epoch(record)

    told = Hooks(on_epoch=note, **hooks)
    outcome = train(config(**fields), seed, splits, device=device, hooks=told, resume=resume, graph=graph)
    return records, outcome


def numbers(records: list[EpochRecord]) -> list[dict[str, float]]:
    """The rows without their times."""
    return [{k: v for k, v in asdict(record).items() if not k.endswith("_s")} for record in records]


def assert_same(outcome: Outcome, other: Outcome) -> None:
    """Equal bit for bit, probabilities included."""
    for weights, ours in outcome.predictions.items():
        assert (ours.probabilities == other.predictions[weights].probabilities).all()
    assert (outcome.best, outcome.last) == (other.best, other.last)


def assert_same_tensors(tensors: dict[str, Tensor], others: dict[str, Tensor]) -> None:
    """Weights, best weights and the optimizer's, bit for bit."""
    assert tensors.keys() == others.keys()
    assert {name.partition(".")[0] for name in tensors} == {"model", "best", "optimizer"}
    assert [name for name, value in tensors.items() if not torch.equal(value, others[name])] == []
