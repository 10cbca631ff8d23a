"""What readers ask: jobs, histories, results, predictions. Nothing here writes."""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Text, and_, cast, func, select

from db._database import Database
from db._pictures import unpack_grid
from db.errors import NotFoundError, StoreError
from db.records import (
    WAITING,
    Artifact,
    Attempt,
    Cause,
    Dataset,
    EpochRecord,
    Event,
    Job,
    JobState,
    Measured,
    MeasuredAttempt,
    Predictions,
    RecordedEpoch,
    Result,
    Scores,
    Submission,
    SubmittedJob,
    Weights,
    Worker,
)
from db.tables import (
    NOT_COUNTED,
    artifacts,
    attempts,
    datasets,
    epochs,
    events,
    jobs,
    predictions,
    results,
    submission_jobs,
    submissions,
    workers,
)

_Id = TypeVar("_Id", int, str)
_PART = 500  # ids in one IN list
_SAMPLED = 20  # attempts of a config that tell how long its epochs take
_SAMPLED_IN_ALL = 2_000  # so that ten thousand different configs cost no more than a hundred
_RECENT = 5  # last epochs of a running job
_EPOCH_FIELDS = tuple(EpochRecord.__dataclass_fields__)
_HIDDEN = {"available_at", "published_at", "train_flops", "counted_from", "alone", "memory_mib", "place"}
_HIDDEN |= {"timeout_s", "lease_until"}
_JOB_COLUMNS = tuple(column for column in jobs.c if column.name not in _HIDDEN)
_JOB_FIELDS = tuple(column.name for column in _JOB_COLUMNS)


