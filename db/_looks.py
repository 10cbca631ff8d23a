"""What `bench status` and a shell's completion ask, in SQL as text.

The store and a glance without SQLAlchemy read the same, by these methods.

SQLAlchemy takes longer to load than all of this takes to read. The text is for both databases.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from db.errors import NotFoundError
from db.records import Cause, Job, JobState, Measured, MeasuredAttempt, Submission, SubmittedJob, Worker

CLOCKS = {
    # not now(): that is the moment at which the transaction began
    "postgresql": "extract(epoch from clock_timestamp())::double precision",
    # not unixepoch('subsec'): SQLite 3.40 does not have it
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}
NOT_COUNTED = -1.0
"""`train_flops` of a job whose network nobody has counted yet."""

PART = 500  # ids in one IN list
_SAMPLED = 20  # attempts of a config that tell how long its epochs take
_SAMPLED_IN_ALL = 2_000  # so that ten thousand different configs cost no more than a hundred
_RECENT = 5  # last epochs of a running job


class Looks:
    """The readings of whoever has a `dialect`, can answer `_rows`, and knows what time it is `_now`."""

    dialect: str

    def one_moment(self) -> AbstractContextManager[None]:
        """All that is read inside the block is the store as it was at one moment."""
        raise NotImplementedError

    def _rows(self, sql: str, **given: Any) -> Sequence[Any]:
        """What the statement gives, as the driver has it; `:name` stands for a parameter."""
        raise NotImplementedError

    def _now(self) -> float:
        """By the database's clock, in seconds since 1970."""
        raise NotImplementedError

    def jobs(self, ids: Iterable[int] | None = None) -> list[Job]:
        """All jobs in the order of submission, or those with these ids (unknown ids are left out)."""
        sql, decoded = f"SELECT {_names(Job)} FROM jobs", _Decoder()  # noqa: S608 - the names of our own columns
        if ids is None:
            return [_job(row, decoded) for row in self._rows(f"{sql} ORDER BY id")]
        parts = (self._rows(f"{sql} WHERE id IN ({_listed(part)}) ORDER BY id") for part in _parts(ids))
        with self.one_moment():
            return [_job(row, decoded) for rows in parts for row in rows]

    def newest_jobs(self, states: Iterable[JobState], limit: int) -> list[Job]:
        """So many of those in these states, the newest first."""
        wanted, decoded = ", ".join(f"'{state.value}'" for state in states), _Decoder()
        # ids first, which an index holds: sorting whole rows reads all of them
        ids = f"SELECT id FROM jobs WHERE state IN ({wanted}) ORDER BY id DESC LIMIT {limit:d}"  # noqa: S608 - enums
        sql = f"SELECT {_names(Job)} FROM jobs WHERE id IN ({ids}) ORDER BY id DESC"  # noqa: S608 - the same
        return [_job(row, decoded) for row in self._rows(sql)]

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state, zero included."""
        found = dict(map(tuple, self._rows("SELECT state, count(*) FROM jobs GROUP BY state")))
        return {state: found.get(state.value, 0) for state in JobState}

    def submissions(self, *, newest: int | None = None) -> list[Submission]:
        """The newest first, all or so many."""
        limit = "" if newest is None else f"LIMIT {newest:d}"
        return [_submission(row) for row in self._rows(f"{_SUBMISSIONS} ORDER BY id DESC {limit}")]

    def submission_count(self) -> int:
        return int(self._rows("SELECT count(*) FROM submissions")[0][0])

    def submission(self, submission_id: int) -> Submission:
        """Raises NotFoundError."""
        rows = self._rows(f"{_SUBMISSIONS} WHERE id = :id", id=submission_id)
        if rows:
            return _submission(rows[0])
        known = ", ".join(str(one) for (one,) in self._rows("SELECT id FROM submissions ORDER BY id DESC LIMIT 10"))
        fix = f"choose among {known or '(none)'}, see `bench status`, or leave --submission out"
        raise NotFoundError(f"no submission {submission_id}", fix=fix)

    def submitted_jobs(self, submission_id: int) -> list[SubmittedJob]:
        """One entry for each (label, seed) that the submission asked for; `state` is the job's present one."""
        return [
            SubmittedJob(job_id=job_id, label=label, seed=seed, key=key, state=JobState(state), new=bool(new))
            for job_id, label, seed, key, state, new in self._rows(_SUBMITTED, id=submission_id)
        ]

    def workers(self, *, seen_within_s: float) -> list[Worker]:
        """Workers that have not stopped and were heard of in the last seconds."""
        alive = "stopped_at IS NULL AND seen_at > :after"
        rows = self._rows(f"{_WORKERS} WHERE {alive} ORDER BY id", after=self._now() - seen_within_s)
        return [_worker(row) for row in rows]

    def unpublished(self, limit: int | None = None) -> list[int]:
        """Queued jobs for which no doorbell was sent since they were queued."""
        most = "" if limit is None else f"LIMIT {limit:d}"
        sql = f"SELECT id FROM jobs WHERE state = 'queued' AND published_at IS NULL ORDER BY id {most}"  # noqa: S608
        return [job_id for (job_id,) in self._rows(sql)]

    def claimable(self, limit: int, *, anywhere: bool = False) -> list[int]:
        """Queued jobs whose time has come, the most urgent first; `anywhere`: only those that need no device alone."""
        wanted = "state = 'queued' AND available_at <= :now" + (" AND NOT alone" if anywhere else "")
        order = "priority DESC, train_flops DESC, id"  # that of `db.tables.URGENCY`
        sql = f"SELECT id FROM jobs WHERE {wanted} ORDER BY {order} LIMIT {limit:d}"  # noqa: S608
        return [job_id for (job_id,) in self._rows(sql, now=self._now())]

    def measured(self) -> Measured:
        """How long epochs took: of each config the newest attempts that have any, of running jobs the last epochs."""
        with self.one_moment():
            decoded = _Decoder()
            known = {worker.id: worker for worker in map(_worker, self._rows(_WORKERS))}
            attempts = [_measured(row, known, decoded) for row in self._sampled()]
            recent: dict[int, list[float]] = defaultdict(list)
            for job_id, took_s in self._rows(_RECENTLY):
                recent[job_id].append(took_s)
            counted = dict(map(tuple, self._rows(_COUNTED)))
        return Measured(attempts=attempts, recent=dict(recent), train_flops=counted)

    def _sampled(self) -> Sequence[Any]:
        # not `->>`, which SQLite has since 3.38 only
        field = "json_extract({}, '$.{}')" if self.dialect == "sqlite" else "{} ->> '{}'"
        place = {name: field.format("results.environment", name) for name in ("host", "device_name")}
        return self._rows(_MEASURED.format(**place), of_each=_SAMPLED, in_all=_SAMPLED_IN_ALL)


