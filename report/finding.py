"""What the tests say, in a sentence: the headline of every report."""

from collections.abc import Sequence

from report.numbers import interval_text, percent
from report.pairs import MARGIN_NAME, Pair, hits_of
from report.text import sentence
from report.variant import VariantData, ranked

_MOST_NAMES = 4
_MOST_PAIRS = 2


def finding(pairs: Sequence[Pair]) -> str:
    """Of the variant with the highest test accuracy, and of those that cannot be told apart; empty without pairs."""
    if not pairs:
        return ""
    variants = {one.label: one for pair in pairs for one in (pair.ours, pair.theirs)}
    best = ranked(variants.values())[0]
    first = [one for one in variants.values() if hits_of(one).mean() == hits_of(best).mean()]
    own = sorted((pair for pair in pairs if _is_of(best, pair)), key=lambda pair: abs(pair.found.value))
    below = [pair for pair in own if _other(best, pair) not in first]
    others = [pair for pair in pairs if not _is_of(best, pair)]
    it = "it" if len(first) == 1 else best.title
    parts = [_leader(best, first, len(variants)), *_beside(best, it, below), *_among(others)]
    if any(not pair.found.seed_noise for pair in own):
        parts.append("where a variant has one seed this holds for that run alone: the noise of seeds is unknown")
    return sentence("; ".join(parts))


def _leader(best: VariantData, first: Sequence[VariantData], number: int) -> str:
    """Of one that is best; of several with the same accuracy all, without an interval, which each has of its own."""
    accuracy = f"{percent(float(hits_of(best).mean()))} %"
    if len(first) > 1:
        names = _listed([one.title for one in first])
        return f"{names} share the highest test accuracy of the {number} variants compared, {accuracy}"
    interval = best.accuracy_interval
    within = f" {interval_text(*interval)}" if interval else ""
    return f"{best.title} has the highest test accuracy of the {number} variants compared, {accuracy}{within}"


def _beside(best: VariantData, it: str, own: Sequence[Pair]) -> list[str]:
    """What it is ahead of, the nearest with its difference; what it equals; what it cannot be told apart from."""
    ahead = [pair for pair in own if pair.ahead is best]
    equal = [pair for pair in own if pair.alike]
    unsure = [pair for pair in own if pair not in ahead and pair not in equal]
    parts = []
    if ahead:
        more = f", and of {_listed(_others(best, ahead[1:]))} by more" if ahead[1:] else ""
        parts.append(f"{it} is ahead of {_other(best, ahead[0]).title} by {_difference(best, ahead[0])}{more}")
    if equal:
        parts.append(f"{it} equals {_listed(_others(best, equal))} within {MARGIN_NAME}")
    if unsure:
        parts.append(f"{it} cannot be told apart from {_listed(_others(best, unsure))}")
    return parts


def _difference(best: VariantData, pair: Pair) -> str:
    low, high = pair.found.interval()
    if pair.ours is not best:
        low, high = -high, -low
    return f"{percent(abs(pair.found.value))} points {interval_text(low, high)}"


def _among(others: Sequence[Pair]) -> list[str]:
    """Of the pairs without the best one those that are equal or cannot be told apart, by name where they are few.

    Of many variants not all pairs are compared, and nothing is said of the rest.
    """
    alike = [pair for pair in others if pair.alike]
    unsure = [pair for pair in others if pair.ahead is None and not pair.alike]
    if others and not alike and not unsure:
        return ["all other pairs that were compared can be told apart"]
    equal = _named(alike, f"are equal within {MARGIN_NAME}", len(others))
    return [*equal, *_named(unsure, "cannot be told apart", len(others))]


def _named(pairs: Sequence[Pair], words: str, number: int) -> list[str]:
    """Each of the pairs, or how many of so many they are."""
    if len(pairs) > _MOST_PAIRS:
        return [f"of the {number} pairs without it {len(pairs)} {words}"]
    return [f"{pair.ours.title} and {pair.theirs.title} {words}" for pair in pairs]


def _is_of(best: VariantData, pair: Pair) -> bool:
    return pair.ours is best or pair.theirs is best


def _other(best: VariantData, pair: Pair) -> VariantData:
    return pair.theirs if pair.ours is best else pair.ours


def _others(best: VariantData, pairs: Sequence[Pair]) -> list[str]:
    return [_other(best, pair).title for pair in pairs]


def _listed(names: Sequence[str]) -> str:
    if len(names) > _MOST_NAMES:
        return f"{len(names)} others"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
