"""Means, deviations and intervals, each saying which noise it holds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Summary:
    """Over seeds: `deviation` is the sample standard deviation, None for one seed."""

    n: int
    mean: float
    deviation: float | None


def summarise(values: Sequence[float]) -> Summary | None:
    """None when there is nothing to summarise."""
    if not values:
        return None
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Summary(len(values), float(np.mean(values)), deviation)


def wilson(hits: int, images: int) -> tuple[float, float]:
    """95 % interval of an accuracy for the noise of the test images alone (Wilson 1927), by scipy."""
    interval = stats.binomtest(hits, images).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def over_seeds(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % t interval of the mean for the noise of seeds; the test images are taken as given. None below 2 seeds."""
    if len(values) < 2:
        return None
    error = float(stats.sem(values))
    if error == 0:
        return float(values[0]), float(values[0])
    low, high = stats.t.interval(LEVEL, len(values) - 1, loc=float(np.mean(values)), scale=error)
    return float(low), float(high)