class _Decoder(dict[str, Any]):
    """JSON as values; a text that comes again is not read again, most jobs of a store share their configs."""

    def __missing__(self, text: str) -> Any:
        self[text] = value = json.loads(text)
        return value

    def __call__(self, value: Any) -> Any:
        """SQLite has JSON as text, Postgres's driver has it as values already."""
        return self[value] if isinstance(value, str) else value


def _names(record: type) -> str:
    """The columns of a record's fields, which they are named after."""
    return ", ".join(f'"{name}"' for name in record.__dataclass_fields__)  # type: ignore[attr-defined]


def _parts(ids: Iterable[int]) -> Iterator[list[int]]:
    wanted = sorted(set(ids))
    return (wanted[start : start + PART] for start in range(0, len(wanted), PART))


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(f"{one:d}" for one in ids)


def moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _job(row: Sequence[Any], decoded: _Decoder) -> Job:
    values = dict(zip(_JOB_FIELDS, row, strict=True))
    values["config"] = decoded(values["config"])
    values["state"] = JobState(values["state"])
    values["cause"] = Cause(values["cause"]) if values["cause"] else None
    values["cancel_requested"] = bool(values["cancel_requested"])
    for name in ("created_at", "started_at", "finished_at"):
        values[name] = moment(values[name])
    return Job(**values)


