"""What accuracy does not tell: classes one by one, confusions, and how far probabilities can be believed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.records import Result
from report.numbers import NOTHING, percent
from report.scope import Scope, VariantData
from report.tables import BEST, Table, gap, with_deviation

NAME = "quality"


def class_scores(result: Result) -> NDArray[np.float64]:
    """(3, classes): precision, recall and F1 of each class, best weights; 0 where nothing can be divided."""
    counts = np.array(result.best.confusion, dtype=np.float64)
    hits = np.diag(counts)
    predicted, true = counts.sum(0), counts.sum(1)
    found = [_ratio(hits, predicted), _ratio(hits, true), _ratio(2 * hits, predicted + true)]
    return np.stack(found)


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def quality_table(scope: Scope) -> Table:
    """A row for each config with results, those of sweeps among them, under its first label."""
    rows = [_row(scope, variant) for variant in scope.with_results()]
    return Table(
        name=NAME,
        title="Beyond accuracy",
        note=(
            f"{BEST}; on the test images but for the gap, training accuracy minus validation accuracy at the epoch of "
            "these weights, in points; macro F1: the mean of the classes' F1; Brier score: 0 is perfect; ECE: how far "
            "probabilities are from the share that is right, in points, 15 bins; hardest class: the lowest recall; "
            "most confused: the largest share of a true class that is taken for another one; with several seeds means, "
            "± one standard deviation"
        ),
        head=("Variant", "n", "Macro F1 %", "Brier score", "ECE", "Gap", "Hardest class", "Most confused"),
        cells=tuple(_cells(row) for row in rows),
        values=tuple({name: value for name, value in row.items() if name != "text"} for row in rows),
        fields=("variant", "n"),
        shown=bool(rows),
    )


def _row(scope: Scope, variant: VariantData) -> dict[str, Any]:
    scores = np.mean([class_scores(result) for result in variant.done], axis=0)
    counts = np.sum([result.best.confusion for result in variant.done], axis=0).astype(np.float64)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    np.fill_diagonal(shares, -1.0)
    true, taken = np.unravel_index(int(shares.argmax()), shares.shape)
    hardest = int(scores[1].argmin())
    names = scope.dataset.classes if scope.dataset else [str(number) for number in range(len(counts))]
    row: dict[str, Any] = {"variant": variant.label, "n": len(variant.done), "text": scope.name(variant.label)}
    row |= with_deviation("macro_f1", [float(class_scores(result)[2].mean()) for result in variant.done])
    found = [one.calibration for one in variant.distinct if one.calibration]
    row |= with_deviation("brier", [one.brier for one in found]) | with_deviation("ece", [one.ece for one in found])
    row |= with_deviation("gap", [gap(result.best) for result in variant.done])
    row |= {"hardest_class": names[hardest], "hardest_recall": float(scores[1][hardest])}
    row |= {"confused_class": names[int(true)], "confused_with": names[int(taken)], "confused": float(shares.max())}
    for name, values in zip(("precision", "recall", "f1"), scores, strict=True):
        row |= {f"{name} {names[number]}": float(value) for number, value in enumerate(values)}
    return row


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["text"],
        str(row["n"]),
        _shown(row, "macro_f1", 100, 2),
        _shown(row, "brier", 1, 4),
        _shown(row, "ece", 100, 2),
        _shown(row, "gap", 100, 2),
        f"{row['hardest_class']}, {percent(row['hardest_recall'])} %",
        f"{row['confused_class']} for {row['confused_with']}, {percent(row['confused'])} %",
    )


def _shown(row: dict[str, Any], name: str, factor: float, digits: int) -> str:
    if row[name] is None:
        return NOTHING
    mean, deviation = f"{factor * row[name]:.{digits}f}", row[f"{name}_sd"]
    return mean if deviation is None else f"{mean} ± {factor * deviation:.{digits}f}"
