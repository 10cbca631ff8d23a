"""What each figure plots, as plain rows: the drawing and the CSV beside it use these and nothing else.

Accuracies and shares are fractions, losses mean cross-entropy in nats; `_sd` is the sample standard deviation over
seeds, None for one seed; `n` is how many seeds a row holds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from db.records import ImageGrid
from report.examples import augmentation_examples
from report.scope import Scope
from report.statistics import summarise
from report.variant import VariantData

Rows = list[dict[str, Any]]
HISTORY = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
PICTURES = ("samples", "augmentation")  # kinds of figures without a number
_HISTORY_FIELDS = ("variant", "epoch", "n", *(f"{name}{end}" for name in HISTORY for end in ("", "_sd")))
FIELDS = {
    "class_distribution": ("class", "train", "validation", "test"),
    "history": _HISTORY_FIELDS,
    "histories": _HISTORY_FIELDS,
    "confusion": ("variant", "n", "true", "predicted", "images", "share", "share_sd"),
}
"""What rows of these kinds hold at least, for a file without a row; the other kinds always have rows."""


def figure_rows(scope: Scope, figure: dict[str, Any]) -> Rows:
    """One row for each mark; empty when nothing is known yet."""
    kind = figure["kind"]
    if kind == "class_distribution":
        return class_counts(scope)
    if kind == "samples":
        return pictures(scope.dataset.samples if scope.dataset else None)
    if kind == "augmentation":
        return pictures(augmentation_examples(scope))
    if kind in ("history", "histories"):
        return [row for label in figure["variants"] for row in history(scope, scope.variant(label))]
    if kind == "metrics":
        return [row for label in figure["variants"] for row in metrics(scope, scope.variant(label))]
    if kind == "tuning":
        return [row for name in figure["sweeps"] for row in tuning(scope, name)]
    if kind in ("complexity", "accuracy"):
        return [accuracy(scope, scope.variant(label)) for label in figure["variants"]]
    if kind == "confusion":
        return [row for label in figure["variants"] for row in confusion(scope, scope.variant(label))]
    return []


def by_variant(rows: Rows) -> dict[str, Rows]:
    """The rows of each label, in their order."""
    found: dict[str, Rows] = {}
    for row in rows:
        found.setdefault(row["variant"], []).append(row)
    return found


def class_counts(scope: Scope) -> Rows:
    data = scope.dataset
    if data is None:
        return []
    counts = zip(data.classes, data.train_counts, data.val_counts, data.test_counts, strict=True)
    return [{"class": name, "train": a, "validation": b, "test": c} for name, a, b, c in counts]


def pictures(grid: ImageGrid | None) -> Rows:
    """Which pictures are shown, in the order of reading."""
    return [{"row": row, "column": column} for row in grid.rows for column in grid.columns] if grid else []


def history(scope: Scope, variant: VariantData) -> Rows:
    """Mean and deviation over the seeds that reached an epoch; `n` of them. Printed values are of the last epoch."""
    rows = []
    histories = list(variant.histories.values())
    printed = _printed(scope, variant.label, (*HISTORY, "epochs"))
    for epoch in range(1, max((len(one) for one in histories), default=0) + 1):
        reached = [one[epoch - 1] for one in histories if len(one) >= epoch]
        row: dict[str, Any] = {"variant": variant.label, "epoch": epoch, "n": len(reached)}
        for name in HISTORY:
            row |= _mean(name, [getattr(record, name) for record in reached])
        rows.append(row | printed)
    return rows


def metrics(scope: Scope, variant: VariantData) -> Rows:
    """Training and validation figures at the last epoch, which the printed ones are of, and at the best one."""
    rows = []
    for weights in ("last", "best"):
        row: dict[str, Any] = {"variant": variant.label, "weights": weights, "n": len(variant.done)}
        for name in HISTORY:
            row |= _mean(name, [getattr(getattr(result, weights), name) for result in variant.done])
        rows.append(row | (_printed(scope, variant.label, HISTORY) if weights == "last" else {}))
    return rows


def tuning(scope: Scope, sweep: str) -> Rows:
    """Of random points what was drawn, too."""
    of: Mapping[str, Any] = scope.submission.layout["sweeps"][sweep]
    rows = [
        {"sweep": sweep, "point": title, **accuracy(scope, scope.variant(label))}
        for label, title in of["points"].items()
    ]
    return [{**row, "drawn": scope.drawn(row["variant"])} for row in rows] if of.get("drawn") else rows


def accuracy(scope: Scope, variant: VariantData) -> dict[str, Any]:
    """Test accuracy of the best weights with its 95 % interval, that of the last ones, and the network's size."""
    done = variant.done
    low, high = variant.accuracy_interval or (None, None)
    printed = scope.reference(variant.label)
    return {
        "variant": variant.label,
        "n": len(done),
        "state": variant.state,
        **_mean("test_accuracy", [result.best.test_accuracy for result in done]),
        "low": low,
        "high": high,
        **_mean("last_test_accuracy", [result.last.test_accuracy for result in done]),
        "printed_test_accuracy": printed.get("test_accuracy"),
        "parameters": done[0].parameters if done else None,
        "printed_parameters": printed.get("parameters"),
        "flops": done[0].flops if done else None,
    }


def confusion(scope: Scope, variant: VariantData) -> Rows:
    """Test images of the best weights, summed over seeds; `share` of the true class, its deviation over seeds."""
    if not variant.done:
        return []
    tables = np.array([result.best.confusion for result in variant.done], dtype=np.int64)
    wholes = np.maximum(tables.sum(axis=2, keepdims=True), 1)
    shares = tables / wholes
    together = tables.sum(axis=0) / wholes.sum(axis=0)
    names = class_names(scope, tables.shape[1])
    return [
        {
            "variant": variant.label,
            "n": len(tables),
            "true": names[i],
            "predicted": names[j],
            "images": int(tables[:, i, j].sum()),
            "share": float(together[i, j]),
            "share_sd": float(shares[:, i, j].std(ddof=1)) if len(tables) > 1 else None,
        }
        for i, j in np.ndindex(tables.shape[1:])
    ]


def class_names(scope: Scope, classes: int) -> Sequence[str]:
    return scope.dataset.classes if scope.dataset else [str(number) for number in range(classes)]


def _mean(name: str, values: Sequence[float]) -> dict[str, float | None]:
    found = summarise(values)
    return {name: found.mean if found else None, f"{name}_sd": found.deviation if found else None}


def _printed(scope: Scope, label: str, names: Sequence[str]) -> dict[str, float]:
    reference = scope.reference(label)
    return {f"printed_{name}": reference[name] for name in names if name in reference}
