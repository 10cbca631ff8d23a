"""What became of the suite's claims: supported, contradicted, or undecided, with the figures behind it."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from db.records import NewSubmission
from db.statements import Statement, parse_statement
from report.numbers import NOTHING, interval_text, points
from report.pairs import compared, hits_of, noises, same_images, sweep_points
from report.scope import Scope
from report.statistics import POWER, RISK, Estimate, difference, equivalence, holm, seeds_needed
from report.tables import Table
from report.text import sentence
from report.variant import VariantData

NAME = "claims"
_NOTE = (
    "each claim has an error of 5 % of its own; supported: the 95 % interval of the difference lies wholly where the "
    "claim says; for “about” it lies within a half of the amount; for “within” by two one-sided tests; a best one is "
    "better than each other by Holm's tests, against the one that decides; contradicted: it lies elsewhere; seeds "
    f"needed: of each variant, to decide in {100 * POWER:.0f} % of all cases, if the difference is as it looks now, "
    "which is often too large; if seeds are added until a claim is decided, its error is more than 5 %"
)


class Verdict(StrEnum):
    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """`against`: the variant that decided, of a claim of all the one that comes nearest to `ours` or above it.

    `needed` seeds of each would decide an undecided claim in most cases, if the difference is as it looks now.
    """

    statement: Statement
    verdict: Verdict
    why: str
    against: VariantData | None = None
    found: Estimate | None = None
    needed: int | None = None


def judge(scope: Scope) -> list[Judgement]:
    """Each claim by itself: its error of 5 % is its own, and of twenty false claims one may be supported."""
    return [_dated(scope, _judged(scope, parse_statement(text))) for text in scope.submission.claims]


def not_judged(submission: NewSubmission) -> str:
    """A sentence where the suite claims or prints something that does not speak of these data; else empty.

    A submission on other data or with another protocol keeps its suite's text, and none of its claims.
    """
    if submission.claims or submission.reference:
        return ""
    try:
        suite = tomllib.loads(submission.text)
    except tomllib.TOMLDecodeError:
        return ""
    left = [word for word, name in (("claims", "claims"), ("printed values", "reference")) if suite.get(name)]
    if not left:
        return ""
    return sentence(f"{' and '.join(left)} of the suite are those of its own data and protocol, and not judged here")


def _dated(scope: Scope, one: Judgement) -> Judgement:
    """Says so where a claim was written after a result that it speaks of."""
    spoken_of = [scope.variants.get(one.statement.ours), one.against]
    ended = [job.finished_at for variant in spoken_of if variant for job in variant.jobs if job.id in variant.results]
    claimed_at = scope.claimed_at.get(one.statement.text)
    if claimed_at is None or not any(moment and moment < claimed_at for moment in ended):
        return one
    return replace(one, why="; ".join(filter(None, (one.why, "claimed after results were in"))))


def _judged(scope: Scope, statement: Statement) -> Judgement:
    named = [label for label in (statement.ours, statement.theirs) if label]
    without = [label for label in named if label not in scope.variants or scope.variants[label].hits is None]
    if without:
        return Judgement(statement=statement, verdict=Verdict.UNDECIDED, why=_absent(scope, without))
    ours = scope.variants[statement.ours]
    if statement.kind == "best":
        return _of_all(scope, statement, ours)
    theirs = scope.variants[statement.theirs]
    why = _unlike(ours, theirs)
    if why:
        return Judgement(statement=statement, verdict=Verdict.UNDECIDED, why=why)
    return _of_two(statement, ours, theirs)


def _unlike(ours: VariantData, theirs: VariantData) -> str:
    """Why the difference of two would not be that of the variants; empty where it is."""
    if ours.job_ids == theirs.job_ids:
        return "they are the same jobs"
    if not same_images(ours, theirs):
        return "tested on different images"
    devices = sorted({result.device for result in (*ours.done, *theirs.done)})
    return f"trained on different devices: {', '.join(devices)}" if len(devices) > 1 else ""


def _absent(scope: Scope, labels: Sequence[str]) -> str:
    """Why nothing can be said of them: one that has results of several kinds has a row for each, of another name."""
    several = {label for label in labels if any(row.startswith(f"{label} (") for row in scope.variants)}
    return "; ".join(
        f"{label}: results of several kinds of device"
        if label in several
        else f"{label}: {_state(scope.variants[label])}"
        for label in labels
    )


def _state(variant: VariantData) -> str:
    return "no predictions to compare, or of other images or devices" if variant.done else variant.state


def _of_two(statement: Statement, ours: VariantData, theirs: VariantData) -> Judgement:
    found, wanted = difference(hits_of(ours), hits_of(theirs)), statement.amount
    low, high = found.interval()
    distance: float | None = None
    if statement.kind == "equal":
        yes, no = equivalence(found, wanted) < RISK, low > wanted or high < -wanted
    elif statement.kind == "about":
        yes, no = low >= wanted / 2 and high <= 1.5 * wanted, high < wanted / 2 or low > 1.5 * wanted
        distance = max(wanted / 2 - abs(found.value - wanted), 0.0)
    else:
        yes, no = (low >= wanted if wanted else low > 0), high < wanted
        distance = found.value - wanted
    done = _decided(statement, ours, theirs, found, yes=yes, no=no, distance=distance)
    if done.verdict is not Verdict.CONTRADICTED:
        return done
    return replace(done, why="; ".join(filter(None, (_instead(statement, found), done.why))))


def _instead(statement: Statement, found: Estimate) -> str:
    """What holds in the place of a contradicted claim of two, as far as it can be told."""
    low, high = found.interval()
    if statement.kind == "equal":
        return ""
    if high < 0:
        return f"{statement.theirs} is ahead"
    if low > 0:
        return f"{statement.ours} is ahead, by {'less' if high < statement.amount else 'more'}"
    return f"{statement.ours} is not ahead by as much"


def _of_all(scope: Scope, statement: Statement, ours: VariantData) -> Judgement:
    """Better than each, all tests together by Holm; contradicted when one of them is better by the same tests.

    Points of sweeps have no part in it, unless one is named.
    """
    others = [one for one in compared(scope) if not _unlike(ours, one)]
    estimates = [difference(hits_of(ours), hits_of(other)) for other in others]
    sure = [p_value < RISK for p_value in holm([found.p_value() for found in estimates])]
    ranked = sorted(zip(estimates, sure, others, strict=True), key=lambda one: (one[1], one[0].value))
    better = [one for one in ranked if one[0].seed_noise and one[1] and one[0].value < 0]
    open_ones = _open(scope, [ours, *others])
    if not ranked:
        return Judgement(statement=statement, verdict=Verdict.UNDECIDED, why=open_ones or "nothing to compare it with")
    unsure = [one for one in ranked if not (one[0].seed_noise and one[1])]
    found, _, against = (better or unsure or ranked)[0]
    yes = not unsure and not open_ones and all(one.value > 0 for one, _, _ in ranked)
    done = _decided(statement, ours, against, found, yes=yes, no=bool(better), distance=found.value)
    if done.verdict is not Verdict.UNDECIDED or not open_ones:
        return done
    return replace(done, why="; ".join(filter(None, (done.why, open_ones))), needed=None)


def _open(scope: Scope, seen: Sequence[VariantData]) -> str:
    """Names the variants that were not compared."""
    left_out, jobs = sweep_points(scope), {variant.job_ids for variant in seen}
    return "; ".join(
        f"{label}: {_state(one)}"
        for label, one in scope.variants.items()
        if label not in left_out and one.job_ids not in jobs
    )


def _decided(
    statement: Statement,
    ours: VariantData,
    theirs: VariantData,
    found: Estimate,
    *,
    yes: bool,
    no: bool,
    distance: float | None,
) -> Judgement:
    """A single seed decides nothing: what another one would give is unknown. `distance`: to what is to be ruled out."""
    verdict = Verdict.UNDECIDED
    if found.seed_noise and (yes or no):
        verdict = Verdict.SUPPORTED if yes else Verdict.CONTRADICTED
    needed = None
    if verdict is Verdict.UNDECIDED and distance is not None:
        needed = seeds_needed(hits_of(ours), hits_of(theirs), distance)
    reasons = [f"{one.label} has one seed" for one in (ours, theirs) if len(one.distinct) == 1]
    if verdict is Verdict.UNDECIDED and not reasons and distance is not None and needed is None:
        reasons.append("no number of seeds is enough: too few test images")
    reasons += [f"{one.label}: {one.state}" for one in (ours, theirs) if not one.complete]
    why = "; ".join(reasons)
    return Judgement(statement=statement, verdict=verdict, why=why, against=theirs, found=found, needed=needed)


def tally(tables: Sequence[Table]) -> str:
    """How many claims came out how, in a line; empty without claims."""
    claims = next((table.values for table in tables if table.name == NAME), ())
    numbers = {verdict: sum(row["verdict"] == verdict for row in claims) for verdict in Verdict}
    return f"Claims: {', '.join(f'{number} {verdict}' for verdict, number in numbers.items())}." if claims else ""


def claims_table(scope: Scope, judgements: Sequence[Judgement]) -> Table:
    return Table(
        name=NAME,
        title="What the suite claims, and what became of it",
        note="; ".join([_NOTE, *noises(one.found for one in judgements if one.found)]),
        head=("Claim", "Verdict", "Against", "n", "Difference, points", "95 % interval", "Seeds needed", "Why"),
        cells=tuple(_cells(scope, one) for one in judgements),
        values=tuple(_values(scope, one) for one in judgements),
        fields=("claim", "verdict"),
        shown=bool(judgements),
    )


def _cells(scope: Scope, one: Judgement) -> tuple[str, ...]:
    start = (one.statement.text, str(one.verdict))
    if one.found is None or one.against is None:
        return (*start, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, one.why)
    seeds = dict.fromkeys(str(len(v.distinct)) for v in (scope.variants[one.statement.ours], one.against))
    return (
        *start,
        scope.name(one.against.label),
        ", ".join(seeds),
        points(one.found.value),
        interval_text(*one.found.interval()),
        f"{one.needed:,}" if one.needed else NOTHING if one.verdict is Verdict.UNDECIDED else "",
        one.why,
    )


def _values(scope: Scope, one: Judgement) -> dict[str, Any]:
    low, high = one.found.interval() if one.found else (None, None)
    return {
        "claim": one.statement.text,
        "verdict": str(one.verdict),
        "kind": one.statement.kind,
        "n": len(scope.variants[one.statement.ours].distinct) if one.found else None,
        "theirs_n": len(one.against.distinct) if one.against else None,
        "ours": one.statement.ours,
        "theirs": one.against.label if one.against else one.statement.theirs or None,
        "amount": one.statement.amount,
        "difference": one.found.value if one.found else None,
        "difference_low": low,
        "difference_high": high,
        "seeds_needed": one.needed,
        "why": one.why,
    }
