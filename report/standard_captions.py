"""Title and caption of the figures that every report has."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from report.captions import caption, glyphs, interval_noise, seeds
from report.figure_data import Rows
from report.scope import Scope
from report.standard_figures import MOST_HISTORIES, MOST_NAMED, MOST_RELIABILITY, all_histories

TITLES = {
    "forest": "Test accuracy of every config, with its interval",
    "pairs": "Difference in test accuracy of every pair",
    "pareto": "Test accuracy and what it costs",
    "classes": "Scores of every class",
    "flips": "Where a difference comes from, class by class",
    "calibration": "Reliability: accuracy against confidence",
    "histories": "Training histories of all variants",
    "rates": "Learning rate by epoch",
}
"""By kind, in the order of their letters, from A on. Rates are shown where some rate moved."""
_NOTHING = {
    "flips": "Fewer than two variants have results on the same test images.",
    "pairs": "Fewer than two variants have results on the same test images.",
    "calibration": "The store holds no predictions yet.",
}


def standard_caption(scope: Scope, kind: str, rows: Rows) -> str:
    """Whole sentences, never empty."""
    if not rows:
        return _NOTHING.get(kind, "No job has a result yet.")
    labels = list(dict.fromkeys(label for row in rows for label in _labels(row)))
    if kind == "histories":
        return _histories(scope, labels)
    parts = [f"{seeds(scope, labels)}.", *_WORDS[kind](rows)]
    return " ".join([*parts, *glyphs(_texts(rows))])


def left_out(kind: str, rows: Rows) -> str:
    """What the picture of a figure does not show and the page does; empty where it shows all."""
    labels = {label for row in rows for label in _labels(row)}
    pairs = {(row["ours"], row["theirs"]) for row in rows if "ours" in row}
    if kind == "flips" and len(pairs) > 1:
        return f"Of {len(pairs)} pairs that of the most accurate variant and the one nearest to it; the data have all."
    if kind == "calibration" and len(labels) > MOST_RELIABILITY:
        return f"Drawn are the {MOST_RELIABILITY} most accurate of {len(labels)} configs, points of sweeps last."
    if kind == "histories" and len(labels) > MOST_HISTORIES:
        return f"Drawn are the {MOST_HISTORIES} most accurate of {len(labels)} variants."
    if kind == "rates" and len(labels) > MOST_HISTORIES:
        return f"Drawn are {MOST_HISTORIES} of {len(labels)} schedules, those of the most accurate variants."
    if kind == "classes":
        return "Drawn is recall."
    return "Grey: on no front." if kind == "pareto" and len(rows) > MOST_NAMED else ""


def _histories(scope: Scope, labels: Sequence[str]) -> str:
    return caption(scope, {**all_histories(labels), "variants": [*labels]})


def _labels(row: Mapping[str, Any]) -> Sequence[str]:
    return (row["variant"],) if "variant" in row else (row["ours"], row["theirs"])


def _texts(rows: Rows) -> set[str]:
    return {row[name] for row in rows for name in ("title", "ours_title", "theirs_title", "class") if name in row}


def _forest(rows: Rows) -> Iterator[str]:
    yield "Points: mean test accuracy of the best weights, the highest on top."
    noise = interval_noise({row["n"] for row in rows if row["low"] is not None})
    if noise:
        yield f"Lines: 95 % interval, {noise}."
    if any(row["of_sweep"] for row in rows):
        yield "Points of sweeps are chosen by validation, and stand apart."
    if len(rows) > 1:
        yield "Whether two can be told apart says the figure of pairs: lines that overlap are no test."
    if any(row["printed_test_accuracy"] is not None for row in rows):
        yield "Diamonds: printed values."


def _pairs(rows: Rows) -> Iterator[str]:
    yield "Each cell: test accuracy of the row's variant less that of the column's, in points, best weights."
    yield (
        "A star, where there are no numbers a point: told apart at 5 %, adjusted for all pairs; an equals sign or a "
        f"dash: less than {100 * rows[0]['equal_within']:.2f} points apart by two one-sided tests; unmarked: cannot be "
        "told apart."
    )
    tests = {row["test"] for row in rows}
    if "t" in tests:
        yield "The tests of several seeds hold the noise of the seeds and of the test images."
    if "mcnemar" in tests:
        yield "Those of one seed each hold the noise of the test images alone (McNemar)."
    number = len({label for row in rows for label in _labels(row)})
    if len(rows) < number * (number - 1) // 2:
        yield "Grey: not compared."


def _pareto(rows: Rows) -> Iterator[str]:
    yield "Points: mean test accuracy of the best weights against what it costs."
    noise = interval_noise({row["n"] for row in rows if row["low"] is not None})
    if noise:
        yield f"Lines: 95 % interval, {noise}."
    yield "Filled: no other is as accurate for less; the stairs join these. Hollow: some other is."
    yield "Means alone decide that, noise has no say; seconds depend on what else the machine did."


def _classes(rows: Rows) -> Iterator[str]:
    several = max(row["n"] for row in rows) > 1
    of = ", mean over seeds" if several else ""
    yield (
        f"Each cell, of the best weights{of}: recall is the share of the class's test images that is found, precision "
        "the share of those called so that is of it, F1 their harmonic mean."
    )
    yield (
        "The hardest class stands to the left; the most accurate variant on top, points of sweeps below all variants. "
        "No interval is shown."
    )
    images = [row["images"] for row in rows]
    least, most = min(images), max(images)
    if not least:
        yield "Grey: a class without a test image."
    yield f"A class has {least:,} test images." if least == most else f"A class has {least:,} to {most:,} test images."


def _flips(rows: Rows) -> Iterator[str]:
    yield (
        "Bars: of the test images of a class those that only the one variant gets right, best weights, mean over pairs "
        "of seeds. No interval is shown."
    )


def _calibration(rows: Rows) -> Iterator[str]:
    yield (
        "Points: of the test images in each of 15 bins of confidence, which is the probability of the predicted class, "
        "the share that is right, best weights, all seeds together; above the dotted line a network is too careful, "
        "below it too sure. Bars: the share of the images in each bin, mean over seeds. No interval is shown."
    )


def _rates(rows: Rows) -> Iterator[str]:
    yield (
        "A line for each schedule that some variant had, as long as the longest of its trainings: the rate of each "
        "epoch's last step."
    )
    if any(row["learning_rate_sd"] for row in rows):
        yield "Line: mean, band: ± one standard deviation of the seeds that reached the epoch."


_WORDS = {
    "rates": _rates,
    "forest": _forest,
    "pairs": _pairs,
    "pareto": _pareto,
    "classes": _classes,
    "flips": _flips,
    "calibration": _calibration,
}
