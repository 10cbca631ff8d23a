"""A saved report beside today's store: which variants have become worse, or better, since then."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from db.errors import ConfigError
from report.numbers import NOTHING, chance, interval_text, points
from report.scope import Scope
from report.statistics import RISK, Estimate, Hits, holm, tested
from report.tables import Table
from report.variant import Measured, VariantData, kind_of

_SAME = "the same trainings"
_Key = tuple[str, str]  # a label without the kind that rows of several kinds have behind it, and that kind
_FIX = "name a report.json that `bench report` wrote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Today's accuracy less the saved one; `found` is None where there is nothing to test, for the reason `why`."""

    label: str
    title: str
    n: tuple[int, int]
    found: Estimate | None
    why: str = ""
    p_value: float = 1.0

    @property
    def verdict(self) -> str:
        if self.found is None:
            return self.why
        if self.p_value >= RISK:
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
    now: dict[_Key, VariantData] = {}
    for label, variant in scope.variants.items():
        if variant.hits is not None:
            kind = kind_of(variant.done[0])
            now.setdefault((label.removesuffix(f" ({kind})"), kind), variant)
    found = [_change(key, now.get(key), saved.get(key, [])) for key in _once(now, saved)]
    tested_ones = [one for one in found if one.found]
    if not tested_ones and not any(one.why == _SAME for one in found):
        fix = "train what is compared, on the same data and kind of device"
        raise ConfigError(f"nothing in {path} can be compared with this store", fix=fix)
    adjusted = iter(holm([one.p_value for one in tested_ones]))
    return [replace(one, p_value=next(adjusted)) if one.found else one for one in found]


def _once(now: Mapping[_Key, VariantData], saved: Mapping[_Key, Sequence[Measured]]) -> list[_Key]:
    """Each variant of one kind of device, of those that mean the same jobs the first."""
    first: dict[Any, _Key] = {}
    for key, variant in now.items():
        first.setdefault(variant.job_ids, key)
    told = {frozenset(one.predictions for one in saved.get(key, ())) for key in first.values()}
    for key, measured in saved.items():
        if key not in now and frozenset(one.predictions for one in measured) not in told:
            first.setdefault(frozenset(one.predictions for one in measured), key)
    return list(first.values())


def _change(key: _Key, now: VariantData | None, saved: Sequence[Measured]) -> Change:
    measured = now.distinct if now else []
    label, title = (now.label, now.title) if now else (key[0], key[0])
    change = Change(label=label, title=title, n=(len(measured), len(saved)), found=None)
    if not measured or not saved:
        return replace(change, why="missing" if saved else "new")
    if len({(one.images, len(one.right)) for one in (*measured, *saved)}) > 1:
        return replace(change, why="cannot be compared: other test images")
    if {one.predictions for one in measured} == {one.predictions for one in saved}:
        return replace(change, why=_SAME)
    estimate, p_value = tested(_table(measured), _table(saved))
    return replace(change, found=estimate, p_value=p_value)


def _table(measured: Sequence[Measured]) -> Hits:
    return np.stack([one.right for one in measured])


def _read(path: Path, scope: Scope) -> dict[_Key, list[Measured]]:
    """What each variant of a saved report got right, by label and kind of device, each set of predictions once."""
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is no file", fix=_FIX)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}", fix=_FIX) from error
    try:
        saved = json.loads(text)
        protocol = (saved["suite"], saved["dataset"], dict(saved["overrides"]))
        found: dict[_Key, dict[str, Measured]] = {}
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
