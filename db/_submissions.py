"""Writing what somebody asks for: submissions, cancellations, retries, doorbells sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, select, update

from db._claims import log_event
from db._database import SUBMIT_LOCK, Database
from db.errors import NotFoundError
from db.records import Cause, JobState, NewJob, NewSubmission, SubmittedJob
from db.tables import NOT_COUNTED, URGENCY, jobs, submission_jobs, submissions

_Item = TypeVar("_Item")
_CHUNK = 500  # rows in one statement; SQLite takes 32,766 variables


class Submissions(Database):
    def submit(
        self, submission: NewSubmission, new_jobs: Sequence[NewJob], *, priority: int = 0, actor: str = "submit"
    ) -> tuple[int, list[SubmittedJob]]:
        """Write the submission and those of its jobs that the store lacks, all or nothing.

        `new_jobs` has one entry for each (label, seed); entries with one key are one job, named after the first. A
        job that is there and not done takes over the `timeout_s`, the one thing that its key leaves open.
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
            added = self._add_jobs(connection, list(first_of.values()), priority)
            known = _by_key(connection, list(first_of))
            self._set_timeouts(connection, [job for job in first_of.values() if job.key not in added])
            answer = [
                SubmittedJob(
                    job_id=known[job.key][0],
                    label=job.label,
                    seed=job.seed,
                    key=job.key,
                    state=known[job.key][1],
                    new=job.key in added,
                )
                for job in new_jobs
            ]
            rows = [
                {"submission_id": submission_id, "label": a.label, "seed": a.seed, "job_id": a.job_id, "new": a.new}
                for a in answer
            ]
            for part in _chunks(rows):
                connection.execute(submission_jobs.insert().values(part))
            log_event(connection, self.clock, None, actor, "submitted", submission=submission_id, new=len(added))
        return submission_id, answer

    def _add_jobs(self, connection: Connection, new_jobs: Sequence[NewJob], priority: int) -> set[str]:
        added: set[str] = set()
        for part in _chunks(new_jobs):
            rows = [
                {
                    "key": job.key,
                    "label": job.label,
                    "seed": job.seed,
                    "config": dict(job.config),
                    "fingerprint": job.fingerprint,
                    "state": JobState.QUEUED.value,
                    "priority": priority,
                    "attempt": 0,
                    "counted_from": 0,
                    "alone": False,
                    "timeout_s": job.timeout_s,
                    "train_flops": NOT_COUNTED,
                    "cancel_requested": False,
                    "epoch": 0,
                    "epochs": job.config["epochs"],
                    "message": "",
                    "available_at": self.clock,
                    "created_at": self.clock,
                }
                for job in part
            ]
            statement = self._insert(jobs).values(rows).on_conflict_do_nothing(index_elements=["key"])
            added.update(connection.execute(statement.returning(jobs.c.key)).scalars())
        return added

    def _set_timeouts(self, connection: Connection, known: Sequence[NewJob]) -> None:
        by_timeout: dict[float | None, list[str]] = {}
        for job in known:
            by_timeout.setdefault(job.timeout_s, []).append(job.key)
        for timeout_s, keys in by_timeout.items():
            for part in _chunks(keys):
                open_ones = update(jobs).where(jobs.c.key.in_(part), jobs.c.state != JobState.DONE)
                changed = jobs.c.timeout_s.is_distinct_from(timeout_s)
                connection.execute(open_ones.where(changed).values(timeout_s=timeout_s))

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

    def cancel(self, job_ids: Iterable[int], *, actor: str = "cancel") -> tuple[list[int], list[int]]:
        """Cancel queued jobs at once, ask running ones to stop; gives both lists. Ended jobs are left alone."""
        wanted = sorted(set(job_ids))
        with self._writing() as connection:
            _check_all_known(connection, wanted)
            ended = {"state": JobState.CANCELLED.value, "cause": Cause.CANCELLED.value, "finished_at": self.clock}
            cancelled = _change(connection, wanted, [JobState.QUEUED], ended)
            asked = _change(connection, wanted, [JobState.RUNNING], {"cancel_requested": True})
            self._log_events(connection, cancelled, actor, "cancelled")
            self._log_events(connection, asked, actor, "cancel asked")
        return cancelled, asked

    def retry(self, job_ids: Iterable[int], *, actor: str = "retry") -> list[int]:
        """Queue failed and cancelled jobs again; gives those that were. Others are left alone."""
        wanted = sorted(set(job_ids))
        with self._writing() as connection:
            _check_all_known(connection, wanted)
            again: dict[str, Any] = {
                "state": JobState.QUEUED.value,
                "cause": None,
                "message": "",
                "counted_from": jobs.c.attempt,
            }
            again |= {"alone": False, "cancel_requested": False, "finished_at": None}
            again |= {"available_at": self.clock, "published_at": None}
            retried = _change(connection, wanted, [JobState.FAILED, JobState.CANCELLED], again)
            self._log_events(connection, retried, actor, "retried")
        return retried

    def _log_events(self, connection: Connection, job_ids: Sequence[int], actor: str, what: str) -> None:
        for job_id in job_ids:
            log_event(connection, self.clock, job_id, actor, what)

    def unpublished(self) -> list[int]:
        """Queued jobs for which no doorbell was sent since they were queued."""
        with self._reading() as connection:
            wanted = select(jobs.c.id).where(jobs.c.state == JobState.QUEUED, jobs.c.published_at.is_(None))
            return list(connection.execute(wanted.order_by(jobs.c.id)).scalars())

    def mark_published(self, job_ids: Sequence[int]) -> None:
        with self._writing() as connection:
            for part in _chunks(job_ids):
                connection.execute(update(jobs).where(jobs.c.id.in_(part)).values(published_at=self.clock))

    def claimable(self, limit: int, *, anywhere: bool = False) -> list[int]:
        """Queued jobs whose time has come, the most urgent first; `anywhere`: only those that need no device alone."""
        with self._reading() as connection:
            wanted = select(jobs.c.id).where(jobs.c.state == JobState.QUEUED, jobs.c.available_at <= self.clock)
            wanted = wanted.where(jobs.c.alone.is_(False)) if anywhere else wanted
            return list(connection.execute(wanted.order_by(*URGENCY).limit(limit)).scalars())


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


def _change(
    connection: Connection, job_ids: Sequence[int], states: Sequence[JobState], values: Mapping[str, Any]
) -> list[int]:
    """Set `values` on those of the jobs that are in one of the states; gives their ids."""
    changed: list[int] = []
    for part in _chunks(job_ids):
        those = update(jobs).where(jobs.c.id.in_(part), jobs.c.state.in_(states))
        changed.extend(connection.execute(those.values(**values).returning(jobs.c.id)).scalars())
    return sorted(changed)
