"""The data of one job: three parts that never overlap, as plain arrays, before anything moves to a device."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Part:
    """`images` (N, channels, side, side) uint8, `labels` (N,) int64."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """Training, validation and test part; `fingerprint` the sha256 of images, labels and class names.

    `made`: the parts that were made of the training images, as none were given.
    """

    name: str
    fingerprint: str
    classes: tuple[str, ...]
    train: Part
    val: Part
    test: Part
    made: tuple[str, ...] = ("val",)
    notices: tuple[str, ...] = ()
