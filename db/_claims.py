"""The life of an attempt: claim, heartbeat, history, end. Every write names its attempt and fails once it is not ours.

Lease times are the database's clock only.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, select, update

from db._database import Database
from db.errors import LostError
from db.policy import RETRIES
from db.records import (
    Artifact,
    Beat,
    Cause,
    Claim,
    EpochRecord,
    Held,
    JobState,
    Predictions,
    Reconciled,
    Result,
    Weights,
)
from db.tables import URGENCY, artifacts, attempts, epochs, events, jobs, predictions, results, submission_jobs

_NEWEST_SUBMISSION = select(func.max(submission_jobs.c.submission_id)).where(submission_jobs.c.job_id == jobs.c.id)
_CLAIM_COLUMNS = (
    *(jobs.c[name] for name in ("id", "attempt", "key", "label", "seed", "config", "fingerprint", "timeout_s")),
    _NEWEST_SUBMISSION.correlate(jobs).scalar_subquery().label("submission_id"),
)

LEASE_EXPIRED = "lease expired"
"""What an event says of a lease that ran out; the cause of that attempt is worker_lost, as that of others too."""


class Claims(Database):
    def claim_next(self, owner: str, *, lease_s: float, place: str = "") -> Claim | None:
        """Open the next attempt of the most urgent job whose time has come; None when there is none.

        Higher priority first, then the longest training, then the oldest. Expired leases are taken back first.
        `place` is the device on which the job will run: one that must be alone waits until nothing else runs there,
        and while it runs nothing else is given to that place.
        """
        claimable = select(jobs.c.id).where(jobs.c.state == JobState.QUEUED, jobs.c.available_at <= self.clock)
        with self._writing() as connection:
            self._take_back(connection, owner)
            self._one_at_a_time(connection, zlib.crc32(place.encode()))
            neighbours = select(jobs.c.alone).where(jobs.c.state == JobState.RUNNING, jobs.c.place == place)
            beside = connection.execute(neighbours).scalars().all()
            if any(beside):
                return None
            if beside:
                claimable = claimable.where(jobs.c.alone.is_(False))
            wanted = claimable.order_by(*URGENCY).limit(1).with_for_update(skip_locked=True).scalar_subquery()
            row = connection.execute(
                update(jobs)
                .where(jobs.c.id == wanted, jobs.c.state == JobState.QUEUED)
                .values(
                    state=JobState.RUNNING.value,
                    attempt=jobs.c.attempt + 1,
                    owner=owner,
                    place=place,
                    lease_until=self.clock + lease_s,
                    started_at=self.clock,
                    cause=None,
                    message="",
                )
                .returning(*_CLAIM_COLUMNS)
            ).one_or_none()
            if row is None:
                return None
            opened = {"job_id": row.id, "number": row.attempt, "owner": owner, "started_at": self.clock}
            empty = {"message": "", "traceback": "", "log": "", "start_epoch": 0, "start_step": 0}
            inserted = connection.execute(insert(attempts).values(opened | empty).returning(attempts.c.id))
            attempt_id = inserted.scalar_one()
            log_event(connection, self.clock, row.id, owner, "claimed", attempt=row.attempt)
        return _claim(row, attempt_id, owner)

    def held(self, worker_id: str) -> list[Held]:
        """The open attempts of a worker's children, and for how long each has run by the database's clock."""
        query = (
            select(*_CLAIM_COLUMNS, jobs.c.owner, attempts.c.id.label("attempt_id"))
            .add_columns((self.clock - jobs.c.started_at).label("running_s"))
            .join(attempts, and_(attempts.c.job_id == jobs.c.id, attempts.c.number == jobs.c.attempt))
            .where(jobs.c.state == JobState.RUNNING, jobs.c.owner.startswith(f"{worker_id}/", autoescape=True))
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [Held(claim=_claim(row, row.attempt_id, row.owner), running_s=row.running_s) for row in rows]

    def heartbeat(self, claim: Claim, *, lease_s: float) -> Beat:
        """Renew the lease. Not owned: another attempt was opened or the job has ended; this one must stop."""
        with self._writing() as connection:
            cancel = connection.execute(
                update(jobs)
                .where(_held(claim))
                .values(lease_until=self.clock + lease_s)
                .returning(jobs.c.cancel_requested)
            ).scalar_one_or_none()
        return Beat(owned=cancel is not None, cancel_requested=bool(cancel))

    def start_attempt(
        self,
        claim: Claim,
        *,
        log: str,
        reached: Sequence[EpochRecord] = (),
        start_step: int = 0,
        message: str = "",
    ) -> None:
        """Note where the attempt logs to, what a checkpoint gave it, and what it has to say about that.

        A checkpoint gives whole epochs, `reached`, and steps of the next one. Rows of those epochs that the attempts
        before could not write any more, the store being away, are written now. An attempt that begins further than
        every one before it clears the count of those that ended badly.
        """
        start_epoch = reached[-1].epoch if reached else 0
        starts = select(attempts.c.start_epoch, attempts.c.start_step)
        before = starts.where(attempts.c.job_id == claim.job_id, attempts.c.number < claim.attempt)
        with self._writing() as connection:
            begun = [(row.start_epoch, row.start_step) for row in connection.execute(before)]
            further = (start_epoch, start_step) > max(begun, default=(0, 0))
            counted = {"counted_from": claim.attempt - 1} if further else {}
            _fence(connection, claim, {"epoch": start_epoch} | counted)
            own = update(attempts).where(attempts.c.id == claim.attempt_id)
            connection.execute(own.values(log=log, start_epoch=start_epoch, start_step=start_step, message=message))
            written = select(epochs.c.epoch).join(attempts, attempts.c.id == epochs.c.attempt_id)
            known = set(connection.execute(written.where(attempts.c.job_id == claim.job_id)).scalars())
            for record in reached:
                if record.epoch not in known:
                    self._add_epoch(connection, claim, record)

    def record_epoch(self, claim: Claim, record: EpochRecord) -> None:
        """One row of history and the job's progress; a row that is there already stays as it is."""
        with self._writing() as connection:
            progress = {"epoch": record.epoch, "val_accuracy": record.val_accuracy, "epoch_s": record.epoch_s}
            _fence(connection, claim, progress)
            self._add_epoch(connection, claim, record)

    def _add_epoch(self, connection: Connection, claim: Claim, record: EpochRecord) -> None:
        row = asdict(record) | {"attempt_id": claim.attempt_id, "recorded_at": self.clock}
        connection.execute(self._insert(epochs).values(row).on_conflict_do_nothing())

    def finish(
        self, claim: Claim, result: Result, seen: Mapping[Weights, Predictions], *, kept: Sequence[Artifact] = ()
    ) -> None:
        """Result, predictions, kept files and state in one transaction; saying it twice is saying it once."""
        with self._writing(durable=True) as connection:
            done = {
                "state": JobState.DONE.value,
                "finished_at": self.clock,
                "lease_until": None,
                "epoch": result.epochs,
            }
            if _move(connection, claim, done) == 0:
                if _already_done(connection, claim):
                    return
                raise _lost(claim)
            self._end_attempt(connection, claim.attempt_id, "done", "", "")
            connection.execute(insert(results).values(_result_row(claim, result)))
            for weights, prediction in seen.items():
                connection.execute(insert(predictions).values(_prediction_row(claim, weights, prediction)))
            for artifact in kept:
                connection.execute(insert(artifacts).values(attempt_id=claim.attempt_id, **asdict(artifact)))
            log_event(connection, self.clock, claim.job_id, claim.owner, "done", attempt=claim.attempt)

    def fail(self, claim: Claim, cause: Cause, message: str, *, traceback: str = "", actor: str = "") -> JobState:
        """End the attempt without a result: queued again as `db.policy` says of the cause, else failed or cancelled."""
        with self._writing(durable=True) as connection:
            row = connection.execute(select(*_ENDING_COLUMNS).where(_held(claim)).with_for_update()).one_or_none()
            if row is None:
                raise _lost(claim)
            return self._end_badly(connection, row, cause, message, traceback, actor or claim.owner)

    def reconcile(self, *, actor: str = "reconcile") -> Reconciled:
        """Take back what dead workers held; whoever looks may call it, any number at once."""
        with self._reading() as connection:
            if connection.execute(select(jobs.c.id).where(self._expired()).limit(1)).first() is None:
                return Reconciled()
        with self._writing() as connection:
            return self._take_back(connection, actor)

    def _expired(self) -> ColumnElement[bool]:
        return and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_until < self.clock)

    def _take_back(self, connection: Connection, actor: str) -> Reconciled:
        """Running jobs whose lease is over are the jobs of lost workers."""
        lost = connection.execute(
            select(*_ENDING_COLUMNS).where(self._expired()).with_for_update(skip_locked=True)
        ).all()
        moved: dict[JobState, list[int]] = {JobState.QUEUED: [], JobState.FAILED: [], JobState.CANCELLED: []}
        for row in lost:
            message = f"worker {row.owner} stopped answering"
            log_event(connection, self.clock, row.id, actor, LEASE_EXPIRED, attempt=row.attempt)
            moved[self._end_badly(connection, row, Cause.WORKER_LOST, message, "", actor)].append(row.id)
        return Reconciled(requeued=tuple(moved[JobState.QUEUED]), failed=tuple(moved[JobState.FAILED]))

    def _end_badly(
        self, connection: Connection, row: Row[Any], cause: Cause, message: str, traceback: str, actor: str
    ) -> JobState:
        """The one way out of an attempt without a result; `row` is the locked job, still running."""
        state = JobState.FAILED
        values: dict[str, Any] = {"finished_at": self.clock}
        retry = RETRIES.get(cause)
        if cause is Cause.CANCELLED or (retry and row.cancel_requested):
            state = JobState.CANCELLED
        elif retry:
            before = self._ended_so(connection, row, cause)
            if retry.most is None or before < retry.most:
                state = JobState.QUEUED
                values = {"available_at": self.clock + retry.delay_s, "published_at": None}
                values |= {"alone": True} if retry.alone else {}
            else:
                message = f"{message}; {before + 1} attempts ended this way, so it is not tried again"
        values |= {"state": state.value, "cause": cause.value, "message": message, "cancel_requested": False}
        values |= {"lease_until": None, "owner": None}
        connection.execute(update(jobs).where(jobs.c.id == row.id, jobs.c.attempt == row.attempt).values(values))
        own = select(attempts.c.id).where(attempts.c.job_id == row.id, attempts.c.number == row.attempt)
        self._end_attempt(connection, own.scalar_subquery(), cause.value, message, traceback)
        log_event(connection, self.clock, row.id, actor, str(cause), attempt=row.attempt, to=state)
        return state

    def _ended_so(self, connection: Connection, row: Row[Any], cause: Cause) -> int:
        """How many attempts before this one ended by the same cause, since they are counted."""
        query = select(func.count()).where(attempts.c.job_id == row.id, attempts.c.number > row.counted_from)
        return int(connection.execute(query.where(attempts.c.outcome == cause.value)).scalar_one())

    def _end_attempt(self, connection: Connection, attempt_id: Any, outcome: str, message: str, traceback: str) -> None:
        # what the attempt noted at its start, a damaged checkpoint say, stays in front
        joined = func.trim(attempts.c.message + "\n" + message, "\n") if message else attempts.c.message
        ended = {"ended_at": self.clock, "outcome": outcome, "message": joined, "traceback": traceback}
        connection.execute(update(attempts).where(attempts.c.id == attempt_id).values(ended))


