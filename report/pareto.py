"""What accuracy costs: each config beside its parameters, FLOPs and seconds, and whether another one has both."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from db.records import Result
from report.scope import Scope
from report.variant import VariantData

COSTS = {"parameters": "parameters", "flops": "FLOPs of an image", "train_s": "training seconds"}
"""What a variant may be dominated in, each against test accuracy, by its name in rows: in words."""


def rows(scope: Scope) -> list[dict[str, Any]]:
    """One for each config with results: means over its seeds, of the best weights where that makes a difference.

    `test_accuracy`, `low` and `high` are fractions; `train_s` seconds in total, `epoch_s` those of an epoch, evaluation
    included; `energy_j` the mean of those results that have it. `dominated_parameters`, `dominated_flops` and
    `dominated_train_s` name the most accurate variant that is at least as accurate and costs at most as much, one of
    the two strictly, or are None. Means alone are compared: whether they can be told apart is not asked.
    """
    found = [(variant, _row(scope, variant)) for variant in scope.with_results()]
    for variant, row in found:
        for cost in COSTS:
            rivals = [other for rival, other in found if cost != "train_s" or _one_kind(rival, variant)]
            row[f"dominated_{cost}"] = _dominator(row, rivals, cost)
    return [row for _, row in found]


def epoch_s(result: Result) -> float:
    """Mean seconds of an epoch, of training and evaluation."""
    return (result.train_s + result.eval_s) / result.epochs


def energies(results: Sequence[Result]) -> list[float]:
    """Joules, of those results that have them."""
    return [result.energy_j for result in results if result.energy_j is not None]


def _row(scope: Scope, variant: VariantData) -> dict[str, Any]:
    done = variant.done
    low, high = variant.accuracy_interval or (None, None)
    used_j = energies(done)
    return {
        "variant": variant.label,
        "title": scope.name(variant.label),
        "n": len(done),
        "test_accuracy": variant.accuracy,
        "low": low,
        "high": high,
        "parameters": done[0].parameters,
        "flops": done[0].flops,
        "train_s": fmean([result.train_s for result in done]),
        "epoch_s": fmean([epoch_s(result) for result in done]),
        "peak_mib": fmean([result.peak_mib for result in done]),
        "energy_j": fmean(used_j) if used_j else None,
    }


def _one_kind(one: VariantData, other: VariantData) -> bool:
    """Whether the seconds of the two were taken on one kind of device; other precisions are a choice of the config."""
    return one.done[0].device == other.done[0].device


def _dominator(row: dict[str, Any], rivals: Sequence[dict[str, Any]], cost: str) -> str | None:
    """Of several the most accurate one, of those as accurate the cheapest: one that nobody dominates in turn."""
    above = [other for other in rivals if _dominates(other, row, cost)]
    return max(above, key=lambda other: (other["test_accuracy"], -other[cost]))["variant"] if above else None


def _dominates(other: dict[str, Any], row: dict[str, Any], cost: str) -> bool:
    better, worse = (other["test_accuracy"], -other[cost]), (row["test_accuracy"], -row[cost])
    return all(ours >= theirs for ours, theirs in zip(better, worse, strict=True)) and better != worse
