"""Everything into one folder: tables, figures, the page, and the numbers for machines."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from db.errors import ConfigError
from db.records import JobState
from db.store import Store
from report.figure_data import Rows, figure_rows
from report.scope import Scope, read_scope
from report.tables import Table, build_tables
from report.text import as_csv, as_latex, as_markdown, as_text

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was written; `text` is the comparison table for a terminal, `json` every number shown."""

    html: Path
    text: str
    json: Mapping[str, Any]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    number: int
    name: str
    title: str
    caption: str
    png: bytes
    rows: Rows


def write_report(store: Store, out: Path, *, submission_id: int | None = None) -> Report:
    """Write report.html, report.md, report.json, tables/ and figures/ into `out`; only reads the store.

    Raises NotFoundError for an empty store, ConfigError when `out` cannot be written.
    """
    scope = read_scope(store, submission_id)
    tables = build_tables(scope)
    try:
        for folder in ("tables", "figures"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        for table in tables:
            _write_table(out / "tables", table)
        figures = _write_figures(out / "figures", scope)
        numbers = as_json(scope, tables, figures)
        (out / "report.json").write_text(json.dumps(numbers, indent=1), encoding="utf-8")
        (out / "report.md").write_text(_markdown(scope, tables, figures), encoding="utf-8")
        html = out / "report.html"
        html.write_text(_page(scope, tables, figures), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write the report to {out}: {error.strerror}", fix="give another --out") from error
    main = comparison(tables)
    return Report(html=html, text=as_text(main), json=numbers, counts=numbers["counts"])


def comparison(tables: Sequence[Table]) -> Table:
    """The table that names most variants: what a reader wants first."""
    results = [table for table in tables if "Test acc. %, best" in table.head and "Chosen" not in table.head]
    return max(results or tables, key=lambda table: len(table.cells))


def as_json(scope: Scope, tables: Sequence[Table], figures: Sequence[Drawn]) -> dict[str, Any]:
    """Every number shown, plain; accuracies are fractions."""
    results = scope.results()
    jobs = [
        {
            "id": job.id,
            "variant": job.label,
            "seed": job.seed,
            "key": job.key,
            "state": str(job.state),
            "cause": str(job.cause) if job.cause else None,
            "result": asdict(results[job.id]) if job.id in results else None,
        }
        for job in scope.jobs()
    ]
    submission = scope.submission
    return {
        "schema": SCHEMA,
        "suite": submission.suite,
        "dataset": submission.dataset,
        "overrides": dict(submission.overrides),
        "submission": submission.id,
        "counts": {str(state): sum(job["state"] == state for job in jobs) for state in JobState},
        "not_submitted": not_submitted(scope),
        "reference": dict(submission.reference),
        "jobs": jobs,
        "tables": {table.name: list(table.values) for table in tables},
        "figures": {figure.name: figure.rows for figure in figures},
    }


def not_submitted(scope: Scope) -> list[str]:
    return [label for label, variant in scope.variants.items() if not variant.jobs]


def _write_table(folder: Path, table: Table) -> None:
    (folder / f"{table.name}.csv").write_text(as_csv(table.values), encoding="utf-8")
    (folder / f"{table.name}.md").write_text(as_markdown(table), encoding="utf-8")
    (folder / f"{table.name}.tex").write_text(as_latex(table), encoding="utf-8")


def _write_figures(folder: Path, scope: Scope) -> list[Drawn]:
    from report.figures import caption, draw
    from report.theme import style

    drawn = []
    for number, wanted in enumerate(scope.submission.layout.get("figures", []), start=1):
        name = f"figure_{number:02d}_{wanted['name']}"
        rows = figure_rows(scope, wanted)
        with style():
            figure = draw(scope, wanted, rows)
            for kind in ("png", "svg"):
                figure.savefig(folder / f"{name}.{kind}", dpi=150, metadata={"Date": None} if kind == "svg" else None)
        (folder / f"{name}.csv").write_text(as_csv(rows), encoding="utf-8")
        drawn.append(
            Drawn(
                number=number,
                name=name,
                title=wanted["title"],
                caption=caption(scope, wanted),
                png=(folder / f"{name}.png").read_bytes(),
                rows=rows,
            )
        )
    return drawn


def _environments(scope: Scope) -> list[dict[str, Any]]:
    """What results were made with, each different environment once."""
    distinct: dict[str, dict[str, Any]] = {}
    for result in scope.results().values():
        distinct.setdefault(json.dumps(result.environment, sort_keys=True), dict(result.environment))
    return list(distinct.values())


def headline(scope: Scope) -> str:
    """What a reader has to know before the first number."""
    seeds = sorted({len(variant.done) for variant in scope.variants.values() if variant.done})
    if not seeds:
        return "No job has a result yet."
    if seeds[-1] == 1:
        return (
            "One seed each: how much another seed would change these numbers is unknown, and a difference smaller "
            "than the intervals means nothing."
        )
    return f"{seeds[0]} to {seeds[-1]} seeds each." if seeds[0] != seeds[-1] else f"{seeds[0]} seeds each."


def subtitle(scope: Scope) -> str:
    """Which data these are, and what was changed from the suite as it is written."""
    changed = {name: value for name, value in scope.submission.overrides.items() if name != "dataset"}
    words = [f"Data: {scope.submission.dataset}"]
    words += [f"{name} = {value} instead of the suite's own" for name, value in changed.items()]
    return "; ".join(words) + "."


def _markdown(scope: Scope, tables: Sequence[Table], figures: Sequence[Drawn]) -> str:
    parts = [f"# {_plain(scope.submission.title)}", "", subtitle(scope), "", headline(scope), ""]
    missing = not_submitted(scope)
    parts += [f"Not submitted: {', '.join(missing)}.", ""] if missing else []
    if scope.dataset:
        parts += ["Classes: " + ", ".join(_plain(name) for name in scope.dataset.classes) + ".", ""]
    for table in tables:
        parts += [f"## {_plain(table.title)}", "", as_markdown(table), ""]
    for figure in figures:
        parts += [f"![{_plain(figure.title)}](figures/{figure.name}.png)", ""]
        parts += [f"Figure {figure.number}: {_plain(figure.title)}. {figure.caption}", ""]
    return "\n".join(parts)


def _plain(text: str) -> str:
    return text.replace("<", "&lt;").replace("\n", " ")


def _page(scope: Scope, tables: Sequence[Table], figures: Sequence[Drawn]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("report"), autoescape=True, undefined=StrictUndefined)
    main = comparison(tables)
    return environment.get_template("report.html.j2").render(
        scope=scope,
        headline=headline(scope),
        subtitle=subtitle(scope),
        tables=[main, *(table for table in tables if table is not main)],
        figures=[(figure, base64.b64encode(figure.png).decode()) for figure in figures],
        missing=not_submitted(scope),
        environments=_environments(scope),
        seeds=sorted({job.seed for job in scope.jobs()}),
    )
