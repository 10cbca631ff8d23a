"""What a report shows of a data set, made once by the first worker that loads it."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from db.examples import ORIGINAL
from db.records import Dataset, ImageGrid
from scheduler.augmentations import Augmentation, Crop, Cutout, Flip
from scheduler.config import SIDE
from scheduler.data_file import class_sizes
from worker.augmentation import augment_images
from worker.pictures import resized
from worker.splits import Part, Splits

_SAMPLES = 5  # of each class
_LARGEST, _ALL_BYTES = 96, 2**21  # pixels of a side as they are shown, and what pictures made at once may take
_EXAMPLES = 6  # images, each of another class
MOST_COLUMNS = 17
"""Of examples, those that every data set has among them: a search over augmentations has lists without end."""
_SEED = 7


def augmentations(side: int) -> dict[str, tuple[Augmentation, ...]]:
    """What the examples of pictures of that side show: of one of 32 pixels the defaults, of others in proportion."""
    flip, crop = Flip(probability=1.0), Crop(padding=min(16, max(1, side // 8)))
    return {
        ORIGINAL: (),
        "flip": (flip,),
        "crop": (crop,),
        "flip + crop": (flip, crop),
        "cutout": (Cutout(size=max(1, side // 4)),),
    }


def dataset_record(splits: Splits) -> Dataset:
    return Dataset(
        name=splits.name,
        fingerprint=splits.fingerprint,
        classes=splits.classes,
        train_counts=tuple(class_sizes(splits.train.labels, len(splits.classes))),
        val_counts=tuple(class_sizes(splits.val.labels, len(splits.classes))),
        test_counts=tuple(class_sizes(splits.test.labels, len(splits.classes))),
        samples=_samples(splits),
        augmentation=_augmentation(splits),
        made=splits.made,
        notices=splits.notices,
    )


def _first(part: Part, label: int, number: int) -> NDArray[np.uint8]:
    """(number, side, side, channels); a class with fewer images repeats its last one."""
    rows = np.flatnonzero(part.labels == label)[:number]
    rows = np.pad(rows, (0, number - len(rows)), mode="edge")
    return part.images[rows].transpose(0, 2, 3, 1)


def _samples(splits: Splits) -> ImageGrid:
    pixels = np.stack([_first(splits.train, label, _SAMPLES) for label in range(len(splits.classes))])
    return ImageGrid(pixels=_shown(pixels), rows=splits.classes, columns=tuple(str(n + 1) for n in range(_SAMPLES)))


def _shown(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(rows, columns, side, side, channels) in RGB, and large pictures made smaller: a report carries all of them."""
    rows, columns, side, _, channels = pixels.shape
    room = math.isqrt(_ALL_BYTES // (3 * rows * columns))
    small = min(side, max(SIDE, min(_LARGEST, room)))
    flat = pixels.reshape(-1, side, side, channels).transpose(0, 3, 1, 2)
    part = resized(Part(images=flat, labels=np.zeros(len(flat), np.int64)), small, 3)
    return part.images.transpose(0, 2, 3, 1).reshape(rows, columns, small, small, 3)


def example_column(splits: Splits, augmentation: Sequence[Augmentation]) -> NDArray[np.uint8]:
    """(rows, side, side, 3): what an epoch makes of the examples by this list, for the grid of `dataset_record`."""
    pixels = augment_images(_originals(splits), augmentation, seed=_SEED).transpose(0, 2, 3, 1)
    return _shown(pixels[:, None])[:, 0]


def _originals(splits: Splits) -> NDArray[np.uint8]:
    """(rows, channels, side, side)."""
    labels = range(min(_EXAMPLES, len(splits.classes)))
    return np.concatenate([_first(splits.train, label, 1) for label in labels]).transpose(0, 3, 1, 2)


def _augmentation(splits: Splits) -> ImageGrid:
    originals = _originals(splits)
    kinds = augmentations(originals.shape[2])
    columns = [augment_images(originals, augmentation, seed=_SEED) for augmentation in kinds.values()]
    pixels = np.stack([column.transpose(0, 2, 3, 1) for column in columns], axis=1)
    return ImageGrid(pixels=_shown(pixels), rows=tuple(splits.classes[: len(originals)]), columns=tuple(kinds))
