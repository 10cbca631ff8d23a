"""What accuracy does not tell: classes one by one, confusions, and how far probabilities can be believed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.records import Result
from report.figure_data import class_names
from report.numbers import NOTHING, loss, percent
from report.scope import Scope
from report.tables import BEST, Table, gap, mean_text, with_deviation
from report.variant import VariantData

NAME = "quality"
_SHOWN, _LISTED = 3, 5  # confusions in a cell, and in the values
Confusions = Sequence[tuple[str, str, float]]
OfSeeds = Mapping[str, Sequence[float]]


def class_scores(result: Result) -> NDArray[np.float64]:
    """(3, classes): precision, recall and F1 of each class, best weights; 0 where nothing can be divided."""
    counts = np.array(result.best.confusion, dtype=np.float64)
    hits = np.diag(counts)
    predicted, true = counts.sum(0), counts.sum(1)
    found = [_ratio(hits, predicted), _ratio(hits, true), _ratio(2 * hits, predicted + true)]
    return np.stack(found)


def balanced_accuracy(result: Result) -> float:
    """The mean recall of the classes that have test images, best weights."""
    counts = np.array(result.best.confusion, dtype=np.float64)
    there = counts.sum(1) > 0
    return float((np.diag(counts)[there] / counts.sum(1)[there]).mean())


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def quality_table(scope: Scope) -> Table:
    """A row for each config with results, those of sweeps among them, under its first label."""
    lines = [_line(scope, variant) for variant in scope.with_results()]
    return Table(
        name=NAME,
        title="Beyond accuracy",
        note=(
            f"{BEST}; on the test images but for the gap, training accuracy minus validation accuracy at the epoch of "
            "these weights, in points; balanced accuracy: the mean of the classes' recall; macro F1: that of "
            "their F1; Brier score: 0 is perfect; ECE: how far "
            "probabilities are from the share that is right, in points, 15 bins; hardest class: the lowest recall; "
            f"most confused: the {_SHOWN} largest shares of a true class that is taken for another one, of all seeds "
            "together; with several seeds means, ± one standard deviation"
        ),
        head=(
            "Variant",
            "n",
            "Balanced acc. %",
            "Macro F1 %",
            "Brier score",
            "ECE",
            "Gap",
            "Hardest class",
            "Most confused",
        ),
        cells=tuple(cells for cells, _ in lines),
        values=tuple(values for _, values in lines),
        fields=("variant", "n"),
        shown=bool(lines),
    )


def _line(scope: Scope, variant: VariantData) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Its cells and its values."""
    done, of_seeds = variant.done, _of_seeds(variant)
    scores = np.mean([class_scores(result) for result in done], axis=0)
    names = class_names(scope, scores.shape[1])
    found = confusions(done, names)
    values = _values(variant, of_seeds, found)
    hardest = int(scores[1].argmin())
    values |= {"hardest_class": names[hardest], "hardest_recall": float(scores[1][hardest])}
    for name, of_classes in zip(("precision", "recall", "f1"), scores, strict=True):
        values |= {f"{name} {names[number]}": float(value) for number, value in enumerate(of_classes)}
    return _cells(scope.name(variant.label), values, of_seeds, found), values


def _values(variant: VariantData, of_seeds: OfSeeds, found: Confusions) -> dict[str, Any]:
    row: dict[str, Any] = {"variant": variant.label, "n": len(variant.done)}
    for name, each in of_seeds.items():
        row |= with_deviation(name, each)
    row |= dict(zip(("confused_class", "confused_with", "confused"), found[0], strict=True))
    return row | {"confusions": [f"{true} for {taken}, {share:.4f}" for true, taken, share in found[:_LISTED]]}


def _of_seeds(variant: VariantData) -> OfSeeds:
    """Of each seed."""
    found = [one.calibration for one in variant.distinct if one.calibration]
    return {
        "balanced_accuracy": [balanced_accuracy(result) for result in variant.done],
        "macro_f1": [float(class_scores(result)[2].mean()) for result in variant.done],
        "brier": [one.brier for one in found],
        "ece": [one.ece for one in found],
        "gap": [gap(result.best) for result in variant.done],
    }


def confusions(results: Sequence[Result], names: Sequence[str]) -> Confusions:
    """(true class, what it is taken for, share of the true class), all seeds together, the largest share first.

    Best weights. What nobody confused is left out; the first is there all the same, with a single class as −1.
    """
    counts = np.sum([result.best.confusion for result in results], axis=0).astype(np.float64)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    np.fill_diagonal(shares, -1.0)
    order = np.argsort(-shares, axis=None, kind="stable").tolist()
    places = [divmod(place, len(names)) for place in order]
    found = [(names[true], names[taken], float(shares[true, taken])) for true, taken in places]
    return [one for one in found if one[2] > 0] or found[:1]


def _cells(title: str, row: Mapping[str, Any], of_seeds: OfSeeds, found: Confusions) -> tuple[str, ...]:
    confused = [f"{true} for {taken}, {percent(share)} %" for true, taken, share in found[:_SHOWN] if share >= 0]
    return (
        title,
        str(row["n"]),
        mean_text(of_seeds["balanced_accuracy"], percent),
        mean_text(of_seeds["macro_f1"], percent),
        mean_text(of_seeds["brier"], loss),
        mean_text(of_seeds["ece"], percent),
        mean_text(of_seeds["gap"], percent),
        f"{row['hardest_class']}, {percent(row['hardest_recall'])} %",
        "; ".join(confused) or NOTHING,
    )
