"""Rows of the figures that every report has, of any number of variants, v0 the most accurate; nothing was trained."""

from itertools import combinations

import numpy as np

COSTS = {"parameters": 13, "flops": 17, "train_s": 4}  # logarithms of what is usual


def made_up(kind, number, title, classes=20):
    random = np.random.default_rng(number)
    accuracies = np.sort(random.uniform(0.4, 0.8, number))[::-1].tolist()
    variants = [
        {"variant": f"v{k}", "title": f"{title} {k}", "n": 3 if k % 3 else 1, "test_accuracy": accuracy}
        | {"low": accuracy - 0.04, "high": accuracy + 0.05}
        for k, accuracy in enumerate(accuracies)
    ]
    return _KINDS[kind](variants, random, classes)


def _forest(variants, random, classes):
    printed = [random.uniform(0.4, 0.8) if k % 2 else None for k in range(len(variants))]
    return [row | {"of_sweep": k % 4 == 3, "printed_test_accuracy": printed[k]} for k, row in enumerate(variants)]


def _pairs(variants, random, classes):
    """All pairs; of more than thirty those with the first and with the sixth."""
    found = []
    for one, other in combinations(variants, 2):
        if len(variants) > 30 and not {"v0", "v5"} & {one["variant"], other["variant"]}:
            continue
        apart = one["test_accuracy"] - other["test_accuracy"]
        verdict = f"{one['title']} is ahead" if apart > 0.1 else "cannot be told apart"
        found.append(
            {"ours": one["variant"], "theirs": other["variant"], "difference": apart, "test": "t"}
            | {"ours_title": one["title"], "theirs_title": other["title"], "equal_within": 0.01}
            | {"ahead": one["variant"] if apart > 0.1 else None}
            | {"equal": apart < 0.01}
            | {"verdict": "equal within 1 point" if apart < 0.01 else verdict}
        )
    return found


def _pareto(variants, random, classes):
    rows = [row | {cost: float(random.lognormal(mean)) for cost, mean in COSTS.items()} for row in variants]
    for place, row in enumerate(rows):
        for cost in COSTS:
            cheaper = [one["variant"] for one in rows[:place] if one[cost] <= row[cost]]
            row[f"dominated_{cost}"] = cheaper[0] if cheaper else None
    return rows


def _classes(variants, random, classes):
    return [
        {"variant": row["variant"], "title": row["title"], "n": 3, "images": 0 if k == 2 else 100}
        | {"class": f"{row['title'].split(' ')[0]} class {k}", "recall": float(random.uniform(0, 1))}
        for row in variants
        for k in range(classes)
    ]


def _calibration(variants, random, classes):
    return [
        {"variant": row["variant"], "title": row["title"], "n": 3, "bin": k, "low": k / 15, "high": (k + 1) / 15}
        | {"share": k / 102, "confidence": (k + 0.5) / 15, "accuracy": float(random.uniform(0, 1))}
        for row in variants
        for k in range(3, 15)
    ]


def _flips(variants, random, classes):
    pairs = combinations(variants[:4], 2)
    return [
        {"ours": one["variant"], "ours_title": one["title"], "theirs": other["variant"], "theirs_title": other["title"]}
        | {"class": f"{one['title'].split(' ')[0]} class {k}", "images": 100}
        | {side: float(random.uniform(0, 40)) for side in ("only_ours_right", "only_theirs_right")}
        for one, other in pairs
        for k in range(classes)
    ]


def _rates(variants, random, classes):
    return [
        {"variant": row["variant"], "title": row["title"], "variants": row["variant"], "epoch": epoch, "n": row["n"]}
        | {"learning_rate": 0.01 / (place + 1) / 2**epoch, "learning_rate_sd": 0.001 if place % 2 else None}
        for place, row in enumerate(variants)
        for epoch in range(1, 16)
    ]


_KINDS = {
    "rates": _rates,
    "forest": _forest,
    "pairs": _pairs,
    "pareto": _pareto,
    "classes": _classes,
    "flips": _flips,
    "calibration": _calibration,
}
