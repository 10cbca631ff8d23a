"""How jobs look on a terminal: one line each, the time left, and a screen that is drawn over itself."""

import os
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from cli._options import number
from cli._tables import console, plain, table
from db.records import WAITING, Cause, Job, JobState, Worker

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


def render(
    jobs: Sequence[Job], workers: Sequence[Worker], *, most: int | None = None, closed: bool = False
) -> "list[RenderableType]":
    """Counts, workers and a line for each job, or for `most` of them, those that run first.

    `closed`: a worker is started by whoever shows this, so none is missed.
    """
    if not jobs:
        return ["No jobs yet. Next: `bench plan --all`, then `bench submit --all`."]
    slots = sum(worker.slots for worker in workers)
    seen = jobs if most is None else _urgent(jobs, most)
    head = f"{counts(jobs)}  {number(len(workers), 'worker')}, {number(slots, 'slot')}."
    parts: list[RenderableType] = [head, _job_table(seen)]
    if len(seen) < len(jobs):
        parts.append(f"... and {number(len(jobs) - len(seen), 'more job')}: `bench status`")
    parts += failures(jobs, most=most)
    if closed:
        return parts
    if not workers and any(job.state is JobState.QUEUED for job in jobs):
        parts.append("Nobody works: start `bench worker`.")
    silent = _silent(jobs, workers)
    if silent:
        ids = ", ".join(str(job.id) for job in silent[:10])
        parts.append(f"Nothing is heard of whoever runs {ids}; what it runs is queued again once its lease is over.")
    return parts


def counts(jobs: Sequence[Job]) -> str:
    """How many, and how many in each state."""
    states = [f"{sum(job.state is state for job in jobs)} {state}" for state in JobState]
    return f"{number(len(jobs), 'job')}: {', '.join(states)}."


def failures(jobs: Sequence[Job], *, most: int | None = None) -> list[str]:
    """What each failed job said, and how to try again: a line for each advice that some of them need."""
    failed = [job for job in jobs if job.state is JobState.FAILED]
    by_advice: dict[str, list[int]] = {}
    for job in failed:
        by_advice.setdefault(_ADVICE.get(job.cause or Cause.CODE, _RETRY), []).append(job.id)
    advice = [words.format(ids=_ids(ids), retry=retry_command(ids)) for words, ids in by_advice.items()]
    return [*(_failure(job) for job in failed[:most]), *advice]


def retry_command(ids: Sequence[int]) -> str:
    """The command that queues these again, or the first of them."""
    return f"`bench retry {' '.join(map(str, ids[:RETRIED_MOST]))}`"


def _ids(ids: Sequence[int]) -> str:
    more = [f"and {number(len(ids) - RETRIED_MOST, 'other')}"] if len(ids) > RETRIED_MOST else []
    return ", ".join([f"job{'' if len(ids) == 1 else 's'} {', '.join(map(str, ids[:RETRIED_MOST]))}", *more])


def _failure(job: Job) -> str:
    return f"job {job.id} failed ({job.cause}): {job.message}"


def _silent(jobs: Sequence[Job], workers: Sequence[Worker]) -> list[Job]:
    """Those that run by a worker that is not among these; an owner is a worker's id, a slash and a process."""
    heard = {worker.id for worker in workers}
    running = [job for job in jobs if job.state is JobState.RUNNING]
    return [job for job in running if (job.owner or "").rpartition("/")[0] not in heard]


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
    for name, told in (("data", _data), ("key", _key)):
        if name == "data" and len({told(job) for job in jobs}) == 1:
            continue
        if name == "key" and len({(job.label, job.seed, _data(job), job.epochs) for job in jobs}) == len(jobs):
            continue
        head.append(name)
        rows = [[*row, told(job)] for row, job in zip(rows, jobs, strict=True)]
    return table(head, rows, right={0, 2, 4, 5, 6}, shrinks=1)


def _data(job: Job) -> str:
    """The data set; of an image folder its last name."""
    kind, colon, path = str(job.config["dataset"]).partition(":")
    return kind + colon + os.path.basename(path)  # noqa: PTH119 - nothing of the path is asked for


def _key(job: Job) -> str:
    """Enough of it for jobs that differ in a config's other fields."""
    return job.key[:6]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _left(job: Job) -> str:
    left = time_left_s(job)
    if job.state is JobState.DONE and job.epoch < job.epochs:
        return "stopped early"
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
    """On a terminal draws over what it drew; elsewhere writes all once, and then a line for each job that changed."""

    def __init__(self, out: TextIO, *, closed: bool = False) -> None:
        self._out = out
        self._closed = closed
        self._live: Live | None = None
        self._last: dict[int, str] = {}

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

    def show(self, jobs: Sequence[Job], workers: Sequence[Worker]) -> None:
        """The jobs as they are now."""
        if self._live is not None:
            from rich.console import Group

            room = max(self._live.console.height - _AROUND, 1)
            self._live.update(Group(*render(jobs, workers, most=room, closed=self._closed)), refresh=True)
            return
        lines = {job.id: _line(job) for job in jobs}
        changed = [line for job_id, line in lines.items() if self._last.get(job_id) != line]
        text = "\n".join(changed) if self._last else plain(render(jobs, workers, closed=self._closed))
        if text:
            self._out.write(text + "\n")
            self._out.flush()
        self._last = lines

    def tell(self, line: str) -> None:
        """A line for itself, which stays."""
        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
            return
        self._out.write(line + "\n")
        self._out.flush()

    def end(self, jobs: Sequence[Job]) -> None:
        """Show for the last time, all of them."""
        if self._live is not None:
            from rich.console import Group

            self._live.update(Group(*render(jobs, [], closed=True)), refresh=True)
            return
        self.show(jobs, [])
        self._out.write(counts(jobs) + "\n")


def _line(job: Job) -> str:
    """One job for a log: without the time left, which changes all the time."""
    if job.state is JobState.FAILED:
        return _failure(job)
    early = ", stopped early" if job.state is JobState.DONE and job.epoch < job.epochs else ""
    accuracy = "" if job.val_accuracy is None else f", val acc. {_percent(job.val_accuracy)}"
    return f"job {job.id}, {job.label}, seed {job.seed}: {job.state}, epoch {job.epoch}/{job.epochs}{accuracy}{early}"


_AROUND = 6  # lines above and below the jobs
RETRIED_MOST = 10  # ids in one line

_RETRY = "Once mended: {retry}."
# another config is another job; only `timeout_s` is no part of it, and is taken over by a job that is there
_ADVICE = {
    Cause.DIVERGED: "The same config diverges again: change it in the suite and submit ({ids}).",
    Cause.OOM: "A smaller batch_size needs less memory: change it in the suite and submit ({ids}).",
    Cause.TIMEOUT: "Raise timeout_s in the suite and submit, then {retry}.",
}
