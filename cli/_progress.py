"""How jobs look on a terminal: one line each, the time left, and a screen that is drawn over itself."""

import math
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from cli._tables import Part, Table, console, plain, table
from cli._talk import number
from db.records import WAITING, Cause, Job, JobState, Measured, Worker
from scheduler.duration import Durations, TimeLeft
from scheduler.epoch_time import Span

if TYPE_CHECKING:
    from rich.live import Live


def job_dict(job: Job, durations: Durations) -> dict[str, Any]:
    """A job for machines; accuracies are fractions, durations seconds, moments ISO 8601 in UTC."""
    left = durations.left(job)
    return {
        "id": job.id,
        "variant": job.label,
        "seed": job.seed,
        "state": str(job.state),
        "epoch": job.epoch,
        "epochs": job.epochs,
        "val_accuracy": job.val_accuracy,
        "epoch_s": job.epoch_s,
        "time_left_s": span_list(left.span if left else None),
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


def span_list(span: Span | None) -> list[float] | None:
    """For machines: seconds, from the least to the most."""
    return None if span is None else [round(span.low, 1), round(span.high, 1)]


def render(
    jobs: Sequence[Job],
    workers: Sequence[Worker],
    durations: Durations | None = None,
    *,
    most: int | None = None,
    closed: bool = False,
) -> list[Part]:
    """Counts, workers and a line for each job, or for `most` of them, those that run first.

    `durations` say how long they will take; without them only what the jobs know themselves is told.
    `closed`: a worker is started by whoever shows this, so none is missed.
    """
    durations = durations or Durations(Measured(), workers)
    if not jobs:
        return ["No jobs yet. Next: `bench plan --all`, then `bench submit --all`."]
    slots = sum(worker.slots for worker in workers)
    seen = jobs if most is None else _urgent(jobs, most)
    head = f"{counts(jobs)}  {number(len(workers), 'worker')}, {number(slots, 'slot')}."
    parts: list[Part] = [head, _job_table(seen, durations)]
    if any(job.state in WAITING for job in jobs) and (workers or not closed):
        parts.insert(1, f"Time left: {time_left(durations.all_left(jobs))}.")
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


def _job_table(jobs: Sequence[Job], durations: Durations) -> Table:
    rows = [
        [
            *(job.id, job.label, job.seed, job.state, f"{job.epoch}/{job.epochs}"),
            *(_percent(job.val_accuracy), _left(job, durations)),
        ]
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
    return _last_name(job.config["dataset"])


@cache  # most jobs share it
def _last_name(dataset: str) -> str:
    kind, colon, path = dataset.partition(":")
    return kind + colon + os.path.basename(path)  # noqa: PTH119 - nothing of the path is asked for


def _key(job: Job) -> str:
    """Enough of it for jobs that differ in a config's other fields."""
    return job.key[:6]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _left(job: Job, durations: Durations) -> str:
    if job.state is JobState.DONE and job.epoch < job.epochs:
        return "stopped early"
    if job.state is not JobState.RUNNING:
        return ""
    left = durations.left(job)
    return "?" if left is None else between(left.span)


def time_left(left: TimeLeft) -> str:
    """Of many jobs: about 12-20 min on 2 slots."""
    if left.span is None:
        return f"unknown, nothing like {number(left.unknown, 'job')} was measured yet"
    slots = f"on {number(left.slots, 'slot')}" if left.slots else "with one slot"
    words = between(left.span)
    about = "" if words.startswith("<") else "about "
    others = f", and {number(left.unknown, 'job')} unlike all that was measured" if left.unknown else ""
    return f"{about}{words} {slots}{others}"


def between(span: Span) -> str:
    """4-7 min, 20 min-12 h, < 3 s: rounded outwards, no finer than their unit; one unit for both ends if it is fit."""
    least, most = _unit(span.low), _unit(span.high)
    if span.high <= _SHARED * _UNITS[least]:
        most = least
    low, high = _rounded(span.low, least, math.floor), _rounded(span.high, most, math.ceil)
    if low == 0 or span.low < _NOTHING * span.high:
        return f"< {high or 1:g} {most}"
    if least != most:
        return f"{low:g} {least}-{high:g} {most}"
    return f"{high:g} {most}" if low == high else f"{low:g}-{high:g} {most}"


def _unit(seconds: float) -> str:
    return next((name for name, one in _UNITS.items() if seconds >= _ENOUGH * one), "s")


def _rounded(seconds: float, unit: str, towards: Callable[[float], int]) -> float:
    units = seconds / _UNITS[unit]
    step = max(next(step for limit, step in _STEPS if units < limit), 1.0 if unit == "s" else 0.0)
    # not by a hair: a sum that is a little more than a whole step is that step
    return towards(units / step + (_HAIR if towards is math.floor else -_HAIR)) * step


def _moment(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


class Screen:
    """On a terminal draws over what it drew; elsewhere writes all once, and then a line for each job that changed."""

    def __init__(self, out: TextIO, *, closed: bool = False) -> None:
        self._out = out
        self._closed = closed
        self._live: Live | None = None
        self._last: dict[int, str] = {}
        self._told: tuple[set[int], int] | None = None  # the jobs whose time left was told, and how many were unknown

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

    def show(self, jobs: Sequence[Job], workers: Sequence[Worker], durations: Durations | None = None) -> None:
        """The jobs as they are now."""
        if self._live is not None:
            from rich.console import Group

            around = _AROUND + any(job.state in WAITING for job in jobs)  # the time left
            room = max(self._live.console.height - around, 1)
            drawn = render(jobs, workers, durations, most=room, closed=self._closed)
            self._live.update(Group(*drawn), refresh=True)
            return
        lines = {job.id: _line(job) for job in jobs}
        changed = [line for job_id, line in lines.items() if self._last.get(job_id) != line]
        left = self._time_left(jobs, workers, durations)
        text = "\n".join(changed + left) if self._last else plain(render(jobs, workers, durations, closed=self._closed))
        if text:
            self._out.write(text + "\n")
            self._out.flush()
        self._last = lines

    def _time_left(self, jobs: Sequence[Job], workers: Sequence[Worker], durations: Durations | None) -> list[str]:
        """A line for a log once it is known, and again whenever a job has ended."""
        waiting = {job.id for job in jobs if job.state in WAITING}
        if not waiting or not workers or durations is None or self._told == (waiting, 0):
            return []
        left = durations.all_left(jobs)
        if left.span is None or (waiting, left.unknown) == self._told:
            return []
        self._told = waiting, left.unknown
        return [f"Time left: {time_left(left)}."]

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
_UNITS = {"days": 86_400.0, "h": 3600.0, "min": 60.0, "s": 1.0}
_ENOUGH = 1.5  # of a unit, from which on it is used
_SHARED = 120  # of the lower end's unit, up to which the upper end has the same
_NOTHING = 0.01  # of the upper end: a lower end below that is not told
_STEPS = ((5, 0.5), (30, 1.0), (100, 5.0), (300, 10.0), (math.inf, 100.0))  # below a number of units, in what steps
_HAIR = 1e-6
RETRIED_MOST = 10  # ids in one line

_RETRY = "Once mended: {retry}."
# another config is another job; only `timeout_s` is no part of it, and is taken over by a job that is there
_ADVICE = {
    Cause.DIVERGED: "The same config diverges again: change it in the suite and submit ({ids}).",
    Cause.OOM: "A smaller batch_size needs less memory: change it in the suite and submit ({ids}).",
    Cause.TIMEOUT: "Raise timeout_s in the suite and submit, then {retry}.",
}
