"""The learning rate by epoch: a line for each schedule that the reported trainings had, where some rate moved."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from report.pairs import sweep_points
from report.scope import Scope
from report.statistics import summarise
from report.variant import VariantData, ranked

Course = tuple[tuple[float, ...], ...]
"""Of each epoch the rates of the seeds that reached it, each once: a plateau falls when the losses of a seed say so."""

FIELDS = ("variant", "title", "variants", "epoch", "n", "learning_rate", "learning_rate_sd")
DECADES = 2
"""Rates that lie further apart want a logarithmic axis."""


def rows(scope: Scope) -> list[dict[str, Any]]:
    """An epoch of each distinct schedule, under the most accurate variant that has it; none where no rate ever moved.

    Variants whose configs ask for one schedule, and whose rates are the same as far as both were trained, share a line.
    `learning_rate` is the mean over the seeds that reached the epoch, `n` of them, of the longest training among these
    variants.
    """
    points = sweep_points(scope)
    variants = sorted(ranked(scope.with_results()), key=lambda one: one.label in points)
    if not any(_moved(variant) for variant in variants):
        return []
    return [row for own in _alike(scope, variants) for row in _rows(scope, own)]


def far_apart(found: Sequence[dict[str, Any]]) -> bool:
    values = [row["learning_rate"] for row in found]
    return bool(min(values) > 0 and max(values) >= 10**DECADES * min(values))


def _moved(variant: VariantData) -> bool:
    return any(len({record.learning_rate for record in one}) > 1 for one in variant.histories.values())


def _alike(scope: Scope, variants: Sequence[VariantData]) -> list[list[VariantData]]:
    groups: list[tuple[Course, list[VariantData]]] = []
    for variant in variants:
        course = _course(variant)
        for place, (known, own) in enumerate(groups):
            same = _asked(scope, variant) == _asked(scope, own[0])
            if same and all(one == other for one, other in zip(known, course, strict=False)):
                groups[place] = (max(known, course, key=len), [*own, variant])
                break
        else:
            groups.append((course, [variant]))
    return [own for _, own in groups]


def _asked(scope: Scope, variant: VariantData) -> dict[str, Any]:
    """What a config says of its schedule: the rates of a short training fit many."""
    names = ("schedule", "learning_rate", "epochs", "warmup_", "plateau_", "step_", "one_cycle_")
    config = scope.submission.variants[variant.label]["config"]
    return {name: value for name, value in config.items() if name.startswith(names)}


def _by_epoch(variant: VariantData) -> list[list[float]]:
    histories = [*variant.histories.values()]
    longest = max(map(len, histories), default=0)
    return [[one[epoch].learning_rate for one in histories if len(one) > epoch] for epoch in range(longest)]


def _course(variant: VariantData) -> Course:
    return tuple(tuple(sorted(set(rates))) for rates in _by_epoch(variant))


def _rows(scope: Scope, own: Sequence[VariantData]) -> list[dict[str, Any]]:
    longest = max(own, key=lambda variant: len(_course(variant)))
    first = own[0]
    named = {"variant": first.label, "title": _title(scope, own), "variants": ", ".join(one.label for one in own)}
    return [
        named | {"epoch": epoch, "n": len(rates), "learning_rate": fmean(rates), "learning_rate_sd": _deviation(rates)}
        for epoch, rates in enumerate(_by_epoch(longest), start=1)
    ]


def _deviation(rates: Sequence[float]) -> float | None:
    found = summarise(rates)
    return found.deviation if found else None


def _title(scope: Scope, own: Sequence[VariantData]) -> str:
    first = scope.name(own[0].label)
    if len(own) == 2:
        return f"{first}, {scope.name(own[1].label)}"
    return first if len(own) == 1 else f"{first} and {len(own) - 1} others"
