"""What a report shows of a data set, made once by the first worker that loads it."""

import numpy as np
from numpy.typing import NDArray

from db.records import Dataset, ImageGrid
from scheduler.augmentations import Augmentation, Crop, Cutout, Flip
from worker.augmentation import augment_images
from worker.splits import Part, Splits

_SAMPLES = 5  # of each class
_EXAMPLES = 6  # images, each of another class
_SEED = 7
AUGMENTATIONS: dict[str, tuple[Augmentation, ...]] = {
    "original": (),
    "flip": (Flip(probability=1.0),),
    "crop": (Crop(padding=4),),
    "flip + crop": (Flip(probability=1.0), Crop(padding=4)),
    "cutout": (Cutout(size=8),),
}


def dataset_record(splits: Splits) -> Dataset:
    return Dataset(
        name=splits.name,
        fingerprint=splits.fingerprint,
        classes=splits.classes,
        train_counts=_counts(splits.train, len(splits.classes)),
        val_counts=_counts(splits.val, len(splits.classes)),
        test_counts=_counts(splits.test, len(splits.classes)),
        samples=_samples(splits),
        augmentation=_augmentation(splits),
        notices=splits.notices,
    )


def _counts(part: Part, classes: int) -> tuple[int, ...]:
    return tuple(int(count) for count in np.bincount(part.labels, minlength=classes))


def _first(part: Part, label: int, number: int) -> NDArray[np.uint8]:
    """(number, 32, 32, 3); a class with fewer images repeats its last one."""
    rows = np.flatnonzero(part.labels == label)[:number]
    rows = np.pad(rows, (0, number - len(rows)), mode="edge")
    return part.images[rows].transpose(0, 2, 3, 1)


def _samples(splits: Splits) -> ImageGrid:
    pixels = np.stack([_first(splits.train, label, _SAMPLES) for label in range(len(splits.classes))])
    return ImageGrid(pixels=pixels, rows=splits.classes, columns=tuple(str(n + 1) for n in range(_SAMPLES)))


def _augmentation(splits: Splits) -> ImageGrid:
    labels = range(min(_EXAMPLES, len(splits.classes)))
    originals = np.concatenate([_first(splits.train, label, 1) for label in labels]).transpose(0, 3, 1, 2)
    columns = [augment_images(originals, augmentation, seed=_SEED) for augmentation in AUGMENTATIONS.values()]
    pixels = np.stack([column.transpose(0, 2, 3, 1) for column in columns], axis=1)
    return ImageGrid(pixels=pixels, rows=tuple(splits.classes[label] for label in labels), columns=tuple(AUGMENTATIONS))
