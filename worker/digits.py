"""scikit-learn's handwritten digits: 1,797 grey images of 8x8 that come with the package, so without a network."""

import numpy as np

from scheduler.config import CHANNELS, SIDE
from scheduler.datasets import DIGITS_CLASSES
from worker.array_cache import Arrays
from worker.pictures import converted
from worker.splits import Part

_TEST_FRACTION, _SPLIT_SEED = 0.2, 42
_BRIGHTEST = 16
_SIDE = 8


def read_digits(side: int = SIDE, channels: int = CHANNELS) -> Arrays:
    """The digits, each pixel repeated where the side is a multiple of 8, and a stratified fifth as the test set."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    grey = np.rint(data.images * (255 / _BRIGHTEST)).astype(np.uint8)
    if side % _SIDE:
        images = np.stack([converted(one, side, channels) for one in grey])
    else:
        large = grey.repeat(side // _SIDE, axis=1).repeat(side // _SIDE, axis=2)
        images = np.repeat(large[:, None], channels, axis=1)
    labels = data.target.astype(np.int64)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=_TEST_FRACTION, random_state=_SPLIT_SEED, stratify=labels
    )
    return Arrays(
        classes=tuple(str(digit) for digit in range(DIGITS_CLASSES)),
        train=Part(images=images[train], labels=labels[train]),
        test=Part(images=images[test], labels=labels[test]),
    )
