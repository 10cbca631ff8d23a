"""Rows of the figures that every report has, whatever its suite asks for: drawing, CSV and page use these alone.

Accuracies, scores and shares are fractions; `_sd` is the sample standard deviation over seeds, None for one seed; `n`
is how many seeds a row holds. Variants are configs with results, each once, the highest test accuracy first; but for
`forest` and `pareto` points of sweeps come after all others, and `histories` has none where there are others.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from report import rates
from report.calibration import BINS
from report.figure_data import FIELDS as OF_SUITES
from report.figure_data import Rows, accuracy, class_names, history
from report.pairs import hits_of, sweep_points
from report.quality import class_scores
from report.scope import Scope
from report.variant import VariantData, ranked

HISTORY_FIELDS = OF_SUITES["histories"]
SCORES = ("precision", "recall", "f1")
FIELDS = {
    "forest": (
        *("variant", "title", "n", "test_accuracy", "test_accuracy_sd", "low", "high"),
        *("last_test_accuracy", "printed_test_accuracy", "of_sweep"),
    ),
    "pairs": ("ours", "theirs", "ours_title", "theirs_title"),
    "pareto": ("variant", "title", "n", "test_accuracy", "low", "high", "parameters", "flops", "train_s"),
    "classes": ("variant", "title", "class", "n", "images", *(f"{one}{end}" for one in SCORES for end in ("", "_sd"))),
    "flips": (
        *("ours", "theirs", "ours_title", "theirs_title", "class", "images"),
        *("only_ours_right", "only_theirs_right"),
    ),
    "histories": HISTORY_FIELDS,
    "rates": rates.FIELDS,
    "calibration": ("variant", "title", "n", "bin", "low", "high", "share", "confidence", "accuracy"),
}
"""What rows of each kind hold at least, in this order."""


def standard_rows(scope: Scope, pairs: Sequence[Mapping[str, Any]]) -> dict[str, Rows]:
    """By kind; `pairs` are the values of the table of pairs, which decides what is compared."""
    best_first, points = ranked(scope.with_results()), sweep_points(scope)
    rivals = [variant for variant in best_first if variant.label not in points] or best_first
    variants = sorted(best_first, key=lambda variant: variant.label in points)
    return {
        "forest": [_accuracy(scope, variant) for variant in best_first],
        "pairs": [_titled(scope, pair) for pair in pairs],
        "classes": [row for variant in variants for row in _classes(scope, variant)],
        "flips": _flips(scope, _by_leader(pairs)),
        "histories": [row for variant in rivals for row in history(scope, variant)],
        "calibration": [row for variant in variants for row in _calibration(scope, variant)],
    }


def _named(scope: Scope, variant: VariantData) -> dict[str, Any]:
    return {"variant": variant.label, "title": scope.name(variant.label)}


def _accuracy(scope: Scope, variant: VariantData) -> dict[str, Any]:
    row = accuracy(scope, variant) | _named(scope, variant)
    row["of_sweep"] = variant.label in sweep_points(scope)
    return {name: row[name] for name in FIELDS["forest"]}


def _titled(scope: Scope, pair: Mapping[str, Any]) -> dict[str, Any]:
    return {**_named_pair(scope, pair), **pair}


def _named_pair(scope: Scope, pair: Mapping[str, Any]) -> dict[str, Any]:
    labels = {side: pair[side] for side in ("ours", "theirs")}
    return labels | {f"{side}_title": scope.name(label) for side, label in labels.items()}


def _classes(scope: Scope, variant: VariantData) -> Rows:
    """Means over seeds; `images`: test images of the class."""
    scores = np.stack([class_scores(result) for result in variant.done])
    means, n = scores.mean(0), len(scores)
    deviations = scores.std(0, ddof=1).tolist() if n > 1 else [[None] * scores.shape[2]] * len(SCORES)
    images = np.sum(variant.done[0].best.confusion, axis=1).tolist()
    rows = []
    for number, name in enumerate(class_names(scope, len(images))):
        row = _named(scope, variant) | {"class": name, "n": n, "images": images[number]}
        for score, mean, deviation in zip(SCORES, means, deviations, strict=True):
            row |= {score: float(mean[number]), f"{score}_sd": deviation[number]}
        rows.append(row)
    return rows


def _by_leader(pairs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of the variant that is ahead in all of its pairs before the others, what is nearest to it first."""
    behind = {pair["theirs" if pair["difference"] > 0 else "ours"] for pair in pairs}
    return sorted(pairs, key=lambda pair: (behind >= {pair["ours"], pair["theirs"]}, abs(pair["difference"])))


def _flips(scope: Scope, pairs: Sequence[Mapping[str, Any]]) -> Rows:
    """For each pair compared and each class the test images that only one side got right, means over pairs of seeds."""
    compared = dict.fromkeys(pair[side] for pair in pairs for side in ("ours", "theirs"))
    rates = {label: hits_of(scope.variant(label)).mean(0) for label in compared}
    rows = []
    for pair in pairs:
        one = scope.variant(pair["ours"])
        labels, number = scope.test_labels[one.distinct[0].images], len(one.done[0].best.confusion)
        ours, theirs = rates[pair["ours"]], rates[pair["theirs"]]
        images = np.bincount(labels, minlength=number)
        only_ours = np.bincount(labels, ours * (1 - theirs), minlength=number)
        only_theirs = np.bincount(labels, theirs * (1 - ours), minlength=number)
        rows += [
            _named_pair(scope, pair)
            | {
                "class": name,
                "images": int(images[k]),
                "only_ours_right": float(only_ours[k]),
                "only_theirs_right": float(only_theirs[k]),
            }
            for k, name in enumerate(class_names(scope, number))
        ]
    return rows


def _calibration(scope: Scope, variant: VariantData) -> Rows:
    """Of each bin with images: the mean share over seeds, and of all its images the mean confidence and accuracy."""
    found = [one.calibration for one in variant.distinct if one.calibration]
    if not found:
        return []
    images, sure, right = (
        np.sum([getattr(one, name) for one in found], axis=0) for name in ("images", "sure", "right")
    )
    shares = np.mean([one.images / one.images.sum() for one in found], axis=0)
    return [
        _named(scope, variant)
        | {"n": len(found), "bin": int(k), "low": k / BINS, "high": (k + 1) / BINS, "share": float(shares[k])}
        | {"confidence": float(sure[k] / images[k]), "accuracy": float(right[k] / images[k])}
        for k in np.flatnonzero(images).tolist()
    ]
