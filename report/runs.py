"""Jobs that have ended as the runs that experiment trackers know: parameters, curves, final values, tags.

A run holds the epochs that led to the job's end, each once, whatever attempts trained them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.records import WAITING, Job, JobState, RecordedEpoch, Result, Scores, Submission, Weights, dotted
from db.store import Store

_PART = 50  # jobs whose epochs are in memory together
_SCORES = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy")
_CURVES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate", "train_s", "eval_s")
_COST = ("parameters", "flops", "peak_mib", "energy_j")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    name: str
    value: float
    epoch: int
    at: datetime  # by the store's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`points` are a value of each curve for each epoch, then what the result says, at the last epoch."""

    job: Job
    suite: str
    parameters: dict[str, Any]  # the config's fields by dotted name, and the seed
    points: tuple[Point, ...]
    tags: dict[str, str]
    started_at: datetime
    ended_at: datetime

    @property
    def name(self) -> str:
        return f"{self.job.label}/seed-{self.job.seed}"


@dataclass(slots=True, kw_only=True)
class Told:
    """Of the runs: how many were `added`, how many replaced an earlier one, and how many were there already."""

    where: str
    added: int = 0
    replaced: int = 0
    there: int = 0


def runs(store: Store, jobs: Sequence[Job]) -> Iterator[Run]:
    """Of those that have ended and begun before that."""
    found = [job for job in jobs if job.state not in WAITING and job.started_at]
    submissions = {one.id: one for one in store.submissions()}
    for start in range(0, len(found), _PART):
        part = found[start : start + _PART]
        ids = [job.id for job in part]
        asked, results, epochs = store.asked_for(ids), store.results(ids), _counted(store, ids)
        for job in part:
            # the first that asked for it: the same at each export, whatever asks for it later
            yield _run(job, submissions[asked[job.id][0][0]], epochs[job.id], results.get(job.id))


def _counted(store: Store, ids: Sequence[int]) -> dict[int, list[RecordedEpoch]]:
    found: dict[int, list[RecordedEpoch]] = {job_id: [] for job_id in ids}
    for one in store.recorded_epochs(ids):
        if one.counted:
            found[one.job_id].append(one)
    return {job_id: sorted(own, key=lambda one: one.record.epoch) for job_id, own in found.items()}


def _run(job: Job, first: Submission, epochs: Sequence[RecordedEpoch], result: Result | None) -> Run:
    ended_at = job.finished_at or job.created_at
    started_at = min([job.started_at or job.created_at, *(one.at for one in epochs)])
    return Run(
        job=job,
        suite=first.suite,
        parameters={**dotted(job.config), "seed": job.seed},
        points=(*_curves(epochs), *(_final(result, ended_at) if result else ())),
        tags=_tags(job, first, result),
        started_at=started_at,
        ended_at=ended_at,
    )


def _curves(epochs: Sequence[RecordedEpoch]) -> Iterator[Point]:
    for one in epochs:
        for name in _CURVES:
            yield Point(name=name, value=float(getattr(one.record, name)), epoch=one.record.epoch, at=one.at)


def _final(result: Result, at: datetime) -> Iterator[Point]:
    """By the names of `bench export --what jobs`; seconds of all epochs as totals, as each epoch's have those names."""
    by_weights: dict[str, Scores] = {Weights.BEST: result.best, Weights.LAST: result.last}
    values = {f"{weights}_{name}": getattr(own, name) for weights, own in by_weights.items() for name in _SCORES}
    values |= {name: getattr(result, name) for name in _COST}
    values |= {"total_train_s": result.train_s, "total_eval_s": result.eval_s, "epochs_trained": result.epochs}
    for name, value in values.items():
        if value is not None:
            yield Point(name=name, value=float(value), epoch=result.last.epoch, at=at)


def _tags(job: Job, first: Submission, result: Result | None) -> dict[str, str]:
    tags = {
        "key": job.key,
        "job": str(job.id),
        "submission": str(first.id),
        "suite": first.suite,
        "variant": job.label,
        "seed": str(job.seed),
        "attempt": str(job.attempt),
        "state": str(job.state),
        "dataset": str(job.config["dataset"]),
    }
    if job.state is not JobState.DONE:
        tags |= {"cause": str(job.cause or ""), "message": job.message}
    if result:
        code = result.environment.get("git") or {}
        tags |= {"device": result.device, "precision": result.precision, "data_fingerprint": result.fingerprint}
        tags |= {"code_revision": str(code.get("revision", "")), "code_changed": str(code.get("dirty", "")).lower()}
        tags |= {name: str(result.environment.get(name, "")) for name in ("device_name", "instruction_set", "host")}
    elif job.fingerprint:
        tags["data_fingerprint"] = job.fingerprint
    return {name: value for name, value in tags.items() if value}
