"""How fast validation accuracy rises, and how steady it is then: from the stored histories, without the test set."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from db.records import EpochRecord
from report.numbers import count, percent, tenth
from report.scope import Scope
from report.tables import Table, devices, equal_or, mean_text, with_deviation
from report.variant import VariantData

PACE = "time_to_accuracy"
STABILITY = "stability"
_SHARE = 0.9  # of the best variant's accuracy
_FEWEST = 3  # epochs of which a deviation says something
_ROUNDING = 1e-9  # of a mean, which may come out above all that it is of
_MOST_DIGITS = 7  # of a percentage: targets that agree in these have one column
_PACE_NOTE = (
    "best: the highest of any epoch; s: of training and evaluation until validation accuracy was first that high; "
    "seconds and epochs are means over the seeds that reached it alone, ± one standard deviation where there are "
    "several; about half of the seeds reach the mean of their own variant"
)

History = Sequence[EpochRecord]
Trained = Mapping[str, Sequence[History]]  # of each config with results, under its first label


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A validation accuracy, as a fraction, and in words where it comes from."""

    name: str
    accuracy: float
    words: str


def histories(variant: VariantData) -> list[History]:
    """Those of its results; of trainings that predicted the same in every number the first alone."""
    done = variant.done
    return [
        variant.histories[job_id]
        for job_id, result in variant.results.items()
        if any(result is one for one in done) and variant.histories[job_id]
    ]


def highest(history: History) -> float:
    """The best validation accuracy of any epoch."""
    return max(record.val_accuracy for record in history)


def reached(history: History, accuracy: float) -> tuple[float, int] | None:
    """Seconds of training and evaluation, and epochs, until validation accuracy was first that high; None: never."""
    seconds = 0.0
    for record in history:
        seconds += record.epoch_s
        if record.val_accuracy >= accuracy - _ROUNDING:
            return seconds, record.epoch
    return None


def late_deviation(history: History) -> float | None:
    """The deviation of validation accuracy over the last quarter of the epochs; None where that is fewer than three."""
    last = history[-math.ceil(len(history) / 4) :]
    return float(np.std([record.val_accuracy for record in last], ddof=1)) if len(last) >= _FEWEST else None


def fall(history: History) -> float:
    """By how much validation accuracy was higher at its best than after the last epoch."""
    return highest(history) - history[-1].val_accuracy


def trained(scope: Scope) -> Trained:
    found = {variant.label: histories(variant) for variant in scope.with_results()}
    return {label: own for label, own in found.items() if own}


def targets(scope: Scope, known: Trained, asked_for: Sequence[float] = ()) -> list[Target]:
    """The accuracy of the suite's first variant, where it has results, nine tenths of the best variant's, and these."""
    means = {label: float(np.mean([highest(history) for history in own])) for label, own in known.items()}
    first, best = next(iter(scope.variants), ""), max(means, key=lambda label: means[label], default="")
    found = []
    if first in means:
        words = f"the best validation accuracy of {scope.name(first)}, the mean of its seeds"
        found.append(Target(name="first_variant", accuracy=means[first], words=words))
    if best:
        words = f"{100 * _SHARE:.0f} % of the best validation accuracy of {scope.name(best)}, the highest such mean"
        found.append(Target(name="share_of_best", accuracy=_SHARE * means[best], words=words))
    found += [Target(name=f"at_{one}", accuracy=one, words="asked for") for one in dict.fromkeys(asked_for)]
    return found


def pace_table(scope: Scope, asked_for: Sequence[float] = ()) -> Table:
    """A row for each config with results; the test set has no say. `asked_for`: more targets, as fractions."""
    known = trained(scope)
    wanted = targets(scope, known, asked_for)
    shown = _told_apart([target.accuracy for target in wanted])
    columns = dict(zip(shown, wanted, strict=True))
    rows = [_pace_row(scope, label, own, wanted) for label, own in known.items()]
    several = len({kind for row in rows for kind in row["devices"]}) > 1
    notes = [f"{text} %: {target.words}" for text, target in zip(shown, wanted, strict=True)]
    notes += [_PACE_NOTE, *(["seconds of different kinds of device cannot be compared"] if several else [])]
    head = ["Variant", "n", "Best val. acc. %"]
    for text in columns:
        head += [f"{what} {text} %" for what in ("Seeds at", "s to", "Epochs to")]
    return Table(
        name=PACE,
        title="Time to a given accuracy",
        note="; ".join(notes),
        head=(*head, "Device"),
        cells=tuple(_pace_cells(row, known[row["variant"]], [*columns.values()]) for row in rows),
        values=tuple(rows),
        fields=("variant", "title", "n"),
        shown=bool(known),
    )


