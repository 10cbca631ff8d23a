"""What a paper printed, beside ours: the difference, and whether our interval holds the printed value."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.records import Result, Scores
from report.numbers import NOTHING, Show, count, loss, percent, signed, whole, yes
from report.scope import CHOSEN, Scope
from report.statistics import over_seeds, summarise, wilson
from report.tables import Table, choice, gap, mean_text, notes_of, with_deviation
from report.variant import VariantData

NAME = "printed_values"
WEIGHTS = ("best", "last")
_CHOICE = "Chosen of its experiment"
_INTERVAL = {
    1: "with one seed only test accuracies have an interval (Wilson's, the noise of the test images alone)",
    2: "with several seeds the interval of a test accuracy at the best weights holds the noise of seeds and of test "
    "images, every other one that of seeds alone (Student's t)",
}
_OF_THEIRS = (
    "a printed value of one run has noise of its own, which no interval here holds: outside of ours does not mean that "
    "the paper is wrong, nor inside that it is right"
)
_PARTS = ("value", "difference", "held")


@dataclass(frozen=True, slots=True)
class Quantity:
    """What may be printed of a variant: its name here, how it is shown, ours from a result and one of its scores, and
    the values that it can have."""

    title: str
    show: Show
    ours: Callable[[Result, Scores], float]
    least: float = 0.0
    most: float = 1.0


QUANTITIES: Mapping[str, Quantity] = {
    "test_accuracy": Quantity("Test acc. %", percent, lambda _, score: score.test_accuracy),
    "test_loss": Quantity("Test loss", loss, lambda _, score: score.test_loss, most=math.inf),
    "train_accuracy": Quantity("Training acc. %", percent, lambda _, score: score.train_accuracy),
    "train_loss": Quantity("Training loss", loss, lambda _, score: score.train_loss, most=math.inf),
    "val_accuracy": Quantity("Validation acc. %", percent, lambda _, score: score.val_accuracy),
    "val_loss": Quantity("Validation loss", loss, lambda _, score: score.val_loss, most=math.inf),
    "gap": Quantity("Gap, training − validation, points", percent, lambda _, score: gap(score), least=-1.0),
    "epochs": Quantity("Epoch", count, lambda _, score: score.epoch, most=math.inf),
    "parameters": Quantity("Parameters", whole, lambda result, _: result.parameters, most=math.inf),
}


def printed_tables(scope: Scope) -> list[Table]:
    """Every printed value once, under the label that it was printed for, with ours; none where nothing was printed."""
    if not scope.submission.reference:
        return []
    labels = [label for label in scope.variants if label in scope.submission.reference["variants"]]
    rows = [row for label in labels for row in _beside(scope, label)]
    fields = ("name", "quantity", "printed_text", *(f"{w}_{part}_text" for w in WEIGHTS for part in _PARTS), "n")
    return [
        Table(
            name=NAME,
            title="Paper and ours",
            note=_note(scope, [scope.variant(label) for label in labels]),
            head=(
                *("Variant", "Quantity", "Printed"),
                *("Ours, best", "Difference, best", "In our interval, best"),
                *("Ours, last", "Difference, last", "In our interval, last", "n", "State"),
            ),
            cells=tuple(tuple(str(row[name]) for name in (*fields, "state")) for row in rows),
            values=tuple({name: row[name] for name in row if not name.endswith("_text")} for row in rows),
        )
    ]


def _note(scope: Scope, variants: Sequence[VariantData]) -> str:
    numbers = {min(len(variant.done), 2) for variant in variants} - {0}
    notes = ["difference: ours less the printed value, accuracies and gaps in points"]
    notes += ["in our interval: whether the printed value lies in our 95 % interval; – where there is none"]
    notes += [_INTERVAL[number] for number in sorted(numbers)]
    notes += [_OF_THEIRS]
    notes += ["the epoch of the last weights is the one at which training stopped"]
    return "; ".join([*notes, notes_of(scope, variants, intervals=False)])


def _beside(scope: Scope, label: str) -> list[dict[str, Any]]:
    variant, printed = scope.variant(label), scope.submission.reference["variants"][label]
    rows = [_row(variant, name, printed[name]) for name in QUANTITIES if name in printed]
    rows += [_choice_beside(scope, label)] if CHOSEN in printed else []
    shared = {"variant": label, "name": scope.name(label), "n": len(variant.done), "state": variant.state}
    return [shared | row for row in rows]


def _row(variant: VariantData, name: str, printed: float) -> dict[str, Any]:
    quantity = QUANTITIES[name]
    row = {"quantity": quantity.title, "printed": printed, "printed_text": quantity.show(printed)}
    for weights in WEIGHTS:
        values = [quantity.ours(result, getattr(result, weights)) for result in variant.done]
        shown = slice(1) if name == "parameters" else slice(None)  # a size has no deviation
        found = summarise(values)
        difference = found.mean - printed if found else None
        low, high = interval(variant, name, weights) or (None, None)
        inside = None if low is None or high is None else low <= printed <= high
        row |= with_deviation(weights, values)
        row |= {f"{weights}_difference": difference, f"in_{weights}_interval": inside}
        row |= {f"{weights}_low": low, f"{weights}_high": high}
        row |= {
            f"{weights}_value_text": mean_text(values[shown], quantity.show),
            f"{weights}_difference_text": NOTHING if difference is None else signed(difference, quantity.show),
            f"{weights}_held_text": NOTHING if inside is None else yes(inside),
        }
    return row


def interval(variant: VariantData, name: str, weights: str) -> tuple[float, float] | None:
    """95 %, of a quantity at these weights; None where seeds show no noise and nothing else is known of it.

    Of the best weights' test accuracy the one that every table has. Of that of the last weights, for which no hits
    are kept, over seeds; with one seed, and where all have the same, Wilson's. Of everything else over seeds.
    """
    quantity, results = QUANTITIES[name], variant.done
    if name == "test_accuracy" and weights == "best":
        return variant.accuracy_interval
    values = [quantity.ours(result, getattr(result, weights)) for result in results]
    if len(set(values)) == 1:
        return _of_images(getattr(results[0], weights)) if name == "test_accuracy" else None
    found = over_seeds(values)
    return (max(found[0], quantity.least), min(found[1], quantity.most)) if found else None


def _of_images(scores: Scores) -> tuple[float, float]:
    images = sum(map(sum, scores.confusion))
    return wilson(round(scores.test_accuracy * images), images)


def _choice_beside(scope: Scope, label: str) -> dict[str, Any]:
    sweeps = scope.submission.layout.get("sweeps", {})
    chosen = next((choice(scope, sweep) for sweep in sweeps if label in sweeps[sweep]["points"]), None)
    ours = None if chosen is None else chosen == label
    printed = bool(scope.reference(label)[CHOSEN])
    row = {"quantity": _CHOICE, "printed": printed, "best": ours, "last": None, "printed_text": yes(printed)}
    row |= {f"{weights}_{part}_text": "" for weights in WEIGHTS for part in _PARTS}
    return row | {"best_value_text": NOTHING if ours is None else yes(ours)}
