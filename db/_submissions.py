"""Writing what somebody asks for: submissions, cancellations, retries, doorbells sent."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import Connection, Text, bindparam, cast, insert, select, update

from db import tables
from db._database import SUBMIT_LOCK
from db._moves import Move, Moves
from db.errors import NotFoundError
from db.records import Cause, JobState, NetworkSize, NewJob, NewSubmission, SubmittedJob
from db.tables import EXPECTED_MIB, NOT_COUNTED, jobs, submission_jobs, submissions

_Item = TypeVar("_Item")
_CHUNK = 500  # rows in one statement; SQLite takes 32,766 variables
_AMONG = jobs.c.id.in_(bindparam("part", expanding=True))


class Submissions(Moves):
    def submit(
        self,
        submission: NewSubmission,
        new_jobs: Sequence[NewJob],
        *,
        priority: int = 0,
        actor: str = "submit",
        sources: Mapping[str, str] | None = None,
        sizes: Mapping[str, NetworkSize] | None = None,
    ) -> tuple[int, list[SubmittedJob]]:
        """Write the submission and those of its jobs that the store lacks, all or nothing.

        `new_jobs` has one entry for each (label, seed); entries with one key are one job, named after the first. A
        job that is there and not done takes over the `timeout_s`, the one thing that its key leaves open, and a higher
        priority than its own, unless that is 0, which nobody need have asked for.
        `sources`: the code of the jobs' own networks by its sha256, `sizes` how large they are by `network_key`.
        Gives the submission's id and, in the same order, what became of each entry.
        """
        first_of: dict[str, NewJob] = {}
        for job in new_jobs:
            first_of.setdefault(job.key, job)
        with self._writing(durable=True) as connection:
            values = {"created_at": self.clock, **asdict(submission)}
            self._one_at_a_time(connection, SUBMIT_LOCK)
            inserted = connection.execute(submissions.insert().values(values).returning(submissions.c.id))
            submission_id = inserted.scalar_one()
            self._add_sources(connection, sources or {})
            for key, size in sorted((sizes or {}).items()):
                row = {"key": key, **asdict(size)}
                connection.execute(self._insert(tables.networks).values(row).on_conflict_do_nothing())
            before = _by_key(connection, list(first_of))
            added = [job for key, job in first_of.items() if key not in before]
            self._add_jobs(connection, added, priority)
            self._set_timeouts(connection, [job for key, job in first_of.items() if key in before])
            self._raise_priority(connection, [key for key in first_of if key in before], priority)
            known = before | _by_key(connection, [job.key for job in added])
            answer = [
                SubmittedJob(
                    job_id=known[job.key][0],
                    label=job.label,
                    seed=job.seed,
                    key=job.key,
                    state=known[job.key][1],
                    new=job.key not in before,
                )
                for job in new_jobs
            ]
            connection.execute(insert(submission_jobs), [_asked(submission_id, entry) for entry in answer])
            said = {"submission": submission_id, "new": len(added)}
            self._note(connection, [(None, said)], actor=actor, what="submitted")
        return submission_id, answer

    def _add_sources(self, connection: Connection, sources: Mapping[str, str]) -> None:
        for name, content in sorted(sources.items()):
            row = {"sha256": name, "content": content, "created_at": self.clock}
            added = self._insert(tables.sources).values(row)
            # what was changed there is mended: nothing else has this sum
            mended = added.on_conflict_do_update(index_elements=["sha256"], set_={"content": content})
            connection.execute(mended)

    def source(self, sha256: str) -> str | None:
        """The code of a user's own networks, as it was submitted; None where the store has none of that sum."""
        with self._reading() as connection:
            wanted = select(tables.sources.c.content).where(tables.sources.c.sha256 == sha256)
            return connection.execute(wanted).scalar()

    def network_sizes(self, keys: Collection[str]) -> dict[str, NetworkSize]:
        """Of networks that are not bench's, by `network_key`, as far as they were submitted with it."""
        found = tables.networks.c
        with self._reading() as connection:
            wanted = select(found.key, found.parameters, found.flops, found.activations)
            rows = [row for part in _chunks([*keys]) for row in connection.execute(wanted.where(found.key.in_(part)))]
        return {
            row.key: NetworkSize(parameters=int(row.parameters), flops=int(row.flops), activations=int(row.activations))
            for row in rows
        }

    def _add_jobs(self, connection: Connection, new_jobs: Sequence[NewJob], priority: int) -> None:
        """One statement for all: with the rows in its text it would take ten times as long to write as to execute."""
        same: dict[str, Any] = {
            "state": JobState.QUEUED.value,
            "priority": priority,
            "attempt": 0,
            "counted_from": 0,
            "alone": False,
            "train_flops": NOT_COUNTED,
            "cancel_requested": False,
            "epoch": 0,
            "message": "",
            "available_at": self.clock,
            "created_at": self.clock,
        }
        own = ("key", "label", "seed", "fingerprint", "timeout_s")
        rows = [
            {name: getattr(job, name) for name in own} | {"config": dict(job.config), "epochs": job.config["epochs"]}
            for job in new_jobs
        ]
        if rows:
            connection.execute(insert(jobs).values(same), rows)

    def _set_timeouts(self, connection: Connection, known: Sequence[NewJob]) -> None:
        by_timeout: dict[float | None, list[str]] = {}
        for job in known:
            by_timeout.setdefault(job.timeout_s, []).append(job.key)
        for timeout_s, keys in by_timeout.items():
            for part in _chunks(keys):
                open_ones = update(jobs).where(jobs.c.key.in_(part), jobs.c.state != JobState.DONE)
                changed = jobs.c.timeout_s.is_distinct_from(timeout_s)
                connection.execute(open_ones.where(changed).values(timeout_s=timeout_s))

    def _raise_priority(self, connection: Connection, keys: Sequence[str], priority: int) -> None:
        for part in _chunks(keys) if priority else ():
            open_ones = update(jobs).where(jobs.c.key.in_(part), jobs.c.state != JobState.DONE)
            connection.execute(open_ones.where(jobs.c.priority < priority).values(priority=priority))

    def jobs_without_flops(self) -> list[tuple[int, dict[str, Any]]]:
        """Id and config of the queued jobs whose training FLOPs nobody has counted yet."""
        with self._reading() as connection:
            wanted = select(jobs.c.id, jobs.c.config).where(
                jobs.c.state == JobState.QUEUED, jobs.c.train_flops == NOT_COUNTED
            )
            return [(row.id, row.config) for row in connection.execute(wanted)]

    def set_train_flops(self, counted: Mapping[int, float]) -> None:
        """By job; urgency goes by them."""
        rows = [{"job": job_id, "counted": flops} for job_id, flops in sorted(counted.items())]
        with self._writing() as connection:
            statement = update(jobs).where(jobs.c.id == bindparam("job")).values(train_flops=bindparam("counted"))
            connection.execute(statement, rows)

    def forget_train_flops(self) -> None:
        """Of queued jobs: whoever claims next counts them again."""
        with self._writing() as connection:
            queued = (jobs.c.state == JobState.QUEUED, jobs.c.train_flops != NOT_COUNTED)
            connection.execute(update(jobs).where(*queued).values(train_flops=NOT_COUNTED))

    def queued_memory(self, device: str, *, after: int = 0) -> list[tuple[int, str, float | None]]:
        """Id, config as text, and the MiB that it is expected to need on this kind of device, of each queued job.

        Only of those whose ids come after one, in order. That is quick however many wait.
        """
        text = cast(jobs.c.config, Text).label("text")
        wanted = select(jobs.c.id, jobs.c.state, text, EXPECTED_MIB[device].label("mib")).order_by(jobs.c.id)
        # by one or the other: with both SQLite goes through all that are queued
        newer = jobs.c.id > after if after else jobs.c.state == JobState.QUEUED
        with self._reading() as connection:
            rows = connection.execute(wanted.where(newer))
            return [(row.id, row.text, row.mib) for row in rows if row.state == JobState.QUEUED]

    def set_memory(self, device: str, expected: Mapping[int, float]) -> None:
        """MiB by job; one that runs by now keeps the figure by which its neighbours were admitted."""
        rows = [{"job": job_id, "mib": mib} for job_id, mib in sorted(expected.items())]
        if not rows:
            return
        with self._writing() as connection:
            queued = update(jobs).where(jobs.c.id == bindparam("job"), jobs.c.state == JobState.QUEUED)
            connection.execute(queued.values({EXPECTED_MIB[device]: bindparam("mib")}), rows)

    def cancel(self, job_ids: Iterable[int], *, actor: str = "cancel") -> tuple[list[int], list[int]]:
        """Cancel queued jobs at once, ask running ones to stop; gives both lists. Ended jobs are left alone."""
        wanted = sorted(set(job_ids))
        with self._writing() as connection:
            _check_all_known(connection, wanted)
            ended = {"cause": Cause.CANCELLED.value, "finished_at": self.clock, "message": "cancelled while it waited"}
            move = Move(JobState.CANCELLED, _AMONG, among=[JobState.QUEUED], values=ended)
            cancelled = self._move_all(connection, move, wanted, actor=actor, what="cancelled")
            asked = self._ask_to_stop(connection, wanted, actor)
        return cancelled, asked

    def _ask_to_stop(self, connection: Connection, wanted: Sequence[int], actor: str) -> list[int]:
        """Not a move yet: the worker that runs the job makes it."""
        running = update(jobs).where(_AMONG, jobs.c.state == JobState.RUNNING).values(cancel_requested=True)
        asked: list[int] = []
        for part in _chunks(wanted):
            rows = connection.execute(running.returning(jobs.c.id, jobs.c.attempt), {"part": part}).all()
            about = [(row.id, {"attempt": row.attempt}) for row in rows]
            self._note(connection, about, actor=actor, what="cancel asked")
            asked += [row.id for row in rows]
        return sorted(asked)

    def retry(self, job_ids: Iterable[int], *, actor: str = "retry") -> list[int]:
        """Queue failed and cancelled jobs again; gives those that were. Others are left alone."""
        wanted = sorted(set(job_ids))
        again: dict[str, Any] = {"cause": None, "message": "", "counted_from": jobs.c.attempt}
        again |= {"alone": False, "cancel_requested": False, "finished_at": None}
        again |= {"available_at": self.clock, "published_at": None}
        move = Move(JobState.QUEUED, _AMONG, among=[JobState.FAILED, JobState.CANCELLED], values=again)
        with self._writing() as connection:
            _check_all_known(connection, wanted)
            return self._move_all(connection, move, wanted, actor=actor, what="retried")

    def _move_all(
        self, connection: Connection, move: Move, job_ids: Sequence[int], *, actor: str, what: str
    ) -> list[int]:
        """Make the move with those of the jobs that are in a state for it; gives their ids."""
        moved: list[int] = []
        for part in _chunks(job_ids):
            moved += [row.id for row in self._move(connection, move, {"part": part}, actor=actor, what=what)]
        return sorted(moved)

    def mark_published(self, job_ids: Sequence[int]) -> None:
        with self._writing() as connection:
            for part in _chunks(job_ids):
                connection.execute(update(jobs).where(jobs.c.id.in_(part)).values(published_at=self.clock))


def _asked(submission_id: int, entry: SubmittedJob) -> dict[str, Any]:
    own = {"label": entry.label, "seed": entry.seed, "job_id": entry.job_id, "new": entry.new}
    return {"submission_id": submission_id, **own}


def _chunks(items: Sequence[_Item]) -> Iterable[list[_Item]]:
    return (list(items[start : start + _CHUNK]) for start in range(0, len(items), _CHUNK))


def _by_key(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[int, JobState]]:
    found: dict[str, tuple[int, JobState]] = {}
    for part in _chunks(keys):
        for row in connection.execute(select(jobs.c.id, jobs.c.key, jobs.c.state).where(jobs.c.key.in_(part))):
            found[row.key] = (row.id, JobState(row.state))
    return found


def _check_all_known(connection: Connection, job_ids: Sequence[int]) -> None:
    found: set[int] = set()
    for part in _chunks(job_ids):
        found.update(connection.execute(select(jobs.c.id).where(jobs.c.id.in_(part))).scalars())
    missing = [str(job_id) for job_id in job_ids if job_id not in found]
    if missing:
        raise NotFoundError(f"no job {', '.join(missing[:10])}", fix="see the ids in `bench status`")
