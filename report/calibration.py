"""How far the probabilities of a network can be believed."""

from dataclasses import dataclass

import numpy as np

from db.records import Predictions

_BINS = 15


@dataclass(frozen=True, slots=True)
class Calibration:
    """`brier` (Brier 1950): the mean squared distance to the true class, summed over classes, 0 to 2. `ece`:
    the expected calibration error in 15 equal bins (Guo et al. 2017, "On Calibration of Modern Neural Networks").
    """

    brier: float
    ece: float


def calibration(predicted: Predictions) -> Calibration:
    probabilities, labels = predicted.probabilities.astype(np.float64), predicted.labels
    truth = np.eye(probabilities.shape[1])[labels]
    sure, right = probabilities.max(1), probabilities.argmax(1) == labels
    # a probability on an edge belongs to the bin below it; 0 has none below
    bins = np.clip(np.ceil(sure * _BINS).astype(int) - 1, 0, _BINS - 1)
    apart = np.bincount(bins, right - sure, minlength=_BINS)
    return Calibration(
        brier=float(((probabilities - truth) ** 2).sum(1).mean()), ece=float(np.abs(apart).sum() / len(labels))
    )
