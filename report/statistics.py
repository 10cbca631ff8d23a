"""Means, deviations, intervals and tests, each saying which noise it holds. Sources and limits: docs/statistics.md.

Accuracy has two noises: another seed would give other weights, and other test images would be hit. All seeds of all
variants are measured on the same images, so hits are a table of seeds by images, and an error is put together from
the two directions of that table (crossed random effects; Searle, Casella and McCulloch 1992, "Variance Components"),
with degrees of freedom by Satterthwaite 1946.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

LEVEL = 0.95
RISK = 1 - LEVEL
POWER = 0.8
_MOST_SEEDS = 1_000  # that are worth telling somebody to train

Hits = NDArray[np.bool_]
"""(seeds, images): whether each seed's network was right about each test image."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Over seeds: `deviation` is the sample standard deviation, None for one seed."""

    n: int
    mean: float
    deviation: float | None


@dataclass(frozen=True, slots=True)
class Noise:
    """A standard error with its degrees of freedom."""

    error: float
    df: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An accuracy, or a difference of two, with the noises that it has to stand out of; the widest one counts.

    `seed_noise`: whether that of seeds is among them.
    """

    value: float
    noises: tuple[Noise, ...]
    seed_noise: bool

    @property
    def some_seeds(self) -> bool:
        """Whether the noise of seeds is known of one side at least."""
        return len(self.noises) > 1

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Student's t; no accuracy and no difference of two is beyond 1."""
        half = self._widest((1 + level) / 2)
        return max(self.value - half, -1.0), min(self.value + half, 1.0)

    def p_value(self, other: float = 0.0) -> float:
        """Two-sided, of the hypothesis that the truth is `other`."""
        return min(2 * min(self.p_above(other), self.p_below(other)), 1.0)

    def p_above(self, other: float) -> float:
        """One-sided: small where the value is above `other` by more than noise."""
        return max(_tail(self.value - other, noise) for noise in self.noises)

    def p_below(self, other: float) -> float:
        return max(_tail(other - self.value, noise) for noise in self.noises)

    def smallest_difference(self, power: float = POWER, *, level: float = LEVEL) -> float:
        """That would have been found in `power` of all cases, by a test of the error 1 - `level`."""
        return self._widest((1 + level) / 2, power)

    def _widest(self, *quantiles: float) -> float:
        return max(_quantiles(noise, quantiles) for noise in self.noises)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """Mean squares of a table of hits, each the variance of the mean that its direction alone would give."""

    seeds: float
    images: float
    rest: float
    n: int
    number: int

    @property
    def df_rest(self) -> int:
        return (self.n - 1) * (self.number - 1)


def summarise(values: Sequence[float]) -> Summary | None:
    """None when there is nothing to summarise."""
    if not values:
        return None
    equal = len(set(values)) == 1  # then numpy's deviation is a rounding error
    deviation = (0.0 if equal else float(np.std(values, ddof=1))) if len(values) > 1 else None
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


def accuracy(hits: Hits) -> Estimate:
    """Of a variant: what another seed would hit of other images. With one seed the noise of images alone."""
    parts = _parts(hits)
    return _estimate(float(hits.mean()), parts.images, [parts])


def difference(ours: Hits, theirs: Hits) -> Estimate:
    """Our accuracy less theirs, on the same images in the same order.

    Images are pairs: one that is hard is so for both. Seeds are not: 42 of the one has nothing to do with 42 of the
    other, but for the order of images. Where one side has a single seed its noise is unknown, and not in the error.
    """
    apart = ours.mean(0) - theirs.mean(0)
    return _estimate(float(apart.mean()), _of_images(apart), [_parts(ours), _parts(theirs)])


def mcnemar(ours: Hits, theirs: Hits) -> float:
    """Exact p value of two single networks: of the images that only one got right, half should be each one's.

    McNemar 1947, by statsmodels. Both (images,).
    """
    from statsmodels.stats.contingency_tables import mcnemar as exact

    counts = [[int((one & other).sum()) for other in (theirs, ~theirs)] for one in (ours, ~ours)]
    return float(exact(counts, exact=True).pvalue)


def tested(ours: Hits, theirs: Hits) -> tuple[Estimate, float]:
    """The difference, and the p value of there being none: McNemar's for one seed each, else Student's."""
    found = difference(ours, theirs)
    alone = len(ours) == len(theirs) == 1
    return found, mcnemar(ours[0], theirs[0]) if alone else found.p_value()


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted: a false alarm among all of them is as rare as in one test alone (Holm 1979; statsmodels)."""
    from statsmodels.stats.multitest import multipletests

    return [float(value) for value in multipletests(p_values, method="holm")[1]] if len(p_values) else []


def equivalence(found: Estimate, margin: float) -> float:
    """p value of the hypothesis that the difference is `margin` or more, either way.

    Two one-sided tests (Schuirmann 1987).
    """
    return max(found.p_above(-margin), found.p_below(margin))


def wins(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The share of pairs of seeds in which ours is ahead, a tie counting half (Mann and Whitney 1947)."""
    apart = np.subtract.outer(ours, theirs)
    return float((apart > 0).sum() + (apart == 0).sum() / 2) / apart.size


