"""scikit-learn's handwritten digits: 1,797 grey images of 8x8 that come with the package, so without a network."""

import numpy as np

from scheduler.datasets import DIGITS_CLASSES
from worker.array_cache import Arrays
from worker.splits import Part

_TEST_FRACTION, _SPLIT_SEED = 0.2, 42
_BRIGHTEST = 16
_SCALE = 4


def read_digits() -> Arrays:
    """The digits as 32x32 RGB (each pixel repeated), a stratified fifth of them as the test set."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    grey = np.rint(data.images * (255 / _BRIGHTEST)).astype(np.uint8)
    large = grey.repeat(_SCALE, axis=1).repeat(_SCALE, axis=2)
    images = np.repeat(large[:, None], 3, axis=1)
    labels = data.target.astype(np.int64)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=_TEST_FRACTION, random_state=_SPLIT_SEED, stratify=labels
    )
    return Arrays(
        classes=tuple(str(digit) for digit in range(DIGITS_CLASSES)),
        train=Part(images=images[train], labels=labels[train]),
        test=Part(images=images[test], labels=labels[test]),
    )
