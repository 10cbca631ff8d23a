"""One variant of a report: its jobs, what came of them, and its accuracy, which tables and figures take from here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from db.records import EpochRecord, Job, JobState, Result
from report.calibration import Calibration
from report.statistics import Hits, accuracy, over_seeds, wilson


def kind_of(result: Result) -> str:
    """What a result was computed on and in; no mean holds two of these."""
    return f"{result.device} {result.precision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Of a result's best weights: which test images they got `right`, (images,); `images` and `predictions` tell apart
    which images these were, and what was said of them."""

    right: NDArray[np.bool_]
    images: str
    predictions: str
    calibration: Calibration | None = None


@dataclass(frozen=True, kw_only=True)  # no slots: what tables and tests ask for again and again is kept
class VariantData:
    """A label with its jobs, by seed; `results`, `histories` and `measured` are those of the jobs that are done.

    All results are of one kind of device and one precision.
    """

    label: str
    title: str
    jobs: tuple[Job, ...]
    results: Mapping[int, Result]
    histories: Mapping[int, Sequence[EpochRecord]]
    measured: Mapping[int, Measured]

    @cached_property
    def done(self) -> tuple[Result, ...]:
        """The results, in the order of the jobs; of those that predicted the same in every number the first alone."""
        first: dict[str | int, Result] = {}
        for job in self.jobs:
            if job.id in self.results:
                known = self.measured.get(job.id)
                first.setdefault(known.predictions if known else job.id, self.results[job.id])
        return tuple(first.values())

    @cached_property
    def job_ids(self) -> tuple[int, ...]:
        """The same for labels that mean the same jobs."""
        return tuple(job.id for job in self.jobs)

    @cached_property
    def distinct(self) -> tuple[Measured, ...]:
        """What the results predicted, each once: two that agree in every number are one training, whoever ran it."""
        found = {
            self.measured[job.id].predictions: self.measured[job.id] for job in self.jobs if job.id in self.measured
        }
        return tuple(found.values())

    @cached_property
    def hits(self) -> Hits | None:
        """(seeds, images) of the distinct predictions; None where some result has none, or not of the same images."""
        found = self.distinct
        if not found or len(self.measured) < len(self.results) or len({one.images for one in found}) > 1:
            return None
        if len(found[0].right) < 2:  # of one image nothing can be told
            return None
        return np.stack([one.right for one in found])

    @cached_property
    def accuracy(self) -> float | None:
        """Mean test accuracy of the best weights; None without a result."""
        # fmean sums exactly: equal values of seeds in another order are no better
        return fmean(result.best.test_accuracy for result in self.done) if self.done else None

    @cached_property
    def accuracy_interval(self) -> tuple[float, float] | None:
        """95 %, of `accuracy`: over seeds and test images, with one seed over the test images alone.

        Where the store holds no predictions, several seeds give an interval for these test images. One of few seeds may
        pass 0 or 1, which no accuracy does: there it is cut off. Seeds that all got the same images right, or all of
        them, show no noise of their own: Wilson's is then as narrow as it may be.
        """
        hits, values = self.hits, [result.best.test_accuracy for result in self.done]
        if len(values) == 1 or (hits is not None and (hits == hits[0]).all()):
            images = sum(map(sum, self.done[0].best.confusion))
            return wilson(round(values[0] * images), images)
        found = over_seeds(values) if hits is None else accuracy(hits).interval()
        return (max(found[0], 0.0), min(found[1], 1.0)) if found else None

    @cached_property
    def complete(self) -> bool:
        """Whether it was submitted and every job of it is done."""
        return bool(self.jobs) and all(job.id in self.results for job in self.jobs)

    @cached_property
    def state(self) -> str:
        """In words for a reader: what is there, and what is missing."""
        if not self.jobs:
            return "not submitted"
        parts = []
        for state in JobState:
            these = [job for job in self.jobs if job.state is state]
            if these and state is JobState.FAILED:
                causes = ", ".join(sorted({str(job.cause) for job in these}))
                parts.append(f"{len(these)} failed: {causes}")
            elif these:
                parts.append(f"{len(these)} {state}")
        return ", ".join(parts)


def ranked(variants: Iterable[VariantData]) -> list[VariantData]:
    """Those with results, by test accuracy, the highest first; equal ones in the order given."""
    return sorted((one for one in variants if one.done), key=lambda one: -(one.accuracy or 0.0))
