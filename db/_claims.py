"""The life of an attempt: claim, heartbeat, history, end.

What changes a job names its attempt, and fails once that is lost. Lease times are the database's clock only.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any, TypeAlias

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Double,
    Row,
    Select,
    and_,
    bindparam,
    func,
    insert,
    not_,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from db._endings import HELD, Endings, lost, names, storable
from db._moves import Move
from db.policy import USUAL_CPU_MIB
from db.records import (
    Artifact,
    Beat,
    Claim,
    EpochRecord,
    Held,
    JobState,
    Predictions,
    Result,
    Scores,
    Weights,
)
from db.tables import EXPECTED_MIB, URGENCY, artifacts, attempts, epochs, jobs, predictions, results, submission_jobs

_NEWEST_SUBMISSION = select(func.max(submission_jobs.c.submission_id)).where(submission_jobs.c.job_id == jobs.c.id)
_CLAIM_COLUMNS = (
    *(jobs.c[name] for name in ("id", "attempt", "key", "label", "seed", "config", "fingerprint", "timeout_s")),
    _NEWEST_SUBMISSION.correlate(jobs).scalar_subquery().label("submission_id"),
)
_AT_ONCE = select(func.count()).where(jobs.c.state == JobState.RUNNING, jobs.c.place == bindparam("here"))

_NEEDS_MIB = EXPECTED_MIB | {"cpu": func.coalesce(EXPECTED_MIB["cpu"], USUAL_CPU_MIB)}
HeldMib: TypeAlias = Callable[[str], float]
_EVEN_ALONE: ColumnElement[bool] = bindparam("even_alone", type_=Boolean)
_MAY_START = or_(jobs.c.alone.is_(False), _EVEN_ALONE)
_FOREMOST = tuple_(bindparam("top_priority"), bindparam("top_flops", type_=Double), bindparam("minus_top_id"))
_BEFORE_THOSE_BESIDE = tuple_(jobs.c.priority, jobs.c.train_flops, -jobs.c.id) > _FOREMOST  # as `URGENCY` has it
_PASSED_OVER_S = 600.0  # for so long smaller jobs go before one that does not fit beside others, whatever runs


class Claims(Endings):
    def claim_next(
        self,
        owner: str,
        *,
        lease_s: float,
        place: str = "",
        device: str = "cuda",
        room_mib: float | None = None,
        free_mib: float = math.inf,
        held_mib: HeldMib | None = None,
    ) -> Claim | None:
        """Open the next attempt of the most urgent job whose time has come; None when there is none.

        Higher priority first, then the longest training, then the oldest. Expired leases are taken back first, but not
        those of the own worker: its parent sees whether their process lives, this one may only have missed an outage.
        `place` is the device on which the job will run: one that must be alone waits until nothing else runs there,
        and while it runs nothing else is given to that place.

        `room_mib` is what the jobs of a place may need together, and `free_mib` what nobody holds now: of a card's
        memory, or of a host's where the `device` is "cpu". Only a job fits whose expected memory does beside that of
        those that run there, and is free. `held_mib` tells by the job's owner how much of theirs they hold by now: what
        they have not taken yet is not free. On a card one of which nobody knows it, or that needs more than the room,
        runs alone; where nothing else runs on a CPU whatever is most urgent does, since a system can swap. Less urgent
        jobs that fit go before one that does not, until its time has come for ten minutes and it is more urgent than
        all that runs there: then the place takes nothing before that one.
        """
        with self._writing() as connection:
            self._one_at_a_time(connection, zlib.crc32(place.encode()))
            beside = self._beside(connection, place, device, owner)
            if any(running.alone for running in beside):
                return None
            limits = _limits(beside, device, room_mib, free_mib, held_mib)
            now = {"holder": owner, "here": place, "lease_s": lease_s, **limits}
            claiming = self._admitting[device] if "room_mib" in limits else self._claiming
            for row in self._move(connection, claiming, now, actor=owner, what="claimed"):
                opened = {"job_id": row.id, "number": row.attempt, "owner": owner}
                attempt_id = connection.execute(self._opening, opened).scalar_one()
                return replace(_claim(row, attempt_id, owner), trainings=len(beside) + 1)
        return None

    def would_claim(
        self,
        *,
        place: str = "",
        device: str = "cuda",
        room_mib: float | None = None,
        free_mib: float = math.inf,
        held_mib: HeldMib | None = None,
    ) -> int | None:
        """The job that `claim_next` would open an attempt of, if it took back no lease; nothing is changed."""
        with self._reading() as connection:
            running = connection.execute(self._running[device], {"here": place}).all()
            beside = [row for row in running if row.place == place]
            if any(row.alone for row in beside):
                return None
            limits = _limits(beside, device, room_mib, free_mib, held_mib)
            first = self._first(*(self._fitting(device) if "room_mib" in limits else [_MAY_START]))
            found: int | None = connection.execute(select(jobs.c.id).where(first), limits).scalar()
            return found

    def _beside(self, connection: Connection, place: str, device: str, actor: str) -> list[Row[Any]]:
        """Every job that runs at the place, after expired leases, there and elsewhere, were taken back."""
        own = f"{actor.rpartition('/')[0]}/"
        looking = self._running[device]
        running = connection.execute(looking, {"here": place}).all()
        if any(row.lost and not row.owner.startswith(own) for row in running):
            elsewhere = jobs.c.owner.startswith(own, autoescape=True).is_(False)
            self._take_back(connection, actor, and_(self._expired(), elsewhere))
            running = connection.execute(looking, {"here": place}).all()
        return [row for row in running if row.place == place]

    @cached_property
    def _running(self) -> dict[str, Select[Any]]:
        """The running jobs that a claim must look at: those of its place, and those of lost workers."""
        expired = self._expired()
        wanted = or_(jobs.c.place == bindparam("here"), expired)
        looked_at = select(jobs.c.id, jobs.c.priority, jobs.c.train_flops, jobs.c.place, jobs.c.alone, jobs.c.owner)
        looked_at = looked_at.add_columns(expired.label("lost")).where(jobs.c.state == JobState.RUNNING, wanted)
        return {device: looked_at.add_columns(needs.label("needs_mib")) for device, needs in _NEEDS_MIB.items()}

    @cached_property
    def _claiming(self) -> Move:
        return self._claim_first(_MAY_START)

    @cached_property
    def _admitting(self) -> dict[str, Move]:
        return {device: self._claim_first(*self._fitting(device)) for device in _NEEDS_MIB}

    def _fitting(self, device: str) -> tuple[ColumnElement[bool], ...]:
        """Where memory is counted. The first that fits or has waited too long is looked at, and must fit."""
        needs_mib = _NEEDS_MIB[device]
        known = and_(_MAY_START, needs_mib <= bindparam("left_mib", type_=Double))
        beyond = or_(needs_mib.is_(None), needs_mib > bindparam("room_mib", type_=Double))
        fits = or_(known, and_(beyond, _EVEN_ALONE))
        # where nothing runs, what is missing is in other programs' hands: then no waiting makes room
        overdue = and_(not_(_EVEN_ALONE), jobs.c.available_at <= self.clock - _PASSED_OVER_S, _BEFORE_THOSE_BESIDE)
        return or_(fits, overdue), fits

    def _claim_first(self, *rule: ColumnElement[bool]) -> Move:
        """Claim the most urgent of the queued jobs that are looked at, if it may be taken."""
        values = {
            "attempt": jobs.c.attempt + 1,
            "owner": bindparam("holder"),
            "place": bindparam("here"),
            "lease_until": self._lease_end,
            "started_at": self.clock,
            "cause": None,
            "message": "",
        }
        most_urgent = self._first(*rule, locked=True)
        return Move(JobState.RUNNING, most_urgent, among=[JobState.QUEUED], values=values, returning=_CLAIM_COLUMNS)

    def _first(
        self, looked_at: ColumnElement[bool], *taken: ColumnElement[bool], locked: bool = False
    ) -> ColumnElement[bool]:
        claimable = select(jobs.c.id).where(jobs.c.state == JobState.QUEUED, jobs.c.available_at <= self.clock)
        wanted = claimable.where(looked_at).order_by(*URGENCY).limit(1)
        if locked:
            wanted = wanted.with_for_update(skip_locked=True)
        return and_(jobs.c.id == wanted.scalar_subquery(), *taken)

    @cached_property
    def _opening(self) -> ReturningInsert[int]:
        empty = {"message": "", "traceback": "", "log": "", "start_epoch": 0, "start_step": 0}
        return insert(attempts).values(started_at=self.clock, **empty).returning(attempts.c.id)

    def held(self, worker_id: str) -> list[Held]:
        """The open attempts of a worker's children, and for how long each has run by the database's clock."""
        query = (
            select(*_CLAIM_COLUMNS, jobs.c.owner, jobs.c.cancel_requested, attempts.c.id.label("attempt_id"))
            .add_columns((self.clock - jobs.c.started_at).label("running_s"))
            .join(attempts, and_(attempts.c.job_id == jobs.c.id, attempts.c.number == jobs.c.attempt))
            .where(jobs.c.state == JobState.RUNNING, jobs.c.owner.startswith(f"{worker_id}/", autoescape=True))
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [
            Held(
                claim=_claim(row, row.attempt_id, row.owner),
                running_s=row.running_s,
                cancel_requested=row.cancel_requested,
            )
            for row in rows
        ]

    def heartbeat(self, claim: Claim, *, lease_s: float) -> Beat:
        """Renew the lease. Not owned: another attempt was opened or the job has ended; this one must stop."""
        with self._writing() as connection:
            now = names(claim) | {"lease_s": lease_s}
            own = connection.execute(self._renewing, now).one_or_none()
            if own is None:
                return Beat(owned=False)
            at_once = connection.execute(_AT_ONCE, {"here": own.place}).scalar_one()
        return Beat(owned=True, cancel_requested=own.cancel_requested, trainings=at_once)

    @cached_property
    def _renewing(self) -> ReturningUpdate[Any]:
        longer = update(jobs).where(HELD).values(lease_until=self._lease_end)
        return longer.returning(jobs.c.cancel_requested, jobs.c.place)

    @property
    def _lease_end(self) -> ColumnElement[float]:
        return self.clock + bindparam("lease_s", type_=Double)

    def note_log(self, claim: Claim, path: str) -> None:
        """Where the attempt logs to: known before anything can go wrong with it."""
        with self._writing() as connection:
            connection.execute(update(attempts).where(attempts.c.id == claim.attempt_id).values(log=path))

    def start_attempt(
        self,
        claim: Claim,
        *,
        reached: Sequence[EpochRecord] = (),
        start_step: int = 0,
        message: str = "",
    ) -> None:
        """Note what a checkpoint gave the attempt, and what it has to say about that.

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
            connection.execute(own.values(start_epoch=start_epoch, start_step=start_step, message=storable(message)))
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
            now = names(claim) | {"trained": result.epochs}
            if not self._move(connection, self._finishing, now, actor=claim.owner, what="done"):
                if _already_done(connection, claim):
                    return
                raise lost(claim)
            self._end_attempt(connection, names(claim), "done")
            connection.execute(insert(results), _result_row(claim, result))
            if seen:
                rows = [_prediction_row(claim, weights, prediction) for weights, prediction in seen.items()]
                connection.execute(insert(predictions), rows)
            for artifact in kept:
                connection.execute(insert(artifacts).values(attempt_id=claim.attempt_id, **asdict(artifact)))

    @cached_property
    def _finishing(self) -> Move:
        values = {"finished_at": self.clock, "lease_until": None, "epoch": bindparam("trained")}
        return Move(JobState.DONE, HELD, among=[JobState.RUNNING], values=values)