def seeds_needed(ours: Hits, theirs: Hits, wanted: float, power: float = POWER, *, level: float = LEVEL) -> int | None:
    """Seeds of each variant with which a difference of `wanted` would be found in `power` of all cases, at that level.

    None where no number of seeds is enough, as the test images alone are too few, and with fewer than two seeds of each
    variant, from which the noise of seeds cannot be told.
    """
    one, other = _parts(ours), _parts(theirs)
    if min(one.n, other.n) < 2 or not wanted:
        return None
    apart = ours.mean(0) - theirs.mean(0)
    images = max(_of_images(apart) - one.rest - other.rest, 0.0)

    def enough(n: int) -> bool:
        seeds = [(parts.seeds * parts.n / n, n - 1) for parts in (one, other)]
        noises = (_noise([(images, len(apart) - 1), *seeds]), _noise(seeds))
        found = Estimate(value=wanted, noises=noises, seed_noise=True).smallest_difference(power, level=level)
        return found <= abs(wanted)

    counts = _counts()
    place = bisect.bisect_left(counts, True, key=enough)
    return counts[place] if place < len(counts) else None


def _of_images(values: NDArray[np.float64]) -> float:
    """The variance of the mean over images. Where none differs from another, as if one and a half did: then a 95 %
    interval reaches 3 / N, by the rule of three (Hanley and Lippman-Hand 1983)."""
    return max(float(values.var(ddof=1)) / len(values), (1.5 / len(values)) ** 2)


def _counts() -> list[int]:
    """2 to 100, then in steps of a tenth: nobody plans more exactly."""
    counts = list(range(2, 101))
    while counts[-1] < _MOST_SEEDS:
        counts.append(math.ceil(counts[-1] * 1.1))
    return counts


def _parts(hits: Hits) -> _Parts:
    n, number = hits.shape
    by_seed, by_image = hits.mean(1), hits.mean(0)
    if n < 2:
        return _Parts(seeds=0.0, images=_of_images(by_image), rest=0.0, n=n, number=number)
    left = hits - by_seed[:, None] - by_image[None, :] + hits.mean()
    rest = float((left**2).sum()) / ((n - 1) * (number - 1))
    return _Parts(
        seeds=float(by_seed.var(ddof=1)) / n,
        images=_of_images(by_image),
        rest=rest / (n * number),
        n=n,
        number=number,
    )


def _estimate(value: float, images: float, tables: Sequence[_Parts]) -> Estimate:
    """`images`: the variance that the images alone would give the value.

    Each direction of a table holds what is left of its cells, so together they hold it twice, and it is taken off once.
    What is taken off may have been drawn too large: no direction alone is more than the whole. And never is the noise
    smaller than Student's for the seeds alone, which at three seeds the degrees of freedom of the sum would allow.
    """
    number = tables[0].number
    several = [parts for parts in tables if parts.n > 1]
    seeds = [(parts.seeds, parts.n - 1) for parts in several]
    rest = [(-parts.rest, parts.df_rest) for parts in several]
    both = _noise([(images, number - 1), *seeds, *rest])
    alone = (_noise(seeds),) if seeds else ()
    return Estimate(value=value, noises=(both, *alone), seed_noise=len(several) == len(tables))


def _noise(terms: Sequence[tuple[float, int]]) -> Noise:
    """Of a sum of variances with their degrees of freedom, which are never fewer than those of one of them alone."""
    variance, (largest, df) = sum(part for part, _ in terms), max(terms)
    if variance <= largest:
        return Noise(math.sqrt(max(largest, 0.0)), df)
    spread = sum(part**2 / df for part, df in terms)
    return Noise(math.sqrt(variance), max(variance**2 / spread, min(df for part, df in terms if part > 0)))


def _quantiles(noise: Noise, levels: Sequence[float]) -> float:
    # what stats.t.ppf and stats.t.sf call in the end, without their checks, which take most of a pair's time
    return noise.error * float(special.stdtrit(noise.df, levels).sum()) if noise.error else 0.0


def _tail(distance: float, noise: Noise) -> float:
    if not noise.error:
        return 1.0 if distance <= 0 else 0.0
    return float(special.stdtr(noise.df, -distance / noise.error))
