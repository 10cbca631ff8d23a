"""What readers ask: jobs, histories, results, predictions. Nothing here writes."""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Row, Text, cast, func, select
from sqlalchemy import text as sql_text

from db._database import Database
from db._looks import PART, Looks
from db._pictures import unpack_grid
from db.errors import NotFoundError, StoreError
from db.records import (
    Artifact,
    Attempt,
    Dataset,
    EpochRecord,
    Event,
    JobState,
    Predictions,
    RecordedEpoch,
    Result,
    Scores,
    Weights,
)
from db.tables import (
    artifacts,
    attempts,
    datasets,
    epochs,
    events,
    jobs,
    predictions,
    results,
    submission_jobs,
)

_Id = TypeVar("_Id", int, str)
_EPOCH_FIELDS = tuple(EpochRecord.__dataclass_fields__)


class Reading(Database, Looks):
    def _rows(self, sql: str, **given: Any) -> Sequence[Row[Any]]:
        with self._reading() as connection:
            return connection.execute(sql_text(sql), given).all()

    def _now(self) -> float:
        with self._reading() as connection:
            return float(connection.execute(select(self.clock)).scalar_one())

    def now(self) -> datetime:
        """By the clock that leases go by: the database's."""
        return datetime.fromtimestamp(self._now(), UTC)

    def labelled(self, labels: Iterable[str], submission_id: int | None = None) -> set[int]:
        """Ids of the jobs that this submission, or any, asked for under one of these labels."""
        query = select(submission_jobs.c.job_id).distinct()
        if submission_id is not None:
            query = query.where(submission_jobs.c.submission_id == submission_id)
        return {row.job_id for row in self._for_ids(query, submission_jobs.c.label, labels)}

    def asked_for(self, job_ids: Iterable[int]) -> dict[int, list[tuple[int, str]]]:
        """The submissions that asked for each job, oldest first, each with the label that the job has there."""
        found: dict[int, list[tuple[int, str]]] = {job_id: [] for job_id in job_ids}
        query = select(submission_jobs).order_by(submission_jobs.c.submission_id, submission_jobs.c.label)
        for row in self._for_ids(query, submission_jobs.c.job_id, found):
            found[row.job_id].append((row.submission_id, row.label))
        return found

    def attempts(self, job_ids: Iterable[int]) -> dict[int, list[Attempt]]:
        """Every attempt of each job, oldest first."""
        found: dict[int, list[Attempt]] = {job_id: [] for job_id in job_ids}
        for row in self._for_ids(select(attempts).order_by(attempts.c.number), attempts.c.job_id, found):
            found[row.job_id].append(Attempt(**row._mapping))
        return found

    def artifacts(self, job_ids: Iterable[int]) -> dict[int, list[Artifact]]:
        """The files that each job's attempts left for good."""
        found: dict[int, list[Artifact]] = {job_id: [] for job_id in job_ids}
        query = select(artifacts, attempts.c.job_id).join(attempts, attempts.c.id == artifacts.c.attempt_id)
        for row in self._for_ids(query.order_by(artifacts.c.id), attempts.c.job_id, found):
            found[row.job_id].append(Artifact(kind=row.kind, url=row.url, sha256=row.sha256, bytes=row.bytes))
        return found

    def done_with(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys whose jobs are done and left no file for good."""
        kept = select(attempts.c.job_id).join(artifacts, artifacts.c.attempt_id == attempts.c.id)
        query = select(jobs.c.id, jobs.c.key).where(jobs.c.state == JobState.DONE, jobs.c.id.not_in(kept))
        return {row.key for row in self._for_ids(query, jobs.c.key, keys)}

    def events(self, job_id: int) -> list[Event]:
        """What happened to the job, oldest first."""
        told = select(*(events.c[name] for name in Event.__dataclass_fields__)).where(events.c.job_id == job_id)
        with self._reading() as connection:
            return [Event(**row._mapping) for row in connection.execute(told.order_by(events.c.id))]

    def histories(self, job_ids: Iterable[int]) -> dict[int, list[EpochRecord]]:
        """The epochs that led to each job's present state, in order.

        A resumed attempt begins after the epochs of its checkpoint: those are taken from the attempts before it.
        """
        wanted = list(job_ids)
        rows, _ = self._epochs(wanted)
        return {job_id: _lineage(tries, rows) for job_id, tries in self.attempts(wanted).items()}

    def recorded_epochs(self, job_ids: Iterable[int]) -> list[RecordedEpoch]:
        """Every epoch of every attempt, by job, attempt and epoch."""
        wanted = sorted(set(job_ids))
        rows, moments = self._epochs(wanted)
        found = []
        for job_id, tries in self.attempts(wanted).items():
            counted = {id(record) for record in _lineage(tries, rows)}
            found += [
                RecordedEpoch(job_id=job_id, attempt=one.number, at=at, counted=id(record) in counted, record=record)
                for one in tries
                for record, at in zip(rows[one.id].values(), moments[one.id], strict=True)
            ]
        return found

    def _epochs(self, job_ids: Iterable[int]) -> tuple[dict[int, dict[int, EpochRecord]], dict[int, list[datetime]]]:
        """Of each attempt its rows by epoch, in order, and the moments at which they were written."""
        rows: dict[int, dict[int, EpochRecord]] = defaultdict(dict)
        moments: dict[int, list[datetime]] = defaultdict(list)
        columns = (*(epochs.c[name] for name in _EPOCH_FIELDS), epochs.c.attempt_id, epochs.c.recorded_at)
        query = select(*columns, attempts.c.job_id).join(attempts, attempts.c.id == epochs.c.attempt_id)
        for row in self._for_ids(query.order_by(epochs.c.epoch), attempts.c.job_id, job_ids):
            values = row._mapping
            rows[row.attempt_id][row.epoch] = EpochRecord(**{name: values[name] for name in _EPOCH_FIELDS})
            moments[row.attempt_id].append(row.recorded_at)
        return rows, moments

    def results(self, job_ids: Iterable[int]) -> dict[int, Result]:
        """Results of those jobs that are done."""
        return {row.job_id: _result(row) for row in self._for_ids(select(results), results.c.job_id, job_ids)}

    def predictions(self, job_id: int, weights: Weights) -> Predictions:
        import numpy as np

        with self._reading() as connection:
            same = (predictions.c.job_id == job_id, predictions.c.weights == weights.value)
            row = connection.execute(select(predictions).where(*same)).one_or_none()
        if row is None:
            raise NotFoundError(f"job {job_id} has no predictions", fix="wait until `bench status` shows it as done")
        try:
            probabilities = np.frombuffer(zlib.decompress(row.probabilities), dtype="<f4")
            return Predictions(
                labels=np.frombuffer(zlib.decompress(row.labels), dtype="<i4").astype(np.int64),
                probabilities=probabilities.reshape(row.images, row.classes),
            )
        except (ValueError, zlib.error) as error:
            fix = "bring the store back from a backup"
            raise StoreError(f"the predictions of job {job_id} are damaged: {error}", fix=fix) from error

    def most_classes(self, job_ids: Iterable[int]) -> int:
        """Of the predictions of these jobs; 0 where there are none."""
        query = select(predictions.c.classes)
        return max((row.classes for row in self._for_ids(query, predictions.c.job_id, job_ids)), default=0)

    def dataset(self, name: str, fingerprint: str | None = None, *, split: str | None = None) -> Dataset | None:
        """What is known of the data set, the newest record first; None before a worker has loaded it."""
        query = select(datasets).where(datasets.c.name == name).order_by(datasets.c.recorded_at.desc()).limit(1)
        if fingerprint is not None:
            query = query.where(datasets.c.fingerprint == fingerprint)
        if split is not None:
            query = query.where(datasets.c.split == split)
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return Dataset(
            name=row.name,
            fingerprint=row.fingerprint,
            classes=tuple(row.classes),
            train_counts=tuple(row.counts["train"]),
            val_counts=tuple(row.counts["val"]),
            test_counts=tuple(row.counts["test"]),
            samples=unpack_grid(row.samples),
            augmentation=unpack_grid(row.augmentation),
            made=tuple(row.counts.get("made", ["val"])),  # which older rows do not say
            notices=tuple(row.notices),
        )

    def peak_memory(self, device: str) -> dict[str, float]:
        """The most MiB that a job of each config took on this kind of device; configs as text."""
        text = cast(jobs.c.config, Text)
        query = select(text.label("text"), func.max(results.c.peak_mib).label("peak_mib"))
        query = query.join_from(results, jobs, jobs.c.id == results.c.job_id).where(results.c.device == device)
        with self._reading() as connection:
            return {row.text: row.peak_mib for row in connection.execute(query.group_by(text))}

    def _for_ids(self, query: Any, column: Any, ids: Iterable[_Id]) -> Iterator[Row[Any]]:
        wanted = sorted(set(ids))
        with self._reading() as connection:
            for start in range(0, len(wanted), PART):
                yield from connection.execute(query.where(column.in_(wanted[start : start + PART]))).all()


def _lineage(tries: Sequence[Attempt], rows: dict[int, dict[int, EpochRecord]]) -> list[EpochRecord]:
    kept: dict[int, EpochRecord] = {}
    most: float = float("inf")
    for attempt in reversed(tries):
        own = rows.get(attempt.id)
        if own is None:
            continue  # it may have ended before it knew where to begin, and led to nothing
        kept |= {epoch: record for epoch, record in own.items() if epoch <= most and epoch not in kept}
        most = min(most, attempt.start_epoch)
    return [kept[epoch] for epoch in sorted(kept)]


def _result(row: Row[Any]) -> Result:
    values = dict(row._mapping)
    scores = {}
    for weights in ("best", "last"):
        own = {name: values.pop(f"{weights}_{name}") for name in Scores.__dataclass_fields__}
        own["confusion"] = tuple(tuple(line) for line in own["confusion"])
        scores[weights] = Scores(**own)
    del values["job_id"], values["attempt_id"]
    values["flops"] = int(values["flops"])
    return Result(best=scores["best"], last=scores["last"], **values)
