"""How far the probabilities of a network can be believed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from db.records import Predictions

BINS = 15


@dataclass(frozen=True, slots=True)
class Calibration:
    """`brier` (Brier 1950): the mean squared distance to the true class, summed over classes, 0 to 2. `ece`:
    the expected calibration error in 15 equal bins (Guo et al. 2017, "On Calibration of Modern Neural Networks").

    Of each bin, (15,): how many `images` it has, how `sure` the network was of them, summed, and how many were `right`.
    """

    brier: float
    ece: float
    images: NDArray[np.int64]
    sure: NDArray[np.float64]
    right: NDArray[np.int64]


def calibration(predicted: Predictions) -> Calibration:
    """Of probabilities (N, classes), in 0 to 1 with a sum of 1 in each row, and labels (N,), 0 to classes - 1; N > 0.

    None of it is checked but labels from above: raises IndexError for one that is no class.
    """
    probabilities, labels = predicted.probabilities.astype(np.float64), predicted.labels
    truth = np.eye(probabilities.shape[1])[labels]
    sure, right = probabilities.max(1), probabilities.argmax(1) == labels
    # a probability on an edge belongs to the bin below it; 0 has none below
    bins = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
    hits = np.bincount(bins[right], minlength=BINS)
    sums = np.bincount(bins, sure, minlength=BINS).astype(np.float64)
    return Calibration(
        brier=float(((probabilities - truth) ** 2).sum(1).mean()),
        ece=float(np.abs(hits - sums).sum() / len(labels)),
        images=np.bincount(bins, minlength=BINS),
        sure=sums,
        right=hits,
    )
