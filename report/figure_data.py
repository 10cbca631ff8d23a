"""What each figure plots, as plain rows: the drawing and the CSV beside it use these and nothing else."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from report.scope import Scope, VariantData
from report.statistics import summarise
from report.tables import accuracy_interval

Rows = list[dict[str, Any]]
HISTORY = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")


def figure_rows(scope: Scope, figure: dict[str, Any]) -> Rows:
    """One row for each mark; empty when nothing is known yet."""
    kind = figure["kind"]
    if kind == "class_distribution":
        return class_counts(scope)
    if kind in ("history", "histories"):
        return [row for label in figure["variants"] for row in history(scope.variant(label))]
    if kind == "metrics":
        return [row for label in figure["variants"] for row in metrics(scope, scope.variant(label))]
    if kind == "tuning":
        return [row for name in figure["sweeps"] for row in tuning(scope, name)]
    if kind in ("complexity", "accuracy"):
        return [accuracy(scope, scope.variant(label)) for label in figure["variants"]]
    if kind == "confusion":
        return [row for label in figure["variants"] for row in confusion(scope, scope.variant(label))]
    return []


def class_counts(scope: Scope) -> Rows:
    data = scope.dataset
    if data is None:
        return []
    counts = zip(data.classes, data.train_counts, data.val_counts, data.test_counts, strict=True)
    return [{"class": name, "train": a, "validation": b, "test": c} for name, a, b, c in counts]


def history(variant: VariantData) -> Rows:
    """Mean and deviation over the seeds that reached an epoch; `n` of them."""
    rows = []
    histories = list(variant.histories.values())
    for epoch in range(1, max((len(one) for one in histories), default=0) + 1):
        reached = [one[epoch - 1] for one in histories if len(one) >= epoch]
        row: dict[str, Any] = {"variant": variant.label, "epoch": epoch, "n": len(reached)}
        for name in HISTORY:
            found = summarise([getattr(record, name) for record in reached])
            row[name], row[f"{name}_sd"] = (found.mean, found.deviation or 0.0) if found else (None, None)
        rows.append(row)
    return rows


def metrics(scope: Scope, variant: VariantData) -> Rows:
    """Training and validation figures at the last epoch and at the best one."""
    rows = []
    for weights in ("last", "best"):
        row: dict[str, Any] = {"variant": variant.label, "weights": weights, "n": len(variant.done)}
        for name in HISTORY:
            found = summarise([getattr(getattr(result, weights), name) for result in variant.done])
            row[name] = found.mean if found else None
            row[f"{name}_sd"] = found.deviation if found else None
        rows.append(row)
    return rows


def tuning(scope: Scope, sweep: str) -> Rows:
    points = scope.submission.layout["sweeps"][sweep]["points"]
    return [
        {"sweep": sweep, "point": title, **accuracy(scope, scope.variant(label))} for label, title in points.items()
    ]


def accuracy(scope: Scope, variant: VariantData) -> dict[str, Any]:
    """Test accuracy of best and last weights with its interval, and the network's size."""
    done = variant.done
    best = summarise([result.best.test_accuracy for result in done])
    last = summarise([result.last.test_accuracy for result in done])
    low, high = accuracy_interval(done) or (None, None)
    return {
        "variant": variant.label,
        "n": len(done),
        "state": variant.state,
        "test_accuracy": best.mean if best else None,
        "low": low,
        "high": high,
        "last_test_accuracy": last.mean if last else None,
        "printed_test_accuracy": scope.reference(variant.label).get("test_accuracy"),
        "parameters": done[0].parameters if done else None,
        "flops": done[0].flops if done else None,
    }


def confusion(scope: Scope, variant: VariantData) -> Rows:
    """Counts of the best weights, summed over seeds, with the share of their true class."""
    table = confusion_counts(variant)
    if table is None:
        return []
    names = class_names(scope, len(table))
    return [
        {"variant": variant.label, "true": names[i], "predicted": names[j], "images": int(table[i, j])}
        for i, j in np.ndindex(table.shape)
    ]


def confusion_counts(variant: VariantData) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    tables = [np.array(result.best.confusion, dtype=np.int64) for result in variant.done]
    return np.sum(tables, axis=0) if tables else None


def class_names(scope: Scope, classes: int) -> Sequence[str]:
    return scope.dataset.classes if scope.dataset else [str(number) for number in range(classes)]
