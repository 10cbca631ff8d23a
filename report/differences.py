"""Two jobs beside each other: what differs in how they were made and in what came out, and whether that is noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from db.errors import NotFoundError
from db.records import EpochRecord, Job, Result, dotted
from db.store import Store
from report.scope import Whole, measured_of
from report.statistics import tested
from report.variant import Measured

Value = Any  # a plain one, or None where a job has nothing of the kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`part` is `config`, `data`, `code`, `packages`, `device`, `curve` or `result`; accuracies are fractions."""

    part: str
    name: str
    ours: Value
    theirs: Value

    @property
    def equal(self) -> bool:
        return bool(self.ours == self.theirs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFlips:
    """Test images of a class that only one of the two got right."""

    name: str
    images: int
    only_ours: int
    only_theirs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """Test accuracy of the best weights, ours less theirs, on the same images. `p` is McNemar's, exact.

    Both are single networks: interval and p value hold the noise of test images, and nothing of another seed.
    """

    images: int
    difference: float
    low: float
    high: float
    p: float
    flips: tuple[ClassFlips, ...]  # of every class


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """`values` are all that could differ, equal ones too, but for parts of which a job has nothing yet, the `missing`.

    `tested` is None for the reason `why`.
    """

    ours: Job
    theirs: Job
    values: tuple[Difference, ...]
    missing: tuple[str, ...]
    tested: Tested | None
    why: str = ""


def differences(store: Store, ours: int, theirs: int, *, whole: Whole = dict) -> Differences:
    """Of two jobs by their ids, all read at one moment. Raises NotFoundError for an id that is none."""
    with store.one_moment():
        jobs = {job.id: job for job in store.jobs([ours, theirs])}
        for job_id in (ours, theirs):
            if job_id not in jobs:
                raise NotFoundError(f"no job {job_id}", fix="see the ids in `bench status`")
        both = (jobs[ours], jobs[theirs])
        results, histories = store.results(jobs), store.histories(jobs)
        sides = [_side(job, whole(job.config), results.get(job.id), histories[job.id]) for job in both]
        found, why = _tested(store, both, results)
    missing = [part for part in _PARTS if not all(side.get(part) for side in sides)]
    values = [
        Difference(part=part, name=name, ours=one.get(name), theirs=other.get(name))
        for part in _PARTS
        if part not in missing
        for one, other in [[side[part] for side in sides]]
        for name in dict.fromkeys((*one, *other))
    ]
    return Differences(
        ours=both[0], theirs=both[1], values=tuple(values), missing=tuple(missing), tested=found, why=why
    )


_PARTS = ("config", "data", "code", "packages", "device", "curve", "result")
_CODE = ("git.revision", "git.dirty")


def _side(
    job: Job, config: Mapping[str, Any], result: Result | None, history: Sequence[EpochRecord]
) -> dict[str, Mapping[str, Value]]:
    """All of one job, by part and name."""
    parts: dict[str, Mapping[str, Value]] = {"config": {"seed": job.seed, **dotted(config)}}
    parts["curve"] = _curve(history)
    if result:
        parts |= {"data": {"fingerprint": result.fingerprint}, "result": _figures(result), **_environment(result)}
    return parts


def _environment(result: Result) -> dict[str, Mapping[str, Value]]:
    """What the worker noted, apart by what it is about."""
    noted = dotted(result.environment)
    packages = {name.removeprefix("packages."): value for name, value in noted.items() if name.startswith("packages.")}
    packages |= {"python": noted["python"]} if "python" in noted else {}
    code = {name: noted.get(name) for name in _CODE}
    others = {
        name: value for name, value in noted.items() if name.partition(".")[0] not in ("packages", "python", "git")
    }
    return {"code": code, "packages": packages, "device": others | {"device": result.device}}


def _curve(history: Sequence[EpochRecord]) -> dict[str, Value]:
    """By the lowest validation loss, as the best weights are chosen."""
    if not history:
        return {}
    best, last = min(history, key=lambda one: one.val_loss), history[-1]
    return {
        "epochs_trained": len(history),
        "best_epoch": best.epoch,
        "best_val_loss": best.val_loss,
        "best_val_accuracy": best.val_accuracy,
        "highest_val_accuracy": max(one.val_accuracy for one in history),
        "last_val_loss": last.val_loss,
        "last_val_accuracy": last.val_accuracy,
        "last_train_loss": last.train_loss,
        "last_train_accuracy": last.train_accuracy,
    }


def _figures(result: Result) -> dict[str, Value]:
    return {
        "best_test_accuracy": result.best.test_accuracy,
        "best_test_loss": result.best.test_loss,
        "last_test_accuracy": result.last.test_accuracy,
        "last_test_loss": result.last.test_loss,
        "stopped_early": result.stopped_early,
        "parameters": result.parameters,
        "flops": result.flops,
        "train_s": result.train_s,
        "eval_s": result.eval_s,
        "peak_mib": result.peak_mib,
    }


def _tested(store: Store, jobs: tuple[Job, Job], results: Mapping[int, Result]) -> tuple[Tested | None, str]:
    missing = [f"job {job.id}" for job in jobs if job.id not in results]
    if missing:
        return None, f"no result of {' and '.join(missing)}"
    measured, labels = measured_of(store, jobs, results)
    if any(job.id not in measured for job in jobs):
        return None, "no predictions of one of them"
    ours, theirs = (measured[job.id] for job in jobs)
    if ours.images != theirs.images:
        return None, "other test images"
    if len(ours.right) < 2:
        return None, "a single test image"
    found, p_value = tested(ours.right[None], theirs.right[None])
    low, high = found.interval()
    flips = _flips(_class_names(store, jobs[0], results[jobs[0].id]), labels[ours.images], ours, theirs)
    numbers = {"difference": found.value, "low": low, "high": high, "p": p_value}
    return Tested(images=len(ours.right), flips=flips, **numbers), ""


def _flips(
    names: Sequence[str], labels: "np.ndarray[Any, Any]", ours: Measured, theirs: Measured
) -> tuple[ClassFlips, ...]:
    number = len(names)
    images = np.bincount(labels, minlength=number)
    only_ours = np.bincount(labels[ours.right & ~theirs.right], minlength=number)
    only_theirs = np.bincount(labels[theirs.right & ~ours.right], minlength=number)
    return tuple(
        ClassFlips(name=name, images=int(images[k]), only_ours=int(only_ours[k]), only_theirs=int(only_theirs[k]))
        for k, name in enumerate(names)
    )


def _class_names(store: Store, job: Job, result: Result) -> Sequence[str]:
    """Numbers where the store does not know the data set, which a worker records when it loads it."""
    known = store.dataset(str(job.config["dataset"]), result.fingerprint)
    number = len(result.best.confusion)
    return known.classes if known and len(known.classes) == number else [str(place) for place in range(number)]
