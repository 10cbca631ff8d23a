"""Which variants are better than which: every pair, tested together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from db.statements import parse_statement
from report.numbers import NOTHING, chance, interval_text, percent, points
from report.scope import Scope
from report.statistics import (
    POWER,
    RISK,
    Estimate,
    Hits,
    equivalence,
    holm,
    seeds_needed,
    tested,
    wins,
)
from report.tables import Table
from report.variant import VariantData, ranked

MARGIN = 0.01  # of accuracy: a smaller difference is taken for none
MARGIN_NAME = "1 point"
NAME = "pairs"
_MOST = 30  # variants of which all pairs are compared; of more those that `compare` names
_Jobs = tuple[int, ...]  # what tells variants apart, whatever their labels
_HEAD = (
    *("Pair", "n", "Difference, points", "95 % interval", "p", "p, adjusted", "Ahead in pairs of seeds, %"),
    *("Only the first right", "Only the second right", "Would have been found, points", "Seeds needed", "Verdict"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """`ours` less `theirs`; `different` and `equal` are p values adjusted for all pairs there are, `of` in number."""

    ours: VariantData
    theirs: VariantData
    found: Estimate
    p_value: float
    different: float
    equal: float
    chance: float | None
    flips: tuple[float, float]
    smallest: float
    needed: int | None
    of: int

    @property
    def single(self) -> bool:
        """Whether both have one seed: McNemar's test, of these two networks."""
        return not self.found.seed_noise and len(self.ours.distinct) == len(self.theirs.distinct) == 1

    @property
    def ahead(self) -> VariantData | None:
        """The better one, where they can be told apart."""
        if self.different >= RISK:
            return None
        return self.ours if self.found.value > 0 else self.theirs

    @property
    def alike(self) -> bool:
        """Whether they are equal within the margin by the adjusted test; never so of a single seed."""
        return self.ahead is None and self.found.seed_noise and self.equal < RISK

    @property
    def verdict(self) -> str:
        if self.ahead is not None:
            if self.single:
                return f"one run: {self.ahead.title} is ahead"
            return f"{self.ahead.title} is ahead{'' if self.found.seed_noise else '; one side has one seed'}"
        if self.alike:
            return f"equal within {MARGIN_NAME}"
        return "cannot be told apart"


def compare(scope: Scope) -> list[Pair]:
    """All pairs of variants with predictions of the same test images, points of sweeps apart.

    Of more than thirty variants those with the first one, which a suite names its baseline, with the one of the
    highest test accuracy or that a claim calls the best, and those that a claim compares. Points of a sweep are chosen
    by validation, and are not compared on the test set.
    """
    chosen = compared(scope)
    both = [pair for pair in combinations(chosen, 2) if same_images(*pair)]
    number = len(both)
    if len(chosen) > _MOST:
        both = _of_interest(scope, both, {chosen[0].job_ids, ranked(chosen)[0].job_ids})
    hits = {variant.label: hits_of(variant) for variant in chosen}
    found = [tested(hits[ours.label], hits[theirs.label]) for ours, theirs in both]
    different = _adjusted([p_value for _, p_value in found], number)
    equal = _adjusted([equivalence(estimate, MARGIN) for estimate, _ in found], number)
    return [
        _pair(pair, [hits[one.label] for one in pair], *of_pair, different=one, equal=other, number=number)
        for pair, of_pair, one, other in zip(both, found, different, equal, strict=True)
    ]


def _of_interest(
    scope: Scope, pairs: Sequence[tuple[VariantData, VariantData]], with_all: set[_Jobs]
) -> list[tuple[VariantData, VariantData]]:
    """Those with one of `with_all` or with one that a claim calls the best, and each that a claim compares."""
    claimed: set[frozenset[_Jobs]] = set()
    for statement in map(parse_statement, scope.submission.claims):
        labels = (label for label in (statement.ours, statement.theirs) if label in scope.variants)
        named = frozenset(scope.variants[label].job_ids for label in labels)
        if statement.kind == "best":
            with_all = with_all | named
        else:
            claimed.add(named)
    jobs = [frozenset(one.job_ids for one in pair) for pair in pairs]
    return [pair for pair, of in zip(pairs, jobs, strict=True) if of & with_all or of in claimed]


def compared(scope: Scope) -> list[VariantData]:
    """Each config once, under its first label."""
    left_out = sweep_points(scope)
    found: dict[tuple[int, ...], VariantData] = {}
    for label, variant in scope.variants.items():
        if label not in left_out and variant.hits is not None:
            found.setdefault(variant.job_ids, variant)
    return list(found.values())


def sweep_points(scope: Scope) -> set[str]:
    sweeps = scope.submission.layout.get("sweeps", {}).values()
    return {point for sweep in sweeps for point in sweep["points"]}


def hits_of(variant: VariantData) -> Hits:
    """Of a variant that is compared."""
    assert variant.hits is not None  # noqa: S101 - others are left out before
    return variant.hits


def same_images(ours: VariantData, theirs: VariantData) -> bool:
    return ours.distinct[0].images == theirs.distinct[0].images


def _adjusted(p_values: Sequence[float], number: int) -> list[float]:
    """For so many tests. Which of them are here may have been chosen by their outcome: then Holm's steps do not hold,
    and each p value counts for all (Bonferroni)."""
    if len(p_values) == number:
        return holm(p_values)
    return [min(1.0, number * p_value) for p_value in p_values]


