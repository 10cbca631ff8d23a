"""A saved report beside today's store: which variants have become worse, or better, since then."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from db.errors import ConfigError
from report.pairs import chance
from report.scope import Measured, Scope, kind_of
from report.statistics import LEVEL, Estimate, Hits, holm, tested
from report.tables import NOTHING, Table, interval_text, points

_RISK = 1 - LEVEL
_FIX = "name a report.json that `bench report` wrote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Today's accuracy less the saved one; `found` is None where only one of them has the variant, or other images."""

    label: str
    title: str
    n: tuple[int, int]
    found: Estimate | None
    p_value: float = 1.0

    @property
    def verdict(self) -> str:
        if self.found is None:
            return "missing" if not self.n[0] else "new" if not self.n[1] else "cannot be compared"
        if self.p_value >= _RISK:
            return "no difference was found"
        word = "worse" if self.found.value < 0 else "better"
        return word if self.found.seed_noise else f"{word} in one run"


def packed(one: Measured) -> dict[str, Any]:
    """For report.json: which images were got right, a bit for each, the first one highest, in base64."""
    bits = base64.b64encode(np.packbits(one.right).tobytes()).decode()
    return {"images": len(one.right), "of": one.images, "predictions": one.predictions, "right": bits}


def changes(scope: Scope, path: Path) -> list[Change]:
    """Of each variant of the scope or of the saved report, of the same jobs under several labels once.

    Images are pairs, seeds are not, as between two variants. Raises ConfigError for a file that is no report, for one
    of another suite, data or protocol, and when nothing in it can be compared.
    """
    saved = _read(path, scope)
    now = {
        (label, kind_of(variant.done[0])): variant
        for label, variant in scope.variants.items()
        if variant.hits is not None
    }
    estimates, p_values = {}, {}
    seen = set()
    for key, variant in now.items():
        ours, theirs = variant.distinct, saved.get(_plain(key), [])
        if variant.job_ids not in seen and ours and theirs and len({one.images for one in (*ours, *theirs)}) == 1:
            seen.add(variant.job_ids)
            estimates[key[0]], p_values[key[0]] = tested(_table(ours), _table(theirs))
    if not estimates:
        fix = "train what is compared, on the same data and kind of device"
        raise ConfigError(f"nothing in {path} can be compared with this store", fix=fix)
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    numbers = {_plain(key)[0]: len(of) for key, of in saved.items()}
    labels = [label for label, of in scope.variants.items() if of.job_ids not in seen or label in estimates]
    labels = [label for label in labels if scope.variants[label].done or label in numbers]
    labels += [label for label in numbers if label not in scope.variants]
    return [
        Change(
            label=label,
            title=scope.name(label) if label in scope.variants else label,
            n=(len(scope.variants[label].distinct) if label in scope.variants else 0, numbers.get(label, 0)),
            found=estimates.get(label),
            p_value=adjusted.get(label, 1.0),
        )
        for label in labels
    ]


def _plain(key: tuple[str, str]) -> tuple[str, str]:
    """A label without the kind that rows of several kinds have behind it."""
    label, kind = key
    return label.removesuffix(f" ({kind})"), kind


def _table(measured: Sequence[Measured]) -> Hits:
    return np.stack([one.right for one in measured])


def _read(path: Path, scope: Scope) -> dict[tuple[str, str], list[Measured]]:
    """What each variant of a saved report got right, by label and kind of device, each set of predictions once."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}", fix=_FIX) from error
    try:
        saved = json.loads(text)
        protocol = (saved["suite"], saved["dataset"], dict(saved["overrides"]))
        found: dict[tuple[str, str], dict[str, Measured]] = {}
        for job in saved["jobs"]:
            if job["hits"]:
                one = _unpacked(job["hits"])
                kind = f"{job['result']['device']} {job['result']['precision']}"
                for label in job["labels"]:
                    found.setdefault((str(label).removesuffix(f" ({kind})"), kind), {})[one.predictions] = one
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{path} is no saved report, or one of a version without hits", fix=_FIX) from error
    own = (scope.submission.suite, scope.submission.dataset, dict(scope.submission.overrides))
    if protocol != own:
        what = f"{path} is of suite {protocol[0]} on {protocol[1]} with {protocol[2] or 'nothing changed'}"
        fix = "name a report of the same suite, data and protocol, or another --submission"
        raise ConfigError(f"{what}, this is {own[0]} on {own[1]} with {own[2] or 'nothing changed'}", fix=fix)
    return {key: [*of.values()] for key, of in found.items()}


def _unpacked(hits: Mapping[str, Any]) -> Measured:
    bits = np.frombuffer(base64.b64decode(hits["right"], validate=True), dtype=np.uint8)
    number = hits["images"]
    if type(number) is not int or not 1 < number <= 8 * len(bits) < number + 8:
        raise ValueError("images and bits do not agree")
    right = np.unpackbits(bits, count=number).astype(bool)
    return Measured(right=right, images=str(hits["of"]), predictions=str(hits["predictions"]))


def changes_table(found: Sequence[Change]) -> Table:
    return Table(
        name="changes",
        title="Since the saved report",
        note=(
            "today's test accuracy of the best weights less the saved one; the interval and the test hold the noise "
            "of seeds, where a side has several, and of test images; with one seed on a side only “in one run” can be "
            "said; p values by Holm hold for all rows together"
        ),
        head=("Variant", "n, now", "n, saved", "Difference, points", "95 % interval", "p, adjusted", "Verdict"),
        cells=tuple(_cells(one) for one in found),
        values=tuple(_values(one) for one in found),
    )


def _cells(one: Change) -> tuple[str, ...]:
    numbers = (NOTHING, NOTHING, NOTHING)
    if one.found is not None:
        numbers = (points(one.found.value), interval_text(*one.found.interval()), chance(one.p_value))
    return (one.title, str(one.n[0]), str(one.n[1]), *numbers, one.verdict)


def _values(one: Change) -> dict[str, Any]:
    low, high = one.found.interval() if one.found else (None, None)
    return {
        "variant": one.label,
        "n": one.n[0],
        "n_saved": one.n[1],
        "difference": one.found.value if one.found else None,
        "difference_low": low,
        "difference_high": high,
        "p_holm": one.p_value if one.found else None,
        "verdict": one.verdict,
    }
