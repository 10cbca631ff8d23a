"""The life of an attempt: claim, heartbeat, history, end. Every write names its attempt and fails once it is not ours.

Lease times are the database's clock only.
"""

import zlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, update

from db._database import Database
from db.errors import LostError
from db.records import Beat, Cause, Claim, EpochRecord, JobState, Predictions, Reconciled, Result, Weights
from db.tables import attempts, epochs, events, jobs, predictions, results

MAX_LOSSES = 3  # a job that took this many workers with it is not given another one


class Claims(Database):
    def claim_next(self, owner: str, *, lease_s: float) -> Claim | None:
        """Open the next attempt of the most urgent job whose time has come; None when there is none.

        Higher priority first, then the longest training, then the oldest. Expired leases are taken back first.
        """
        urgency = (jobs.c.priority.desc(), func.coalesce(jobs.c.cost, 0.0).desc(), jobs.c.id)
        claimable = select(jobs.c.id).where(jobs.c.state == JobState.QUEUED, jobs.c.available_at <= self.clock)
        wanted = claimable.order_by(*urgency).limit(1).with_for_update(skip_locked=True).scalar_subquery()
        with self._writing() as connection:
            self._take_back(connection, owner)
            row = connection.execute(
                update(jobs)
                .where(jobs.c.id == wanted, jobs.c.state == JobState.QUEUED)
                .values(
                    state=JobState.RUNNING.value,
                    attempt=jobs.c.attempt + 1,
                    owner=owner,
                    lease_until=self.clock + lease_s,
                    started_at=self.clock,
                    cause=None,
                    message="",
                )
                .returning(
                    *(jobs.c[name] for name in ("id", "attempt", "key", "label", "seed", "config", "fingerprint"))
                )
            ).one_or_none()
            if row is None:
                return None
            opened = {"job_id": row.id, "number": row.attempt, "owner": owner, "started_at": self.clock}
            empty = {"message": "", "traceback": "", "log": "", "start_epoch": 0}
            inserted = connection.execute(insert(attempts).values(opened | empty).returning(attempts.c.id))
            attempt_id = inserted.scalar_one()
            log_event(connection, self.clock, row.id, owner, "claimed", attempt=row.attempt)
        return Claim(
            job_id=row.id,
            attempt=row.attempt,
            attempt_id=attempt_id,
            owner=owner,
            key=row.key,
            label=row.label,
            seed=row.seed,
            config=row.config,
            fingerprint=row.fingerprint,
        )

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

    def start_attempt(self, claim: Claim, *, log: str, start_epoch: int = 0, message: str = "") -> None:
        """Note where the attempt logs to, how many epochs a checkpoint gave it, and what it has to say about that."""
        with self._writing() as connection:
            _fence(connection, claim, {"epoch": start_epoch})
            own = update(attempts).where(attempts.c.id == claim.attempt_id)
            connection.execute(own.values(log=log, start_epoch=start_epoch, message=message))

    def record_epoch(self, claim: Claim, record: EpochRecord) -> None:
        """One row of history and the job's progress; a row that is there already stays as it is."""
        with self._writing() as connection:
            progress = {"epoch": record.epoch, "val_accuracy": record.val_accuracy, "epoch_s": record.epoch_s}
            _fence(connection, claim, progress)
            row = asdict(record) | {"attempt_id": claim.attempt_id, "recorded_at": self.clock}
            connection.execute(self._insert(epochs).values(row).on_conflict_do_nothing())

    def finish(self, claim: Claim, result: Result, seen: Mapping[Weights, Predictions]) -> None:
        """Result, predictions and state in one transaction; saying it twice is saying it once."""
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
            log_event(connection, self.clock, claim.job_id, claim.owner, "done", attempt=claim.attempt)

    def fail(
        self,
        claim: Claim,
        cause: Cause,
        message: str,
        *,
        traceback: str = "",
        retry_after_s: float | None = None,
    ) -> JobState:
        """End the attempt without a result: queued again after `retry_after_s`, else failed (or cancelled)."""
        if retry_after_s is not None:
            state = JobState.QUEUED
            values: dict[str, Any] = {"available_at": self.clock + retry_after_s, "published_at": None}
        else:
            state = JobState.CANCELLED if cause is Cause.CANCELLED else JobState.FAILED
            values = {"finished_at": self.clock}
        values |= {"state": state.value, "cause": cause.value, "message": message, "lease_until": None, "owner": None}
        with self._writing(durable=True) as connection:
            if _move(connection, claim, values | {"cancel_requested": False}) == 0:
                raise _lost(claim)
            self._end_attempt(connection, claim.attempt_id, cause.value, message, traceback)
            log_event(connection, self.clock, claim.job_id, claim.owner, str(cause), attempt=claim.attempt, to=state)
        return state

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
        """Running jobs whose lease is over: queued again, cancelled when that was asked, failed after MAX_LOSSES."""
        columns = (jobs.c.id, jobs.c.attempt, jobs.c.losses, jobs.c.cancel_requested, jobs.c.owner)
        lost = connection.execute(select(*columns).where(self._expired()).with_for_update(skip_locked=True)).all()
        moved: dict[JobState, list[int]] = {JobState.QUEUED: [], JobState.FAILED: [], JobState.CANCELLED: []}
        for row in lost:
            message = f"worker {row.owner} stopped answering"
            state = JobState.QUEUED
            values: dict[str, Any] = {"available_at": self.clock, "published_at": None}
            if row.cancel_requested:
                state, values = JobState.CANCELLED, {"finished_at": self.clock}
            elif row.losses + 1 >= MAX_LOSSES:
                state, values = JobState.FAILED, {"finished_at": self.clock}
                message = f"{row.losses + 1} workers in a row stopped answering while they ran this job"
            values |= {"losses": row.losses + 1, "lease_until": None, "owner": None, "cancel_requested": False}
            values |= {"state": state.value, "cause": Cause.WORKER_LOST.value, "message": message}
            connection.execute(update(jobs).where(jobs.c.id == row.id, jobs.c.attempt == row.attempt).values(values))
            own = select(attempts.c.id).where(attempts.c.job_id == row.id, attempts.c.number == row.attempt)
            self._end_attempt(connection, own.scalar_subquery(), Cause.WORKER_LOST.value, message, "")
            log_event(connection, self.clock, row.id, actor, "lease expired", attempt=row.attempt, to=state)
            moved[state].append(row.id)
        return Reconciled(requeued=tuple(moved[JobState.QUEUED]), failed=tuple(moved[JobState.FAILED]))

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
