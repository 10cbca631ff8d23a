"""What each augmentation costs, beside a training step of two networks at batch 32, by CPU time.

In turns, in one process set up as a slot: the pictures of some batches without augmentation, then with each one (its
draws, what changes the pictures, and the mixing with it), then steps of `small_cnn` and of `resnet` without any. Cost =
what a batch takes longer with it than without; ratio = cost / step, of the same round.

    python -m benchmarks.augmentation --batches 40
"""

import argparse
from collections.abc import Mapping

import torch
from torch import Tensor

from benchmarks.measures import Measure, add_save, conclude
from benchmarks.trainings import CPU, as_slot, config_of, made_up, to_train_on
from benchmarks.turns import Stopwatch
from scheduler.augmentations import (
    Affine,
    Augmentation,
    ColorJitter,
    Crop,
    Cutmix,
    Cutout,
    Flip,
    Mixup,
    RandomErasing,
    TrivialAugment,
)
from worker.augmentation import apply, draw
from worker.batches import resident
from worker.engine import Hooks, Training
from worker.mixing import mix_of, mixed_input
from worker.stopwatch import Stopwatch as EpochWatch

BATCH = 32
LISTS: Mapping[str, tuple[Augmentation, ...]] = {
    "flip + crop": (Flip(), Crop()),
    "cutout": (Cutout(),),
    "random_erasing": (RandomErasing(),),
    "affine": (Affine(translate=0.1, scale=(0.8, 1.2)),),
    "color_jitter, all four": (ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),),
    "color_jitter without hue": (ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4),),
    "trivial_augment": (TrivialAugment(),),
    "mixup": (Mixup(),),
    "cutmix": (Cutmix(),),
    "flip + crop + trivial_augment + mixup": (Flip(), Crop(), TrivialAugment(), Mixup()),
}
NETWORKS = {"small_cnn": ("baseline", 1), "resnet": ("resnet", 10)}
"""A variant of each network, and the part of the batches that it is given."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=40, help="of 32 images, in each turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns that count")
    add_save(parser)
    options = parser.parse_args()
    as_slot()
    conclude("augmentation", measured(options.batches, options.rounds), save=options.save)


def measured(batches: int, rounds: int) -> list[Measure]:
    images, _ = resident(made_up(batches * BATCH, 1), CPU)
    trainings = {name: training_of(variant, max(1, batches // part)) for name, (variant, part) in NETWORKS.items()}
    steps: dict[str, list[float]] = {name: [] for name in NETWORKS}
    costs: dict[str, list[float]] = {name: [] for name in LISTS}
    for turn in range(rounds + 1):  # the first one warms up
        plain_ms = pictures_ms(images, ())
        of_lists = {name: pictures_ms(images, given) - plain_ms for name, given in LISTS.items()}
        of_steps = {name: step_ms(training) for name, training in trainings.items()}
        if turn:
            for name, value in of_lists.items():
                costs[name].append(value)
            for name, value in of_steps.items():
                steps[name].append(value)
    found = [Measure(what=f"a step of {name}", unit="CPU ms", values=tuple(values)) for name, values in steps.items()]
    for name, values in costs.items():
        found.append(Measure(what=name, unit="CPU ms/batch", values=tuple(values)))
        for network, of_steps_ms in steps.items():
            shares = tuple(cost / step for cost, step in zip(values, of_steps_ms, strict=True))
            found.append(Measure(what=f"{name} / a step of {network}", unit="ratio", values=shares))
    return found


def training_of(variant: str, batches: int) -> Training:
    given = config_of(variant, epochs=1).model_copy(update={"augmentation": (), "batch_size": BATCH})
    return Training(given, 1, to_train_on(made_up(batches * BATCH, 1)), CPU, Hooks())


def step_ms(training: Training) -> float:
    """Of an epoch, of which every one trains on the same batches."""
    watch = Stopwatch()
    training.run_epoch(EpochWatch(CPU))
    return 1000 * watch.lap().cpu_s / len(training.bounds)


def pictures_ms(images: Tensor, given: tuple[Augmentation, ...]) -> float:
    """Milliseconds a batch, from the draws of an epoch to the network's input."""
    number, side = len(images), images.shape[1]
    watch = Stopwatch()
    draws = draw(given, number, torch.Generator().manual_seed(1), side=side)
    order = torch.arange(number)
    for start in range(0, number, BATCH):
        batch = slice(start, start + BATCH)
        drawn = draws.at(batch)
        mixed_input(apply(images, order[batch], given, drawn), mix_of(given, drawn.values, side=side))
    return 1000 * watch.lap().cpu_s / (number / BATCH)


if __name__ == "__main__":
    main()