def _limits(
    beside: Sequence[Row[Any]], device: str, room_mib: float | None, free_mib: float, held_mib: HeldMib | None
) -> dict[str, Any]:
    """What a claim at a place where these run has to keep to."""
    alone = {"even_alone": not beside}
    if room_mib is None or (device == "cpu" and not beside):
        return alone
    left_mib = min(_left_mib(beside, room_mib), free_mib - _not_yet_taken_mib(beside, held_mib))
    return alone | _foremost(beside) | {"room_mib": room_mib, "left_mib": left_mib}


def _left_mib(beside: Sequence[Row[Any]], room_mib: float) -> float:
    """What the running jobs leave of the room: nothing beside one of which nobody knows what it needs."""
    needs = [running.needs_mib for running in beside]
    return -math.inf if None in needs else room_mib - sum(needs)


def _not_yet_taken_mib(beside: Sequence[Row[Any]], held_mib: HeldMib | None) -> float:
    """What the running jobs still need of what is free; nothing where nobody tells what they hold."""
    if held_mib is None:
        return 0.0
    return sum(max(0.0, (running.needs_mib or 0.0) - held_mib(running.owner)) for running in beside)


def _foremost(beside: Sequence[Row[Any]]) -> dict[str, Any]:
    """The most urgent of those that run there."""
    first = max(((row.priority, row.train_flops, -row.id) for row in beside), default=(0, 0.0, 0))
    return dict(zip(("top_priority", "top_flops", "minus_top_id"), first, strict=True))


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