def _pair(
    pair: tuple[VariantData, VariantData],
    hits: Sequence[Hits],
    found: Estimate,
    p_value: float,
    *,
    different: float,
    equal: float,
    number: int,
) -> Pair:
    """`number`: of all pairs that there are, whose tests together are to have the level of an interval."""
    ours, theirs = hits
    level = 1 - RISK / number
    rates, their_rates = ours.mean(0), theirs.mean(0)
    return Pair(
        ours=pair[0],
        theirs=pair[1],
        found=found,
        p_value=p_value,
        different=different,
        equal=equal,
        chance=wins(ours.mean(1), theirs.mean(1)) if found.seed_noise else None,
        flips=(float((rates * (1 - their_rates)).sum()), float((their_rates * (1 - rates)).sum())),
        smallest=found.smallest_difference(level=level),
        needed=seeds_needed(ours, theirs, found.value, level=level),
        of=number,
    )


def pairs_table(scope: Scope, pairs: Sequence[Pair]) -> Table:
    return Table(
        name=NAME,
        title="Every pair, on the test images, best weights",
        note=_note(pairs),
        head=_HEAD,
        cells=tuple(_cells(pair) for pair in pairs),
        values=tuple(_values(pair) for pair in pairs),
        fields=("ours", "theirs"),
        shown=bool(pairs),
    )


def _note(pairs: Sequence[Pair]) -> str:
    often = f"in {100 * POWER:.0f} % of all cases"
    notes = ["the first less the second; the interval is that of the row alone", *noises(pair.found for pair in pairs)]
    notes += [f"adjusted p values hold for all pairs together ({_adjustment(pairs)}), and the verdict goes by them"]
    if any(pair.single for pair in pairs):
        notes.append("one seed each: McNemar's exact test of these two runs; what another seed would give is unknown")
    if any(pair.found.seed_noise for pair in pairs):
        told = f"until the difference shown is told apart {often}; – where none is enough"
        notes.append(f"seeds needed: of each, where it is not told apart yet, {told}")
    found = (
        f"the smallest difference that is told apart {often}, among so many pairs; – where that is more than there is"
    )
    notes.append(f"would have been found: {found}")
    notes.append("only one right: test images, the mean over pairs of seeds")
    if any(pair.alike for pair in pairs):
        notes.append(f"equal: less than {percent(MARGIN)} points apart by two one-sided tests")
    return "; ".join(notes)


def noises(differences: Iterable[Estimate]) -> list[str]:
    """Which noise the intervals of these differences hold."""
    kinds = {(found.seed_noise, found.some_seeds) for found in differences}
    notes = []
    if any(seeds for seeds, _ in kinds):
        notes.append("several seeds each: the interval and Student's t hold the noise of seeds and of test images")
    if (False, True) in kinds:
        notes.append(
            "one side with one seed: its noise is unknown, and the interval holds that of the other side's seeds and "
            "of the test images"
        )
    if (False, False) in kinds:
        notes.append("one seed each: the interval holds the noise of the test images alone")
    return notes


def _adjustment(pairs: Sequence[Pair]) -> str:
    """Where pairs were left out Holm's steps do not hold."""
    if all(pair.of == len(pairs) for pair in pairs):
        return "Holm"
    return f"Bonferroni: each counts for all {pairs[0].of:,} pairs, of which {len(pairs):,} are shown"


def _cells(pair: Pair) -> tuple[str, ...]:
    seeds = [len(one.distinct) for one in (pair.ours, pair.theirs)]
    return (
        f"{pair.ours.title} − {pair.theirs.title}",
        str(seeds[0]) if seeds[0] == seeds[1] else f"{seeds[0]}, {seeds[1]}",
        points(pair.found.value),
        interval_text(*pair.found.interval()),
        chance(pair.p_value),
        chance(pair.different),
        NOTHING if pair.chance is None else f"{100 * pair.chance:.0f}",
        f"{pair.flips[0]:,.0f}",
        f"{pair.flips[1]:,.0f}",
        percent(pair.smallest) if pair.smallest < 1 else NOTHING,
        "" if pair.ahead else NOTHING if pair.needed is None else f"{pair.needed:,}",
        pair.verdict,
    )


def _values(pair: Pair) -> dict[str, Any]:
    low, high = pair.found.interval()
    return {
        "ours": pair.ours.label,
        "theirs": pair.theirs.label,
        "ours_n": len(pair.ours.distinct),
        "theirs_n": len(pair.theirs.distinct),
        "difference": pair.found.value,
        "difference_low": low,
        "difference_high": high,
        "seed_noise": pair.found.seed_noise,
        "test": "mcnemar" if pair.single else "t",
        "p": pair.p_value,
        "p_holm": pair.different,
        "p_equal_holm": pair.equal,
        "equal_within": MARGIN,
        "equal": pair.alike,
        "ahead_in_pairs_of_seeds": pair.chance,
        "only_ours_right": pair.flips[0],
        "only_theirs_right": pair.flips[1],
        "would_have_been_found": pair.smallest,
        "seeds_needed": pair.needed,
        "ahead": pair.ahead.label if pair.ahead else None,
        "verdict": pair.verdict,
    }
