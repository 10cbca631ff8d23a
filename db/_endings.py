"""How an attempt ends without a result, by its own word or because its worker was lost, and what becomes of the job."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Update, and_, bindparam, func, select, update

from db._moves import Move, Moves
from db.errors import LostError, StateError
from db.policy import RETRIES, Retry
from db.records import Cause, Claim, JobState, Reconciled
from db.tables import attempts, jobs

LEASE_EXPIRED = "lease expired"
"""What an event says of a lease that ran out; the cause of that attempt is worker_lost, as that of others too."""

HELD = and_(
    jobs.c.id == bindparam("job"),
    jobs.c.attempt == bindparam("nth"),
    jobs.c.owner == bindparam("holder"),
    jobs.c.state == JobState.RUNNING,
)
"""The fence: true for the job of a claim, given by `names`, as long as nobody else has it and it has not ended."""

_ENDING_COLUMNS = tuple(
    jobs.c[name] for name in ("id", "attempt", "counted_from", "alone", "cancel_requested", "owner", "lease_until")
)


class Endings(Moves):
    def fail(self, claim: Claim, cause: Cause, message: str, *, traceback: str = "", actor: str = "") -> JobState:
        """End the attempt without a result: queued again as `db.policy` says of the cause, else failed or cancelled."""
        held = select(*_ENDING_COLUMNS).where(HELD).with_for_update()
        with self._writing(durable=True) as connection:
            row = connection.execute(held, names(claim)).one_or_none()
            if row is None:
                raise lost(claim)
            return self._end_badly(connection, row, cause, message, traceback, actor or claim.owner)

    def reconcile(self, *, actor: str = "reconcile") -> Reconciled:
        """Take back what dead workers held; whoever looks may call it, any number at once."""
        with self._reading() as connection:
            if connection.execute(select(jobs.c.id).where(self._expired()).limit(1)).first() is None:
                return Reconciled()
        with self._writing() as connection:
            return self._take_back(connection, actor, self._expired())

    def _expired(self) -> ColumnElement[bool]:
        return and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_until < self.clock, self._settled)

    def _take_back(self, connection: Connection, actor: str, expired: ColumnElement[bool]) -> Reconciled:
        """Running jobs whose lease is over are the jobs of lost workers."""
        lost_ones = select(*_ENDING_COLUMNS).where(expired).with_for_update(skip_locked=True)
        moved: dict[JobState, list[int]] = {JobState.QUEUED: [], JobState.FAILED: [], JobState.CANCELLED: []}
        for row in connection.execute(lost_ones).all():
            message = f"worker {row.owner} stopped answering"
            about = {"attempt": row.attempt, "lease_until": row.lease_until.timestamp()}
            self._note(connection, [(row.id, about)], actor=actor, what=LEASE_EXPIRED)
            moved[self._end_badly(connection, row, Cause.WORKER_LOST, message, "", actor)].append(row.id)
        return Reconciled(requeued=tuple(moved[JobState.QUEUED]), failed=tuple(moved[JobState.FAILED]))

    def _end_badly(
        self, connection: Connection, row: Row[Any], cause: Cause, message: str, traceback: str, actor: str
    ) -> JobState:
        """The one way out of an attempt without a result; `row` is the locked job, still running."""
        state = JobState.FAILED
        values: dict[str, Any] = {"finished_at": self.clock}
        retry = RETRIES.get(cause)
        why = cause
        message, traceback = storable(message), storable(traceback)
        if cause is Cause.CANCELLED or (retry and row.cancel_requested):
            state, why = JobState.CANCELLED, Cause.CANCELLED
        elif retry:
            before = self._ended_so(connection, row, cause)
            if _may_go_on(retry, row, before):
                state = JobState.QUEUED
                values = {"available_at": self.clock + retry.delay_s, "published_at": None}
                values |= {"alone": True} if retry.alone else {}
            else:
                message = f"{message}; {before + 1} attempts ended this way, so it is not tried again"
        values |= {"cause": why.value, "message": message, "cancel_requested": False}
        values |= {"lease_until": None, "owner": None}
        ended = Move(state, jobs.c.id == row.id, jobs.c.attempt == row.attempt, among=[JobState.RUNNING], values=values)
        if not self._move(connection, ended, {}, actor=actor, what=cause.value):
            raise StateError(f"job {row.id} is running and may not become {state}", fix=f"see `bench show {row.id}`")
        own = {"job": row.id, "nth": row.attempt}
        self._end_attempt(connection, own, cause.value, message=message, traceback=traceback)
        return state

    def _ended_so(self, connection: Connection, row: Row[Any], cause: Cause) -> int:
        """How many attempts before this one ended by the same cause, since they are counted."""
        query = select(func.count()).where(attempts.c.job_id == row.id, attempts.c.number > row.counted_from)
        return int(connection.execute(query.where(attempts.c.outcome == cause.value)).scalar_one())

    def _end_attempt(
        self, connection: Connection, own: Mapping[str, Any], outcome: str, *, message: str = "", traceback: str = ""
    ) -> None:
        """Close the attempt that `own` names by `job` and `nth`."""
        said = {"how": outcome, "said": f"\n{message}" if message else "", "trace": traceback}
        connection.execute(self._ending, {"job": own["job"], "nth": own["nth"], **said})

    @cached_property
    def _ending(self) -> Update:
        # what the attempt noted at its start, a damaged checkpoint say, stays in front
        joined = func.trim(attempts.c.message + bindparam("said"), "\n")
        values = {"ended_at": self.clock, "outcome": bindparam("how"), "message": joined}
        own = update(attempts).where(attempts.c.job_id == bindparam("job"), attempts.c.number == bindparam("nth"))
        return own.values(**values, traceback=bindparam("trace"))


def _may_go_on(retry: Retry, row: Row[Any], before: int) -> bool:
    """A job that was alone on its device already has had its chance, however far it went since."""
    if retry.alone:
        return not row.alone
    return retry.most is None or before < retry.most


def storable(text: str) -> str:
    """Text that both databases hold: neither takes half a surrogate pair, and Postgres no NUL."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def names(claim: Claim) -> dict[str, Any]:
    """The parameters of `HELD`."""
    return {"job": claim.job_id, "nth": claim.attempt, "holder": claim.owner}


def lost(claim: Claim) -> LostError:
    return LostError(f"attempt {claim.attempt} of job {claim.job_id} is no longer ours")
