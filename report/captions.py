"""The line under each figure: which variant has how many seeds, and what bars, bands and marks are."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from report.examples import caption_of_examples
from report.scope import Scope
from report.theme import NO_GLYPH, lacks_glyphs

Wanted = dict[str, Any]
_UNLOADED = "No worker has loaded the data yet."


def caption(scope: Scope, wanted: Wanted) -> str:
    """Whole sentences, never empty."""
    kind = wanted["kind"]
    if kind in ("class_distribution", "samples", "augmentation"):
        parts = [_of_data(scope, kind)]
    else:
        parts = [f"{seeds(scope, shown_variants(scope, wanted))}.", _marks(scope, wanted)]
    return " ".join([*parts, *glyphs(_texts(scope, wanted))])


def glyphs(texts: Iterable[str]) -> list[str]:
    """The sentence about characters that cannot be drawn, where these texts have some."""
    missing = any(lacks_glyphs(text) for text in texts)
    return [f"“{NO_GLYPH}” stands for characters that no font of the drawing machine has."] if missing else []


def shown_variants(scope: Scope, wanted: Wanted) -> list[str]:
    """Labels, in the figure's order."""
    if wanted["variants"]:
        return list(wanted["variants"])
    sweeps = scope.submission.layout["sweeps"]
    return [point for sweep in wanted["sweeps"] for point in sweeps[sweep]["points"]]


def seeds(scope: Scope, labels: Sequence[str]) -> str:
    """How many seeds each variant has, naming the state of those that are not all done."""
    variants = [scope.variant(label) for label in labels]
    numbers = list(dict.fromkeys(len(variant.done) for variant in variants))
    if len(numbers) == 1 and all(variant.complete for variant in variants):
        return f"n = {numbers[0]} seed{'' if numbers[0] == 1 else 's'}{' each' if len(variants) > 1 else ''}"
    groups = []
    for number in sorted(numbers, reverse=True):
        own = [variant for variant in variants if len(variant.done) == number]
        names = [scope.name(variant.label) + ("" if variant.complete else f" ({variant.state})") for variant in own]
        groups.append(f"n = {number}: {'; '.join(names)}")
    return ". ".join(groups)


def _of_data(scope: Scope, kind: str) -> str:
    data = scope.dataset
    if data is None:
        return _UNLOADED
    if kind == "class_distribution":
        return (
            f"{sum(data.train_counts):,} training, {sum(data.val_counts):,} validation and {sum(data.test_counts):,} "
            "test images."
        )
    if kind == "samples":
        return f"{len(data.samples.columns)} training images of each class."
    return caption_of_examples(scope)


def _marks(scope: Scope, wanted: Wanted) -> str:
    kind = wanted["kind"]
    numbers = {len(scope.variant(label).done) for label in shown_variants(scope, wanted)}
    several = bool(numbers - {0, 1})
    printed = _printed(scope, wanted)
    if kind in ("history", "histories"):
        band = " Line: mean, band: ± one standard deviation of the seeds that reached the epoch." if several else ""
        return f"Solid: training, dashed: validation.{band}{printed}"
    if kind == "metrics":
        return f"Bars: mean{', ± one standard deviation of the seeds' if several else ''}.{printed}"
    if kind == "confusion":
        return (
            "Of the best weights on the test images, all seeds together; rates are shares of the true class; one scale "
            "for all."
        )
    noise = interval_noise(numbers)
    lines = f" Error bars: 95 % interval, {noise}." if noise else ""
    sweeps = [scope.submission.layout["sweeps"][name] for name in wanted["sweeps"]]
    numbers_of = [sweep["title"] for sweep in sweeps if sweep.get("numbered")]
    drawn = f" Numbers: points of {', '.join(numbers_of)}, whose tables say what was drawn." if numbers_of else ""
    return f"Bars: mean test accuracy of the best weights.{lines}{printed}{drawn}"


def interval_noise(numbers: Collection[int]) -> str:
    """Which noise intervals hold that are of so many seeds; empty where there are none."""
    parts = ["for one seed of the noise of the test images alone (Wilson)"] if 1 in numbers else []
    parts += ["for several seeds of the seeds and the test images"] if set(numbers) - {0, 1} else []
    return ", ".join(parts)


_PRINTED_FIELDS = {
    "history": ("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
    "metrics": ("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
    "accuracy": ("test_accuracy",),
    "confusion": (),
}
_PRINTED_FIELDS |= {"histories": _PRINTED_FIELDS["history"]}
_PRINTED_FIELDS |= {"complexity": _PRINTED_FIELDS["accuracy"], "tuning": _PRINTED_FIELDS["accuracy"]}


def _printed(scope: Scope, wanted: Wanted) -> str:
    fields, lines = _PRINTED_FIELDS[wanted["kind"]], wanted["kind"] in ("history", "histories")
    labels = [label for label in shown_variants(scope, wanted) if scope.variant(label).done or not lines]
    if not any(field in scope.reference(label) for label in labels for field in fields):
        return ""
    if lines:
        return (
            " Diamonds: printed values, at the printed last epoch, else at ours (filled: training, hollow: validation)."
        )
    return " Diamonds: printed values."


def _texts(scope: Scope, wanted: Wanted) -> Iterable[str]:
    """Every name that the figure writes and that is not bench's own."""
    kind = wanted["kind"]
    if kind in ("class_distribution", "samples", "augmentation", "confusion"):
        yield from scope.dataset.classes if scope.dataset else ()
    if kind == "tuning":
        yield from (scope.name(label) for label in shown_variants(scope, wanted))
    else:
        yield from (scope.variant(label).title for label in wanted["variants"])
