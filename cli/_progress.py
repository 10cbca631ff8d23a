"""How jobs look on a terminal: one line each, the time left, and a screen that is drawn over itself."""

import os
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from cli._tables import console, plain, table
from db.records import WAITING, Job, JobState, Worker

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live


def job_dict(job: Job) -> dict[str, Any]:
    """A job for machines; accuracies are fractions, durations seconds, moments ISO 8601 in UTC."""
    return {
        "id": job.id,
        "variant": job.label,
        "seed": job.seed,
        "state": str(job.state),
        "epoch": job.epoch,
        "epochs": job.epochs,
        "val_accuracy": job.val_accuracy,
        "epoch_s": job.epoch_s,
        "time_left_s": time_left_s(job),
        "attempt": job.attempt,
        "priority": job.priority,
        "cause": str(job.cause) if job.cause else None,
        "message": job.message,
        "worker": job.owner if job.state is JobState.RUNNING else None,
        "key": job.key,
        "created_at": _moment(job.created_at),
        "started_at": _moment(job.started_at),
        "finished_at": _moment(job.finished_at),
    }


def time_left_s(job: Job) -> float | None:
    """At most: early stopping may end it sooner. None when nothing is known of its epochs yet, 0 when it is over."""
    if job.state not in WAITING:
        return 0.0
    if job.epoch_s is None:
        return None
    return float((job.epochs - job.epoch) * job.epoch_s)


def render(jobs: Sequence[Job], workers: Sequence[Worker], *, most: int | None = None) -> "list[RenderableType]":
    """Counts, workers and a line for each job, or for `most` of them, those that run first."""
    if not jobs:
        return ["No jobs yet. Next: `bench plan --all`, then `bench submit --all`."]
    counts = [f"{sum(job.state is state for job in jobs)} {state}" for state in JobState]
    slots = sum(worker.slots for worker in workers)
    head = f"{len(jobs)} jobs: {', '.join(counts)}.  {_number(len(workers), 'worker')}, {_number(slots, 'slot')}."
    seen = jobs if most is None else _urgent(jobs, most)
    parts: list[RenderableType] = [head, _job_table(seen)]
    if len(seen) < len(jobs):
        parts.append(f"... and {_number(len(jobs) - len(seen), 'more job')}: `bench status`")
    failed = [job for job in jobs if job.state is JobState.FAILED]
    parts += [f"job {job.id} failed ({job.cause}): {job.message}" for job in failed[:most]]
    parts += [f"Once mended: `bench retry {' '.join(str(job.id) for job in failed[:10])}`."] if failed else []
    if not workers and any(job.state is JobState.QUEUED for job in jobs):
        parts.append("Nobody works: start `bench worker`.")
    return parts


def _urgent(jobs: Sequence[Job], most: int) -> list[Job]:
    """That many, in their order: those that run, then those that wait, then the others."""
    order = [JobState.RUNNING, JobState.QUEUED, JobState.FAILED, JobState.CANCELLED, JobState.DONE]
    chosen = sorted(jobs, key=lambda job: order.index(job.state))[: max(most, 0)]
    return sorted(chosen, key=lambda job: job.id)


def _job_table(jobs: Sequence[Job]) -> "RenderableType":
    rows = [
        [job.id, job.label, job.seed, job.state, f"{job.epoch}/{job.epochs}", _percent(job.val_accuracy), _left(job)]
        for job in jobs
    ]
    head = ["job", "variant", "seed", "state", "epoch", "val acc.", "time left"]
    return table(head, rows, right={0, 2, 4, 5, 6}, shrinks=1)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _left(job: Job) -> str:
    left = time_left_s(job)
    if job.state is not JobState.RUNNING:
        return ""
    return "?" if left is None else f"<= {duration(left)}"


def duration(seconds: float) -> str:
    """3 s, 4 min, 2 h 05 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _moment(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


class Screen:
    """On a terminal draws over what it drew; elsewhere writes plain text, and only when it has changed."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live: Live | None = None
        self._last = ""

    def __enter__(self) -> "Screen":
        if self._out.isatty() and os.environ.get("TERM") != "dumb":
            from rich.live import Live

            self._live = Live(
                console=console(self._out), auto_refresh=False, redirect_stdout=False, redirect_stderr=False
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
        self._out.flush()

    @property
    def room(self) -> int | None:
        """How many jobs can be shown at once; None: all."""
        return None if self._live is None else max(self._live.console.height - _AROUND, 1)

    def show(self, parts: "Sequence[RenderableType]") -> None:
        if self._live is not None:
            from rich.console import Group

            self._live.update(Group(*parts), refresh=True)
            return
        text = plain(parts)
        if text != self._last:
            self._out.write(text + "\n")
            self._out.flush()
        self._last = text


_AROUND = 6  # lines above and below the jobs
