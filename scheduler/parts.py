"""Training, validation and test part of a user's own data: which are given, and whether the others can be made."""

import math
from collections.abc import Callable, Sequence

from db.errors import DataError

PARTS = ("train", "val", "test")
"""A training part there always is; a part that is not given is made of it."""
MOST_IMAGES, MOST_CLASSES = 2 * 10**7, 2000
"""That are read of a file; its numbers are checked before its labels are."""


def test_share(counts: Sequence[int], fraction: float) -> list[int]:
    """How many images of each class a made test part takes: the nearest share, but one at least, and never all."""
    return [max(0, min(max(1, round(fraction * count)), count - 1)) for count in counts]


def training_share(images: int, fraction: float) -> int:
    """How many train where this share of them validates, as scikit-learn rounds it."""
    return images - math.ceil(fraction * images)


def check_parts(
    place: str,
    named: Callable[[int], str],
    train: Sequence[int],
    *,
    val: bool,
    test: bool,
    validation_fraction: float,
    test_fraction: float,
) -> int:
    """How many images of the training part go into a made test part: 0 where one is given.

    `train` counts its images by class, `named` says which class that is, `val` and `test` are whether these are given.
    Raises DataError when the images are too few for the parts that are to be made of them.
    """
    least, label = 1 + (not val) + (not test), min(range(len(train)), key=lambda label: train[label])
    if train[label] < least:
        number = ("no image", "a single image")[train[label]] if train[label] < 2 else f"{train[label]} images"
        fix = "add an image of that class" if least - train[label] == 1 else f"add images of that class, to {least}"
        raise DataError(f"{named(label)} has {number}: too few to split", fix=fix)
    taken = [0] * len(train) if test else test_share(train, test_fraction)
    if not val:
        _check_stratified(place, sum(train) - sum(taken), len(train), validation_fraction)
    return sum(taken)


def _check_stratified(place: str, images: int, classes: int, fraction: float) -> None:
    training = training_share(images, fraction)
    if min(training, images - training) < classes:
        raise DataError(
            f"{place} has {images} images of {classes} classes: too few to split with validation_fraction {fraction:g}",
            fix="add images, so that each class can have one in the training and one in the validation part",
        )
