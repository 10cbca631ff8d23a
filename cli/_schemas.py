"""What `--json` prints: a number for each format, raised whenever a key goes or changes its meaning, and its keys."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """`keys` of the object itself; `within` those of the objects in its lists and of its inner objects, by key."""

    number: int
    keys: tuple[str, ...]
    within: dict[str, tuple[str, ...]] = field(default_factory=dict)


_STATES = ("queued", "running", "done", "failed", "cancelled")
_JOB = (
    *("id", "variant", "seed", "state", "epoch", "epochs", "val_accuracy", "epoch_s", "time_left_s"),
    *("attempt", "priority", "cause", "message", "worker", "key"),
    *("created_at", "started_at", "finished_at"),
)
_TRAINED = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy")
_SCORES = (*_TRAINED, "test_loss", "test_accuracy", "confusion")

SCHEMAS: dict[str, Schema] = {
    "plan": Schema(
        number=1,
        keys=("schema", "counts", "time_left_s", "disk", "retry", "jobs"),
        within={
            "counts": ("new", *_STATES),
            "disk": ("store_bytes", "checkpoint_bytes", "measured_jobs"),
            "jobs": (
                *("variant", "key", "seed", "parameters", "flops", "state", "dataset", "epochs", "learning_rate"),
                *("precision", "time_left_s", "time_from"),
            ),
        },
    ),
    "status": Schema(
        number=1,
        keys=("schema", "counts", "time_left_s", "jobs"),
        within={
            "counts": _STATES,
            "jobs": _JOB,
        },
    ),
    "show": Schema(
        number=1,
        keys=("schema", "jobs"),
        within={
            "jobs": (
                *(*_JOB, "submissions", "fingerprint", "config", "attempts", "history", "result", "environment"),
                "artifacts",
            ),
            "submissions": ("id", "variant"),
            "attempts": (
                *("number", "owner", "started_at", "ended_at", "outcome", "message", "traceback", "log"),
                *("start_epoch", "start_step"),
            ),
            "history": (*_TRAINED, "learning_rate", "train_s", "eval_s"),
            "result": (
                *("best", "last", "epochs", "stopped_early", "parameters", "flops", "train_s", "eval_s", "peak_mib"),
                *("device", "precision", "fingerprint", "energy_j"),
            ),
            "best": _SCORES,
            "last": _SCORES,
            "artifacts": ("kind", "url", "sha256", "bytes"),
        },
    ),
    "logs": Schema(
        number=1,
        keys=(
            *("schema", "job", "attempt", "owner", "started_at", "ended_at", "outcome", "message", "traceback"),
            "log",
        ),
    ),
    "gc": Schema(
        number=1,
        keys=("schema", "leftovers", "left_alone"),
        within={"leftovers": ("what", "bytes", "path"), "left_alone": ("what", "bytes", "path")},
    ),
    "diff": Schema(
        number=1,
        keys=("schema", "jobs", "differences", "equal", "missing", "tested", "not_tested"),
        within={
            "jobs": ("id", "variant", "seed", "state", "key"),
            "differences": ("part", "name", "ours", "theirs"),
            "tested": ("images", "difference", "low", "high", "p", "flips"),
            "flips": ("name", "images", "only_ours", "only_theirs"),
        },
    ),
    "report": Schema(
        number=1,
        keys=(
            *("schema", "suite", "dataset", "overrides", "submission", "counts", "not_submitted", "warnings"),
            *("notices", "reference", "jobs", "tables", "figures", "checklist", "finding", "latex"),
        ),
        within={
            "counts": _STATES,
            "jobs": ("id", "variant", "labels", "seed", "key", "state", "cause", "result", "hits"),
            "checklist": ("source", "item", "answer", "where"),
        },
    ),
    "compare": Schema(
        number=1,
        keys=("schema", "rows"),
        within={
            "rows": (
                *("variant", "n", "n_saved", "difference", "difference_low", "difference_high", "p_holm", "verdict"),
            )
        },
    ),
    "doctor": Schema(number=1, keys=("schema", "checks"), within={"checks": ("check", "level", "message", "fix")}),
    "config": Schema(
        number=1,
        keys=("schema", "file", "settings"),
        within={"settings": ("name", "variable", "value", "origin")},
    ),
}


def numbered(command: str, **values: Any) -> dict[str, Any]:
    """The object that the command prints, its format's number first."""
    return {"schema": SCHEMAS[command].number, **values}
