"""What the engine's benchmarks train: networks of the built-in suite on made-up images, in a process like a slot's."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from scheduler.config import Config
from scheduler.suite import load_suite
from worker.allocator import keep_freed_memory
from worker.splits import Part, Splits

CPU = torch.device("cpu")
CLASSES = 20
SHARE = {"baseline": 1, "both_augmented": 2, "advanced": 8, "resnet": 8}
"""The slow networks train on one image in so many, so that each of them takes about as long."""


def as_slot() -> None:
    """From now on this process, and those that it spawns, use one thread each, as a worker's slot does."""
    # torch reads these when it is loaded, which is too late here and early enough for a process that is spawned
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    keep_freed_memory()


def config_of(variant: str, *, epochs: int) -> Config:
    """The built-in suite's config of that name, trained to the last epoch."""
    given = load_suite().variants[variant].config
    return given.model_copy(update={"epochs": epochs, "early_stopping_patience": 0})


def made_up(images: int, seed: int) -> Part:
    """Noise in the shape of CIFAR's pictures; no side's speed depends on what is in them."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (images, 3, 32, 32), dtype=np.uint8)
    return Part(pixels, np.arange(images, dtype=np.int64) % CLASSES)


def to_train_on(part: Part) -> Splits:
    """With two images each to validate and to test on: what is timed is the training."""
    few = made_up(2, 2)
    return Splits(
        name="made up", fingerprint="", classes=tuple(map(str, range(CLASSES))), train=part, val=few, test=few
    )


def write_classes(part: Part, folder: Path) -> None:
    """The images as PNG files, one folder for each class."""
    for label in range(CLASSES):
        (folder / f"{label:02d}").mkdir(parents=True)
    for number, (image, label) in enumerate(zip(part.images, part.labels, strict=True)):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{label:02d}" / f"{number:06d}.png")


def write_dataset(images: int, folder: Path) -> str:
    """An image folder of so many training images, and two test images of each class; gives its name for a config."""
    write_classes(made_up(images, 1), folder / "train")
    write_classes(made_up(2 * CLASSES, 2), folder / "test")
    return f"folder:{folder}"
