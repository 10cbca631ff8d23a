"""The one place where a job changes its state: `db.records.MOVES` says from where, and every move leaves an event."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, Row, bindparam, insert, update

from db._database import Database
from db.records import MOVES, JobState
from db.tables import events, jobs


class Move:
    """One kind of change of state, to `to`: from those of the states `among` from which MOVES allows it.

    `where` narrows the jobs down, `values` are set with the state. Made once and executed often, it costs a quarter of
    building its statement each time.
    """

    def __init__(
        self,
        to: JobState,
        *where: ColumnElement[bool],
        among: Iterable[JobState],
        values: Mapping[str, Any],
        returning: Sequence[ColumnElement[Any]] = (),
    ) -> None:
        self.to, self._among = to, tuple(among)
        source = jobs.c.state.in_(bindparam("sources", expanding=True))
        changed = update(jobs).where(*where, source).values(state=to.value, **values)
        self.statement = changed.returning(*(returning or (jobs.c.id, jobs.c.attempt)))

    def sources(self) -> list[str]:
        """The states that it takes a job from."""
        return [state.value for state in self._among if self.to in MOVES[state]]


class Moves(Database):
    def _move(
        self, connection: Connection, move: Move, parameters: Mapping[str, Any], *, actor: str, what: str
    ) -> Sequence[Row[Any]]:
        """Make the move; gives what it returns of each job that could make it, `id` and `attempt` at least."""
        rows = connection.execute(move.statement, {"sources": move.sources(), **parameters}).all()
        about = [(row.id, {"attempt": row.attempt, "to": move.to.value}) for row in rows]
        self._note(connection, about, actor=actor, what=what)
        return rows

    def _note(
        self, connection: Connection, about: Sequence[tuple[int | None, Mapping[str, Any]]], *, actor: str, what: str
    ) -> None:
        """One event for each job and what there is to say about it; None: it concerns no single job."""
        rows = [{"job_id": job_id, "actor": actor, "what": what, "details": details} for job_id, details in about]
        if rows:
            connection.execute(self._noting, rows)

    @cached_property
    def _noting(self) -> Insert:
        return insert(events).values(at=self.clock)