def _fence(connection: Connection, claim: Claim, values: Mapping[str, Any]) -> None:
    if connection.execute(update(jobs).where(HELD).values(**values), names(claim)).rowcount == 0:
        raise lost(claim)


def _already_done(connection: Connection, claim: Claim) -> bool:
    same = (jobs.c.id == claim.job_id, jobs.c.attempt == claim.attempt, jobs.c.owner == claim.owner)
    return connection.execute(select(jobs.c.id).where(*same, jobs.c.state == JobState.DONE)).first() is not None


def _result_row(claim: Claim, result: Result) -> dict[str, Any]:
    # not asdict: it copies two confusion matrices number by number
    own = (name for name in Result.__dataclass_fields__ if name not in ("best", "last"))
    row: dict[str, Any] = {name: getattr(result, name) for name in own}
    for weights, scores in (("best", result.best), ("last", result.last)):
        row |= {f"{weights}_{name}": getattr(scores, name) for name in Scores.__dataclass_fields__}
    return row | {"job_id": claim.job_id, "attempt_id": claim.attempt_id}


def _prediction_row(claim: Claim, weights: Weights, seen: Predictions) -> dict[str, Any]:
    import numpy as np

    images, classes = seen.probabilities.shape
    return {
        "job_id": claim.job_id,
        "weights": weights.value,
        "images": images,
        "classes": classes,
        "labels": zlib.compress(np.ascontiguousarray(seen.labels, dtype="<i4").tobytes()),
        "probabilities": zlib.compress(np.ascontiguousarray(seen.probabilities, dtype="<f4").tobytes()),
    }
