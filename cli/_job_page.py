"""How one job looks on a terminal: a table for each of the things that the store knows of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cli._options import number
from cli._progress import between
from cli._sparkline import bars_for_stdout, sparkline
from cli._tables import Part, Table, table
from db.records import WAITING, Artifact, Attempt, EpochRecord, Job, JobState, Result, Scores, dotted
from scheduler.config import applying, whole

if TYPE_CHECKING:
    from scheduler.duration import Durations

_CURVE = 30  # letters: with the numbers beside it a line fits into 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that the store holds of a job but its events and predictions; `asked`: submissions, and its label there."""

    job: Job
    durations: "Durations"
    asked: Sequence[tuple[int, str]]
    attempts: Sequence[Attempt]
    history: Sequence[EpochRecord]
    result: Result | None
    artifacts: Sequence[Artifact]


def job_page(known: Known) -> list[Part]:
    """What there is of it, each part after an empty line."""
    parts: list[list[Part]] = [
        [_facts(known)],
        [_pairs("config", dotted(applying(whole(known.job.config))))],
        _attempts(known.attempts),
        [_history(known.history)] if known.history else [],
        _result(known.result) if known.result else [],
        [_pairs("environment", dotted(known.result.environment))] if known.result else [],
        [_artifacts(known.artifacts)] if known.artifacts else [],
    ]
    return [line for part in parts if part for line in ("", *part)][1:]


def shown(value: Any) -> str:
    """A plain value as a table has it, and as `--where` takes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _pairs(title: str, values: Mapping[str, Any]) -> Table:
    return table([title, ""], [[name, shown(value)] for name, value in values.items()], shrinks=1)


def _facts(known: Known) -> Table:
    job = known.job
    left = known.durations.left(job) if job.state in WAITING else None
    facts = {
        "variant": job.label,
        "seed": job.seed,
        "state": _state(known),
        "message": _line(job.message),
        "time left": between(left.span) if left else "",
        "submissions": ", ".join(f"{submission} ({label})" for submission, label in known.asked),
        "priority": job.priority,
        "key": job.key,
        "worker": job.owner or "",
        "created": _moment(job.created_at),
        "started": _moment(job.started_at),
        "finished": _moment(job.finished_at),
    }
    rows = [(name, str(value)) for name, value in facts.items() if value != ""]
    return table(["job", str(job.id)], rows, shrinks=1)


def _state(known: Known) -> str:
    job, result = known.job, known.result
    cause = f" ({job.cause})" if job.cause else ""
    budget = job.config.get("train_budget_s")
    spent = budget is not None and result is not None and result.train_s >= budget
    why = ", its train_budget_s is spent" if spent else ", stopped early"
    early = why if job.state is JobState.DONE and job.epoch < job.epochs else ""
    asked = ", asked to stop" if job.cancel_requested else ""
    return f"{job.state}{cause}, epoch {job.epoch} of {job.epochs}{early}{asked}"


def _attempts(attempts: Sequence[Attempt]) -> list[Part]:
    """And below them what each had to say, with the command that shows the last one's log."""
    if not attempts:
        return ["No attempt yet."]
    rows = [
        [one.number, one.owner, _moment(one.started_at), _end(one), one.outcome or "runs", _start(one)]
        for one in attempts
    ]
    head = ["attempt", "worker", "started (UTC)", "ended", "outcome", "from"]
    said = [f"attempt {one.number}: {_line(one.message)}" for one in attempts if one.message]
    return [
        table(head, rows, right={0}, shrinks=1),
        *said,
        f"`bench logs {attempts[-1].job_id}` shows the last one's log.",
    ]


def _start(attempt: Attempt) -> str:
    """What a checkpoint gave it."""
    step = f" +{attempt.start_step}" if attempt.start_step else ""
    return f"epoch {attempt.start_epoch}{step}" if attempt.start_epoch or step else ""


def _end(attempt: Attempt) -> str:
    """The time alone where the day is that of its start."""
    ended = _moment(attempt.ended_at)
    day = f"{attempt.started_at:%Y-%m-%d} "
    return ended.removeprefix(day)


_CURVES: Mapping[str, tuple[Callable[[EpochRecord], float], Callable[..., EpochRecord], Callable[[float], str]]] = {
    "val. accuracy": (lambda one: one.val_accuracy, max, percent),
    "val. loss": (lambda one: one.val_loss, min, "{:.4f}".format),
    "train. loss": (lambda one: one.train_loss, min, "{:.4f}".format),
}


def _history(history: Sequence[EpochRecord]) -> Table:
    bars, rows = bars_for_stdout(), []
    for name, (value, better, text) in _CURVES.items():
        best = better(history, key=value)
        curve = sparkline([value(one) for one in history], width=_CURVE, bars=bars)
        rows.append([name, curve, text(value(best)), best.epoch, text(value(history[-1]))])
    return table(
        ["history", f"epochs {history[0].epoch}-{history[-1].epoch}", "best", "epoch", "last"], rows, right={2, 3, 4}
    )


def _result(result: Result) -> list[Part]:
    head = ["result", "epoch", "test acc.", "test loss", "val. acc.", "val. loss", "train. acc."]
    rows = [_scores("best weights", result.best), _scores("last weights", result.last)]
    size = f"{result.parameters:,} parameters, {result.flops / 1e6:,.1f} MFLOP/image, peak {result.peak_mib:,.0f} MiB"
    spent = f"{result.train_s:,.1f} s of training, {result.eval_s:,.1f} s of evaluation"
    made = f"{number(result.epochs, 'epoch')} on {result.device} in {result.precision}, {spent}"
    return [table(head, rows, right={*range(1, 7)}), size, made]


def _scores(name: str, one: Scores) -> list[object]:
    losses = f"{one.test_loss:.4f}", f"{one.val_loss:.4f}"
    shares = percent(one.test_accuracy), percent(one.val_accuracy), percent(one.train_accuracy)
    return [name, one.epoch, shares[0], losses[0], shares[1], losses[1], shares[2]]


def _artifacts(artifacts: Sequence[Artifact]) -> Table:
    rows = [[one.kind, f"{one.bytes:,}", one.sha256[:12], one.url] for one in artifacts]
    return table(["artifact", "bytes", "sha256", "where"], rows, right={1}, shrinks=3)


def _moment(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if value else ""


def _line(text: str) -> str:
    return "; ".join(text.splitlines())
