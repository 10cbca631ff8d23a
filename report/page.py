"""What the pages say, and the page as Markdown; report/html.py has the one for a browser."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.records import JobState
from report.asides import other_notices, uneven
from report.figure_data import Rows
from report.pace import PACE, STABILITY
from report.pairs import NAME as PAIRS
from report.quality import NAME as QUALITY
from report.scope import Scope
from report.tables import Table
from report.text import as_markdown, plain, sentence
from report.verdicts import NAME as CLAIMS
from report.verdicts import not_judged, tally

_OF_RESULTS = (PAIRS, CLAIMS, QUALITY, PACE, STABILITY)
"""Tables that every report has once there is something to say in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A figure as it was written: `svg` its bytes, `rows` what it plots; `number`: a letter if every report has it."""

    number: str
    kind: str
    name: str
    title: str
    caption: str
    svg: bytes
    rows: Rows
    sweeps: Sequence[str] = ()
    left_out: str = ""  # what the picture does not show, and the page does
    shown: bool = True  # False: nothing was submitted for any of its variants


def comparison(tables: Sequence[Table]) -> Table:
    """The table that names most variants: what a reader wants first. Those of sweeps only where there is no other."""
    tables = [table for table in tables if table.name not in _OF_RESULTS]
    shown = [table for table in tables if table.shown] or tables
    results = [table for table in shown if "Test acc. %, best" in table.head]
    networks = [table for table in results if "Chosen" not in table.head]
    return max(networks or results or shown, key=lambda table: len(table.cells))


def in_order(tables: Sequence[Table]) -> list[Table]:
    """Those with something in them: the comparison first, then its pairs and the claims."""
    main = comparison(tables)
    others = [table for table in tables if table.shown and table is not main]
    return [main, *sorted(others, key=lambda table: table.name not in (PAIRS, CLAIMS))]


def not_shown(tables: Sequence[Table], figures: Sequence[Drawn]) -> str:
    """One line that names the tables and figures left out; empty when all are there."""
    names = [f"table “{table.title}”" for table in tables if not table.shown and table.name not in _OF_RESULTS]
    names += [f"figure {figure.number} “{figure.title}”" for figure in figures if not figure.shown]
    return f"Not shown, nothing was submitted for them: {', '.join(names)}." if names else ""


def headline(scope: Scope) -> str:
    """What a reader has to know before the first number: what is compared, how often, and what an interval means."""
    trained = {tuple(job.id for job in one.jobs): len(one.done) for one in scope.variants.values() if one.done}
    lost = _without_result(scope)
    if not trained:
        return f"No job has a result yet.{lost}"
    least, most = min(trained.values()), max(trained.values())
    seeds = "one seed" if most == 1 else f"{most} seeds" if least == most else f"{least} to {most} seeds"
    number = scope.trained_configs()
    what = f"{number} config{'' if number == 1 else 's'} on {scope.submission.dataset} with {seeds} each"
    alone = "holds the noise of the test images alone, and how much another seed would change these numbers is unknown."
    if most == 1:
        return f"{what}: an interval {alone}{lost}"
    means = "95 of 100 such intervals hold the accuracy that many seeds would have on many such test images"
    return f"{what}: {means}; where n is 1 it {alone}{lost}" if least == 1 else f"{what}: {means}.{lost}"


def _without_result(scope: Scope) -> str:
    """A sentence that names the variants of which every seed failed or was cancelled; empty without one."""
    ended = {JobState.FAILED, JobState.CANCELLED}
    groups = [
        f"{scope.name(one.label)} ({one.state})"
        for one in scope.variants.values()
        if one.jobs and all(job.state in ended for job in one.jobs)
    ]
    return f" Without a result: {', '.join(groups)}." if groups else ""


def subtitle(scope: Scope) -> str:
    """Which data these are, and what was changed from the suite as it is written."""
    changed = {name: value for name, value in scope.submission.overrides.items() if name != "dataset"}
    words = [f"Data: {scope.submission.dataset}"]
    words += [f"{name} = {value} instead of the suite's own" for name, value in changed.items()]
    return "; ".join(words) + "."


def not_submitted(scope: Scope) -> list[str]:
    return [label for label, variant in scope.variants.items() if not variant.jobs]


def made(scope: Scope) -> list[tuple[str, str]]:
    """How these numbers came about, as names and texts."""
    submission = scope.submission
    changed = ", ".join(f"{name} = {value}" for name, value in submission.overrides.items())
    seeds = ", ".join(str(seed) for seed in sorted({job.seed for job in scope.jobs()}))
    decides = "the weights at the start, the order of the images, dropout and augmentation, not the split"
    facts = [
        ("Command", submission.command),
        ("Suite", submission.suite),
        ("Changed from the suite", changed or "nothing"),
        ("Seeds", f"{seeds}; a seed decides {decides}"),
        ("Trained (UTC)", dates(scope)),
        ("Data fingerprint", scope.dataset.fingerprint if scope.dataset else ""),
        ("Printed values", str(submission.reference.get("source", ""))),
    ]
    facts += [(f"Environment {number}", one) for number, one in enumerate(environments(scope), start=1)]
    return [(name, text) for name, text in facts if text]


def dates(scope: Scope) -> str:
    """The first and the last day on which an attempt was begun; empty before the first."""
    days = sorted({one.started_at.date().isoformat() for attempts in scope.attempts.values() for one in attempts})
    return " to ".join(dict.fromkeys((days[0], days[-1]))) if days else ""


def environments(scope: Scope) -> list[str]:
    """What results were made with, each different environment once."""
    distinct: dict[str, str] = {}
    for result in scope.results().values():
        distinct.setdefault(json.dumps(result.environment, sort_keys=True), _environment(result.environment))
    return list(distinct.values())


def _environment(values: Mapping[str, Any]) -> str:
    words = []
    for name, value in values.items():
        if name == "packages":
            words += [f"{package} {version}" for package, version in value.items()]
        elif name == "git" and value:
            words.append(f"git {value['revision'][:12]}{' with local changes' if value['dirty'] else ''}")
        elif name == "trained_on":
            words.append(f"{name} {' and '.join(value)}")
        elif value is not None:
            words.append(f"{name} {value}")
    return ", ".join(words)


def images(scope: Scope) -> str:
    """How many images each part of the data holds; empty before a worker has loaded them."""
    data = scope.dataset
    if data is None:
        return ""
    return f"{sum(data.train_counts)} training, {sum(data.val_counts)} validation, {sum(data.test_counts)} test"


def markdown_page(scope: Scope, tables: Sequence[Table], figures: Sequence[Drawn], finding: str = "") -> str:
    """`finding`: what the tests say, in a sentence."""
    parts = [f"# {plain(scope.submission.title)}", "", plain(subtitle(scope)), "", plain(headline(scope)), ""]
    parts += [line for said in (finding, uneven(scope)) if said for line in (plain(said), "")]
    parts += [tally(tables), ""] if tally(tables) else []
    for warning in scope.warnings:
        parts += [f"**{plain(sentence(warning))}**", ""]
    missing = not_submitted(scope)
    parts += [f"Not submitted: {', '.join(map(plain, missing))}.", ""] if missing else []
    parts += [not_judged(scope.submission), ""] if not_judged(scope.submission) else []
    if scope.dataset:
        parts += ["Classes: " + ", ".join(plain(name) for name in scope.dataset.classes) + ".", ""]
        parts += [f"Images: {images(scope)}.", ""]
        parts += [line for notice in other_notices(scope) for line in (plain(sentence(notice)), "")]
    absent = not_shown(tables, figures)
    parts += [plain(absent), ""] if absent else []
    for table in in_order(tables):
        parts += [f"## {plain(table.title)}", "", as_markdown(table) if table.cells else "None.", ""]
    parts += ["## Figures", ""] if any(one.shown for one in figures) else []
    for figure in (one for one in figures if one.shown):
        parts += [f"![{plain(figure.title)}](figures/{figure.name}.png)", ""]
        told = f"{figure.caption} {figure.left_out}".strip()
        parts += [f"Figure {figure.number}: {plain(figure.title)}. {plain(told)}", ""]
    parts += ["## How these numbers were made", "", *(f"- {name}: {plain(text)}" for name, text in made(scope)), ""]
    return "\n".join(parts)


def facts(scope: Scope, tables: Sequence[Table], figures: Sequence[Drawn]) -> dict[str, Any]:
    """What both pages say in words, by the name that the template knows it by."""
    return {
        "headline": headline(scope),
        "subtitle": subtitle(scope),
        "missing": not_submitted(scope),
        "not_judged": not_judged(scope.submission),
        "claims": tally(tables),
        "not_shown": not_shown(tables, figures),
        "images": images(scope),
        "made": made(scope),
    }
