"""How jobs look on a terminal: one line each, the time left, and a screen that is drawn over itself."""

import os
from collections.abc import Sequence
from typing import Any, TextIO

from cli._tables import table


def job_dict(job: Any) -> dict[str, Any]:
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
        "worker": job.owner if str(job.state) == "running" else None,
        "key": job.key,
        "created_at": _moment(job.created_at),
        "started_at": _moment(job.started_at),
        "finished_at": _moment(job.finished_at),
    }


def time_left_s(job: Any) -> float | None:
    """At most: early stopping may end it sooner. None when nothing is known of its epochs yet, 0 when it is over."""
    if str(job.state) not in ("queued", "running"):
        return 0.0
    if job.epoch_s is None:
        return None
    return float((job.epochs - job.epoch) * job.epoch_s)


def render(jobs: Sequence[Any], workers: Sequence[Any]) -> str:
    """Counts, workers and a line for each job."""
    if not jobs:
        return "No jobs yet. Next: `bench plan --all`, then `bench submit --all`."
    states = [str(job.state) for job in jobs]
    counts = [f"{states.count(state)} {state}" for state in ("queued", "running", "done", "failed", "cancelled")]
    slots = sum(worker.slots for worker in workers)
    lines = [f"{len(jobs)} jobs: {', '.join(counts)}.  {_number(len(workers), 'worker')}, {_number(slots, 'slot')}."]
    rows = [
        [job.id, job.label, job.seed, job.state, f"{job.epoch}/{job.epochs}", _percent(job.val_accuracy), _left(job)]
        for job in jobs
    ]
    head = ["job", "variant", "seed", "state", "epoch", "val acc.", "time left"]
    lines.append(table(head, rows, right={0, 2, 4, 5, 6}))
    failed = [job for job in jobs if str(job.state) == "failed"]
    lines += [f"job {job.id} failed ({job.cause}): {job.message}" for job in failed]
    lines += [f"Once mended: `bench retry {' '.join(str(job.id) for job in failed[:10])}`."] if failed else []
    if "queued" in states and not workers:
        lines.append("Nobody works: start `bench worker`.")
    return "\n".join(lines)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _left(job: Any) -> str:
    left = time_left_s(job)
    if str(job.state) != "running":
        return ""
    return "?" if left is None else f"<= {duration(left)}"


def duration(seconds: float) -> str:
    """3 s, 4 min, 2 h 05 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _moment(value: Any) -> str | None:
    return value.isoformat() if value else None


class Screen:
    """Draws over what it drew on a terminal; elsewhere it writes a text only when it has changed."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty() and os.environ.get("TERM") != "dumb"
        self._lines = 0
        self._last = ""

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()

    def show(self, text: str) -> None:
        if not self._live:
            if text != self._last:
                self._out.write(text + "\n")
        else:
            width, height = _size(self._out)
            lines = [line[: width - 1] for line in text.splitlines()]
            if len(lines) > height - 1:
                lines = [*lines[: height - 2], f"... and {len(lines) - height + 2} more lines: `bench status`"]
            back = f"\x1b[{self._lines}A" if self._lines else ""
            self._out.write(back + "".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[J")
            self._lines = len(lines)
        self._last = text
        self._out.flush()


def _size(out: TextIO) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(out.fileno())
    except OSError:
        return 80, 24
    return size.columns or 80, size.lines or 24