def log_event(
    connection: Connection, clock: ColumnElement[Any], job_id: int | None, actor: str, what: str, **details: Any
) -> None:
    values = {"job_id": job_id, "at": clock, "actor": actor, "what": what, "details": details}
    connection.execute(insert(events).values(values))


_ENDING_COLUMNS = tuple(jobs.c[name] for name in ("id", "attempt", "counted_from", "cancel_requested", "owner"))


def _claim(row: Row[Any], attempt_id: int, owner: str) -> Claim:
    return Claim(
        submission_id=row.submission_id,
        job_id=row.id,
        attempt=row.attempt,
        attempt_id=attempt_id,
        owner=owner,
        key=row.key,
        label=row.label,
        seed=row.seed,
        config=row.config,
        fingerprint=row.fingerprint,
        timeout_s=row.timeout_s,
    )


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(
        jobs.c.id == claim.job_id,
        jobs.c.attempt == claim.attempt,
        jobs.c.owner == claim.owner,
        jobs.c.state == JobState.RUNNING,
    )


def _move(connection: Connection, claim: Claim, values: Mapping[str, Any]) -> int:
    return connection.execute(update(jobs).where(_held(claim)).values(**values)).rowcount


def _fence(connection: Connection, claim: Claim, values: Mapping[str, Any]) -> None:
    if _move(connection, claim, values) == 0:
        raise _lost(claim)