def _submission(row: Sequence[Any]) -> Submission:
    values, decoded = dict(zip(Submission.__dataclass_fields__, row, strict=True)), _Decoder()
    for name in ("overrides", "variants", "layout", "reference", "claims"):
        values[name] = decoded(values[name])
    return Submission(**values | {"created_at": moment(values["created_at"])})


def _worker(row: Sequence[Any]) -> Worker:
    values = dict(zip(Worker.__dataclass_fields__, row, strict=True))
    return Worker(**values | {name: moment(values[name]) for name in ("started_at", "seen_at", "stopped_at")})


def _measured(row: Sequence[Any], known: Mapping[str, Worker], decoded: _Decoder) -> MeasuredAttempt:
    """The worker's words for host and device come first: a worker that is asked about later has the same ones."""
    job_id, config, owner, started_at, ended_at, number, took_s, trained, flops, device, host, device_name = row
    worker, done = known.get(owner.rpartition("/")[0]), trained is not None
    return MeasuredAttempt(
        job_id=job_id,
        config=decoded(config),
        device=worker.device if worker else device,
        host=worker.host if worker else host,
        device_name=device_name,
        epochs=number,
        epoch_s=took_s / number,
        around_s=max(ended_at - started_at - took_s, 0.0) if done else None,
        trained_epochs=trained,
        flops=flops,
    )


_JOB_FIELDS = tuple(Job.__dataclass_fields__)
_SUBMISSIONS = f"SELECT {_names(Submission)} FROM submissions"  # noqa: S608
_WORKERS = f"SELECT {_names(Worker)} FROM workers"  # noqa: S608
_SUBMITTED = """
    SELECT asked.job_id, asked.label, asked.seed, jobs.key, jobs.state, asked.new
    FROM submission_jobs AS asked JOIN jobs ON jobs.id = asked.job_id
    WHERE asked.submission_id = :id ORDER BY asked.job_id, asked.label"""
# a row for each sampled attempt, the newest first: whatever the number of epochs, few of them are read
_MEASURED = """
    WITH ranked AS (
        SELECT attempts.id, row_number() OVER (
            PARTITION BY CAST(jobs.config AS TEXT) ORDER BY attempts.id DESC
        ) AS age
        FROM attempts JOIN jobs ON jobs.id = attempts.job_id
        WHERE EXISTS (SELECT 1 FROM epochs WHERE epochs.attempt_id = attempts.id)
    ), chosen AS (
        SELECT id FROM ranked WHERE age <= :of_each ORDER BY id DESC LIMIT :in_all
    ), sums AS (
        SELECT chosen.id, count(*) AS number, sum(epochs.train_s + epochs.eval_s) AS took_s
        FROM chosen JOIN epochs ON epochs.attempt_id = chosen.id GROUP BY chosen.id
    )
    SELECT attempts.job_id, jobs.config, attempts.owner, attempts.started_at, attempts.ended_at, sums.number,
        sums.took_s, results.epochs, results.flops, results.device, {host}, {device_name}
    FROM sums JOIN attempts ON attempts.id = sums.id JOIN jobs ON jobs.id = attempts.job_id
    LEFT JOIN results ON results.job_id = jobs.id AND results.attempt_id = attempts.id
    ORDER BY attempts.id DESC"""
# of the present attempt only
_RECENTLY = f"""
    SELECT jobs.id, epochs.train_s + epochs.eval_s
    FROM jobs JOIN attempts ON attempts.job_id = jobs.id AND attempts.number = jobs.attempt
    JOIN epochs ON epochs.attempt_id = attempts.id AND epochs.epoch > jobs.epoch - {_RECENT}
    WHERE jobs.state = 'running' ORDER BY jobs.id, epochs.epoch"""  # noqa: S608
_COUNTED = f"""
    SELECT id, train_flops FROM jobs
    WHERE state IN ('queued', 'running') AND train_flops <> {NOT_COUNTED}"""  # noqa: S608