class Reading(Database):
    def jobs(self, ids: Iterable[int] | None = None) -> list[Job]:
        """All jobs in the order of submission, or those with these ids (unknown ids are left out)."""
        query = select(*_JOB_COLUMNS).order_by(jobs.c.id)
        if ids is None:
            with self._reading() as connection:
                return [_job(row) for row in connection.execute(query)]
        return [_job(row) for row in self._for_ids(query, jobs.c.id, ids)]

    def now(self) -> datetime:
        """By the clock that leases go by: the database's."""
        with self._reading() as connection:
            return datetime.fromtimestamp(connection.execute(select(self.clock)).scalar_one(), UTC)

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state, zero included."""
        with self._reading() as connection:
            rows = connection.execute(select(jobs.c.state, func.count().label("number")).group_by(jobs.c.state)).all()
        found: dict[str, int] = {row.state: row.number for row in rows}
        return {state: found.get(state.value, 0) for state in JobState}

    def submissions(self) -> list[Submission]:
        """The newest first."""
        with self._reading() as connection:
            rows = connection.execute(select(submissions).order_by(submissions.c.id.desc()))
            return [Submission(**row._mapping) for row in rows]

    def submission(self, submission_id: int) -> Submission:
        with self._reading() as connection:
            row = connection.execute(select(submissions).where(submissions.c.id == submission_id)).one_or_none()
            newest = select(submissions.c.id).order_by(submissions.c.id.desc()).limit(10)
            known = ", ".join(map(str, connection.execute(newest).scalars())) if row is None else ""
        if row is None:
            fix = f"choose among {known or '(none)'}, see `bench status`, or leave --submission out"
            raise NotFoundError(f"no submission {submission_id}", fix=fix)
        return Submission(**row._mapping)

    def submitted_jobs(self, submission_id: int) -> list[SubmittedJob]:
        """One entry for each (label, seed) that the submission asked for; `state` is the job's present one."""
        with self._reading() as connection:
            rows = connection.execute(
                select(submission_jobs, jobs.c.key, jobs.c.state)
                .join(jobs, jobs.c.id == submission_jobs.c.job_id)
                .where(submission_jobs.c.submission_id == submission_id)
                .order_by(submission_jobs.c.job_id, submission_jobs.c.label)
            ).all()
        return [
            SubmittedJob(job_id=r.job_id, label=r.label, seed=r.seed, key=r.key, state=JobState(r.state), new=r.new)
            for r in rows
        ]

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
            notices=tuple(row.notices),
        )

    def workers(self, *, seen_within_s: float) -> list[Worker]:
        """Workers that have not stopped and were heard of in the last seconds."""
        alive = (workers.c.stopped_at.is_(None), workers.c.seen_at > self.clock - seen_within_s)
        with self._reading() as connection:
            rows = connection.execute(select(workers).where(*alive).order_by(workers.c.id))
            return [Worker(**row._mapping) for row in rows]

    def measured(self) -> Measured:
        """How long epochs took: of each config the newest attempts that have any, of running jobs the last epochs."""
        with self.one_moment(), self._reading() as connection:
            known = {row.id: row for row in connection.execute(select(workers))}
            sampled = [_measured(row, known.get(row.owner.rpartition("/")[0])) for row in _sampled(connection)]
            waits = (jobs.c.state.in_(WAITING), jobs.c.train_flops != NOT_COUNTED)
            counted = connection.execute(select(jobs.c.id, jobs.c.train_flops).where(*waits))
            return Measured(
                attempts=sampled,
                recent=_recent(connection),
                train_flops={row.id: row.train_flops for row in counted},
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
            for start in range(0, len(wanted), _PART):
                yield from connection.execute(query.where(column.in_(wanted[start : start + _PART]))).all()


def _sampled(connection: Connection) -> Sequence[Row[Any]]:
    """A row for each sampled attempt, the newest first: whatever the number of epochs, few of them are read."""
    has_epochs = select(epochs.c.epoch).where(epochs.c.attempt_id == attempts.c.id).exists()
    age = func.row_number().over(partition_by=cast(jobs.c.config, Text), order_by=attempts.c.id.desc()).label("age")
    ranked = select(attempts.c.id, age).join(jobs, jobs.c.id == attempts.c.job_id).where(has_epochs).subquery()
    young = select(ranked.c.id).where(ranked.c.age <= _SAMPLED)
    chosen = young.order_by(ranked.c.id.desc()).limit(_SAMPLED_IN_ALL).subquery()
    took = func.sum(epochs.c.train_s + epochs.c.eval_s).label("took_s")
    sums = (
        select(chosen.c.id, func.count().label("number"), took)
        .join(epochs, epochs.c.attempt_id == chosen.c.id)
        .group_by(chosen.c.id)
        .subquery()
    )
    own_result = and_(results.c.job_id == jobs.c.id, results.c.attempt_id == attempts.c.id)
    query = (
        select(
            attempts.c.job_id,
            jobs.c.config,
            attempts.c.owner,
            attempts.c.started_at,
            attempts.c.ended_at,
            sums.c.number,
        )
        .add_columns(sums.c.took_s, results.c.epochs.label("trained"), results.c.flops, results.c.device)
        .add_columns(results.c.environment["host"].as_string().label("host"))
        .add_columns(results.c.environment["device_name"].as_string().label("device_name"))
        .join_from(sums, attempts, attempts.c.id == sums.c.id)
        .join(jobs, jobs.c.id == attempts.c.job_id)
        .outerjoin(results, own_result)
    )
    return connection.execute(query.order_by(attempts.c.id.desc())).all()


def _measured(row: Row[Any], worker: Row[Any] | None) -> MeasuredAttempt:
    """The worker's words for host and device come first: a worker that is asked about later has the same ones."""
    done = row.trained is not None
    return MeasuredAttempt(
        job_id=row.job_id,
        config=row.config,
        device=worker.device if worker else row.device,
        host=worker.host if worker else row.host,
        device_name=row.device_name,
        epochs=row.number,
        epoch_s=row.took_s / row.number,
        around_s=max((row.ended_at - row.started_at).total_seconds() - row.took_s, 0.0) if done else None,
        trained_epochs=row.trained,
        flops=row.flops,
    )


def _recent(connection: Connection) -> dict[int, list[float]]:
    """Seconds of the last epochs of each running job, of its present attempt only."""
    present = and_(attempts.c.job_id == jobs.c.id, attempts.c.number == jobs.c.attempt)
    query = (
        select(jobs.c.id, (epochs.c.train_s + epochs.c.eval_s).label("took_s"))
        .join_from(jobs, attempts, present)
        .join(epochs, and_(epochs.c.attempt_id == attempts.c.id, epochs.c.epoch > jobs.c.epoch - _RECENT))
        .where(jobs.c.state == JobState.RUNNING)
        .order_by(jobs.c.id, epochs.c.epoch)
    )
    found: dict[int, list[float]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.id].append(row.took_s)
    return dict(found)


def _job(row: Row[Any]) -> Job:
    values = dict(zip(_JOB_FIELDS, row, strict=True))  # not of its mapping, which costs half of reading a job
    values["state"] = JobState(values["state"])
    values["cause"] = Cause(values["cause"]) if values["cause"] else None
    return Job(**values)


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