def _told_apart(accuracies: Sequence[float]) -> list[str]:
    """As percentages, with as many digits as tell those apart that differ."""
    texts: list[str] = []
    for digits in range(2, _MOST_DIGITS + 1):
        texts = [f"{100 * accuracy:.{digits}f}" for accuracy in accuracies]
        if len({*texts}) == len({round(100 * accuracy, _MOST_DIGITS) for accuracy in accuracies}):
            break
    return texts


def _pace_row(scope: Scope, label: str, own: Sequence[History], wanted: Sequence[Target]) -> dict[str, Any]:
    row: dict[str, Any] = {"variant": label, "title": scope.name(label), "n": len(own)}
    row |= with_deviation("best_val_accuracy", [highest(history) for history in own])
    for target in wanted:
        times = _times(own, target)
        row |= {f"{target.name}_accuracy": target.accuracy, f"{target.name}_reached": len(times)}
        row |= with_deviation(f"{target.name}_s", [seconds for seconds, _ in times])
        row |= with_deviation(f"{target.name}_epochs", [epoch for _, epoch in times])
    return row | {"devices": devices(scope.variant(label).done)}


def _pace_cells(row: Mapping[str, Any], own: Sequence[History], wanted: Sequence[Target]) -> tuple[str, ...]:
    cells = [row["title"], str(len(own)), mean_text([highest(history) for history in own], percent)]
    for target in wanted:
        times = _times(own, target)
        cells.append(f"{len(times)} of {len(own)}")
        cells.append(mean_text([seconds for seconds, _ in times], tenth))
        cells.append(equal_or([epoch for _, epoch in times], count))
    return (*cells, ", ".join(row["devices"]))


def _times(own: Sequence[History], target: Target) -> list[tuple[float, int]]:
    return [found for history in own if (found := reached(history, target.accuracy))]


def stability_table(scope: Scope) -> Table:
    """A row for each config with results."""
    known = trained(scope)
    return Table(
        name=STABILITY,
        title="Stability over the epochs",
        note="of validation accuracy, in points; sd: its standard deviation over the last quarter of the epochs, "
        "rounded up, where that is three or more; fall: how much higher it was at its highest than after the last one; "
        "with several seeds means, ± one standard deviation over seeds",
        head=("Variant", "n", "Epochs", "Sd, last quarter", "Fall from best"),
        cells=tuple(_stability_cells(scope, label, own) for label, own in known.items()),
        values=tuple(_stability_row(scope, label, own) for label, own in known.items()),
        fields=("variant", "title", "n"),
        shown=any(len(history) > 2 for own in known.values() for history in own),  # of fewer there is nothing to say
    )


def _stability_cells(scope: Scope, label: str, own: Sequence[History]) -> tuple[str, ...]:
    epochs = equal_or([len(history) for history in own], count)
    return (
        scope.name(label),
        str(len(own)),
        epochs,
        mean_text(_late_deviations(own), percent),
        mean_text(_falls(own), percent),
    )


def _stability_row(scope: Scope, label: str, own: Sequence[History]) -> dict[str, Any]:
    row: dict[str, Any] = {"variant": label, "title": scope.name(label), "n": len(own)}
    row |= with_deviation("epochs", [len(history) for history in own])
    return row | with_deviation("late_deviation", _late_deviations(own)) | with_deviation("fall", _falls(own))


def _late_deviations(own: Sequence[History]) -> list[float]:
    return [found for history in own if (found := late_deviation(history)) is not None]


def _falls(own: Sequence[History]) -> list[float]:
    return [fall(history) for history in own]