def _lost(claim: Claim) -> LostError:
    return LostError(f"attempt {claim.attempt} of job {claim.job_id} is no longer ours")


def _already_done(connection: Connection, claim: Claim) -> bool:
    same = (jobs.c.id == claim.job_id, jobs.c.attempt == claim.attempt, jobs.c.owner == claim.owner)
    return connection.execute(select(jobs.c.id).where(*same, jobs.c.state == JobState.DONE)).first() is not None


def _result_row(claim: Claim, result: Result) -> dict[str, Any]:
    row: dict[str, Any] = {"job_id": claim.job_id, "attempt_id": claim.attempt_id}
    for name, value in asdict(result).items():
        if name in ("best", "last"):
            row |= {f"{name}_{part}": inner for part, inner in value.items()}
        else:
            row[name] = value
    return row


def _prediction_row(claim: Claim, weights: Weights, seen: Predictions) -> dict[str, Any]:
    images, classes = seen.probabilities.shape
    return {
        "job_id": claim.job_id,
        "weights": weights.value,
        "images": images,
        "classes": classes,
        "labels": zlib.compress(np.ascontiguousarray(seen.labels, dtype="<i4").tobytes()),
        "probabilities": zlib.compress(np.ascontiguousarray(seen.probabilities, dtype="<f4").tobytes()),
    }
