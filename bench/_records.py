"""What the functions of `bench` give and take; without a room's records, which would load for longer than all of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from db.records import Job, JobState, SubmittedJob, Worker
    from scheduler.settings import Settings


class Overrides(TypedDict, total=False):
    """Settings of one call; those that are left out come from BENCH_*, bench.toml and the defaults."""

    home: str | Path
    database_url: str
    broker_url: str
    artifacts_url: str
    data_dir: str | Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a submit asked for: one of `jobs` for each (label, seed), new or already there.

    Functions that take one look in its store, unless their keywords name another.
    """

    id: int
    jobs: "tuple[SubmittedJob, ...]"
    settings: "Settings" = field(repr=False, compare=False)  # its URLs may hold passwords


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The jobs at one moment. `time_left_s` is (least, most) of all that wait or run; None: nothing like them known."""

    jobs: "tuple[Job, ...]"
    workers: "tuple[Worker, ...]"  # that are heard of
    time_left_s: tuple[float, float] | None
    silent: str = ""  # a line where jobs wait and the broker does not answer

    @property
    def counts(self) -> "dict[JobState, int]":
        """How many are in each state, zero included."""
        from db.records import JobState

        return {state: sum(job.state is state for job in self.jobs) for state in JobState}

    @property
    def ended(self) -> bool:
        """Whether none waits or runs."""
        from db.records import WAITING

        return not any(job.state in WAITING for job in self.jobs)

    def __str__(self) -> str:
        return ", ".join(f"{number} {state}" for state, number in self.counts.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What `run` leaves: the jobs as they ended, and the page of the report."""

    submission: Submission
    status: Status
    report: Path


Asked = Submission | int | None
"""A submission, or its number; None for all that the store has."""
Told = bool | Callable[[Status], object]
"""True writes a line to stdout whenever something has changed; a function is given each status instead."""
