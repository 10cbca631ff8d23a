"""Everything into one folder: tables, figures, the page, and the numbers for machines."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from db.errors import ConfigError
from db.records import JobState, Result, Scores
from db.store import Store
from report import pareto, rates
from report.asides import chosen, uneven
from report.characters import visible
from report.checklist import checklist
from report.cost import cost_table
from report.earlier import packed
from report.figure_data import FIELDS, PICTURES, Rows, figure_rows
from report.finding import finding
from report.folder import Files
from report.html import html_page
from report.latex import as_latex
from report.pace import pace_table, stability_table
from report.page import Drawn, comparison, markdown_page, not_submitted
from report.pairs import NAME as PAIRS
from report.pairs import Pair, compare, pairs_table
from report.paper import paper
from report.printed import printed_tables
from report.quality import quality_table
from report.scope import Scope, Whole, read_scope
from report.standard_rows import FIELDS as STANDARD_FIELDS
from report.standard_rows import standard_rows
from report.tables import FAILURES, Table, build_tables
from report.text import as_csv, as_markdown, as_text
from report.verdicts import claims_table, judge, tally

SCHEMA = 1
_WRITTEN = {"tables": ("csv", "md", "tex"), "figures": ("png", "svg", "csv")}
_PAPER = "report.tex"
_NAME = re.compile(r"[\w.=-]+")  # no way out of the folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was written; `text` is the comparison table for a terminal, `json` every number shown."""

    html: Path
    tex: Path | None  # where it was asked for
    text: str
    json: Mapping[str, Any]
    counts: Mapping[str, int]


def write_report(
    store: Store,
    out: Path,
    *,
    submission_id: int | None = None,
    latex: bool = False,
    targets: Sequence[float] = (),
    whole: Whole = dict,
) -> Report:
    """Write report.html, report.md, report.json, tables/ and figures/ into `out`; only reads the store.

    With `latex` also report.tex, and the figures as PDF. `targets`: more validation accuracies, as fractions, for the
    table of the time to a given accuracy. `whole` fills in what stored configs leave out. Raises NotFoundError for an
    empty store, ConfigError when `out` cannot be written.
    """
    scope = read_scope(store, submission_id, whole=whole)
    pairs = compare(scope)
    tables = every_table(scope, pairs, targets)
    of_pairs = next(table for table in tables if table.name == PAIRS)
    standard = standard_rows(scope, of_pairs.values) | {"pareto": pareto.rows(scope)}
    standard |= {"rates": moved} if (moved := rates.rows(scope)) else {}
    said, files = finding(pairs), Files()
    for table in tables:
        _add_table(files, table)
    figures = _add_figures(files, scope, pdf=latex) + _add_standard(files, scope, standard, pdf=latex)
    numbers = as_json(scope, tables, figures) | {"finding": said, "latex": latex}
    files.text("report.md", markdown_page(scope, tables, figures, said))
    if latex:
        files.text(_PAPER, paper(scope, tables, figures, pairs, said))
    files.text("report.html", html_page(scope, tables, figures, said))
    files.text("report.json", json_text(numbers))
    _put(files, out, _earlier(out) - _files(numbers))
    beside = "\n".join(filter(None, (uneven(scope), *chosen(scope))))
    text = visible(_for_terminal(comparison(tables), tables, said, beside))
    tex = out / _PAPER if latex else None
    return Report(html=out / "report.html", tex=tex, text=text, json=numbers, counts=numbers["counts"])


def _put(files: Files, out: Path, gone: set[str]) -> None:
    """`gone`: files of an earlier report that this one has no more."""
    try:
        files.put(out)
        for name in gone:
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        where = error.filename or out
        raise ConfigError(f"cannot write the report: {where}: {error.strerror}", fix="give another --out") from error


def every_table(scope: Scope, pairs: Sequence[Pair], targets: Sequence[float] = ()) -> list[Table]:
    """Those that the suite asks for, then what every report has."""
    *asked_for, failures = build_tables(scope)
    costs = [cost_table(scope), pace_table(scope, targets), stability_table(scope)]
    judged = [pairs_table(scope, pairs), claims_table(scope, judge(scope)), quality_table(scope)]
    return [*asked_for, *printed_tables(scope), *costs, failures, *judged]


def _earlier(out: Path) -> set[str]:
    """What an earlier report wrote into this folder, by the names that it recorded.

    Nothing else is touched: `out` may be a folder with tables and figures of its owner's.
    """
    try:
        return _files(json.loads((out / "report.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def _files(numbers: Mapping[str, Any]) -> set[str]:
    """Those of tables, figures and for papers that a report of these numbers writes."""
    names = [(folder, name) for folder in _WRITTEN for name in numbers[folder]]
    kept = [(folder, name) for folder, name in names if isinstance(name, str) and _NAME.fullmatch(name)]
    files = {f"{folder}/{name}.{ending}" for folder, name in kept for ending in _WRITTEN[folder]}
    if "latex" in numbers and numbers["latex"] is True:
        files |= {_PAPER, *(f"{folder}/{name}.pdf" for folder, name in kept if folder == "figures")}
    return files


def _for_terminal(main: Table, tables: Sequence[Table], finding: str, beside: str) -> str:
    """The comparison, what its tests say, what belongs beside that, and every attempt that failed, with its words."""
    failures = next(table for table in tables if table.name == FAILURES)
    parts = [as_text(main), finding, beside, tally(tables)]
    text = "\n\n".join(filter(None, parts))
    return f"{text}\n\n{failures.title}:\n{as_text(failures)}" if failures.cells else text


def json_text(value: Any, depth: int = 3) -> str:
    """JSON with a line for each entry down to that depth: a job's fields, a table's rows.

    `json.dumps` with an indent does it in Python, number by number, which takes seconds of many results.
    """
    if not (depth and value and isinstance(value, dict | list)):
        return json.dumps(value)
    if isinstance(value, dict):
        lines = [f"{json.dumps(name)}: {json_text(one, depth - 1)}" for name, one in value.items()]
        return "{\n" + ",\n".join(lines) + "\n}"
    return "[\n" + ",\n".join(json_text(one, depth - 1) for one in value) + "\n]"


def as_json(scope: Scope, tables: Sequence[Table], figures: Sequence[Drawn]) -> dict[str, Any]:
    """Every number shown, plain; accuracies are fractions."""
    results = scope.results()
    hits = {job_id: packed(one) for variant in scope.variants.values() for job_id, one in variant.measured.items()}
    labels: dict[int, list[str]] = {}
    for label, variant in scope.variants.items():
        for job in variant.jobs:
            labels.setdefault(job.id, []).append(label)
    jobs = [
        {
            "id": job.id,
            "variant": labels[job.id][0],
            "labels": labels[job.id],
            "seed": job.seed,
            "key": job.key,
            "state": str(job.state),
            "cause": str(job.cause) if job.cause else None,
            "result": _result(results[job.id]) if job.id in results else None,
            "hits": hits.get(job.id),
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
        "warnings": list(scope.warnings),
        "notices": list(scope.dataset.notices) if scope.dataset else [],
        "reference": dict(submission.reference),
        "jobs": jobs,
        "tables": {table.name: list(table.values) for table in tables},
        "figures": {figure.name: figure.rows for figure in figures},
        "checklist": [asdict(item) for item in checklist(scope, tables)],
    }


def _result(result: Result) -> dict[str, Any]:
    """Not by `asdict`, which copies every count of the confusion matrices."""
    return _fields(result) | {"best": _fields(result.best), "last": _fields(result.last)}


def _fields(record: Result | Scores) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _add_table(files: Files, table: Table) -> None:
    files.text(f"tables/{table.name}.csv", as_csv(table.values, table.fields))
    files.text(f"tables/{table.name}.md", as_markdown(table))
    files.text(f"tables/{table.name}.tex", as_latex(table))


def _add_figures(files: Files, scope: Scope, *, pdf: bool) -> list[Drawn]:
    """Those that the suite asks for, with their numbers."""
    from report.canvas import pictures
    from report.captions import caption, shown_variants
    from report.figures import draw
    from report.theme import style

    drawn = []
    for number, wanted in enumerate(scope.submission.layout.get("figures", []), start=1):
        name = f"figure_{number:02d}_{wanted['name']}"
        rows, labels = figure_rows(scope, wanted), shown_variants(scope, wanted)
        with style():
            drawn_as = pictures(draw(scope, wanted, rows), pdf=pdf)
        files.pictures(f"figures/{name}", drawn_as)
        if wanted["kind"] not in PICTURES:
            files.text(f"figures/{name}.csv", as_csv(rows, FIELDS.get(wanted["kind"], ())))
        drawn.append(
            Drawn(
                number=str(number),
                kind=wanted["kind"],
                name=name,
                title=wanted["title"],
                caption=caption(scope, wanted),
                svg=drawn_as["svg"],
                rows=rows,
                sweeps=wanted["sweeps"],
                shown=not labels or any(scope.variant(label).jobs for label in labels),
            )
        )
    return drawn


def _add_standard(files: Files, scope: Scope, found: Mapping[str, Rows], *, pdf: bool) -> list[Drawn]:
    """Those that every report has, with their letters."""
    from report.canvas import pictures
    from report.standard_captions import TITLES, left_out, standard_caption
    from report.standard_figures import standard_figure
    from report.theme import style

    drawn = []
    for letter, (kind, title) in zip(ascii_uppercase, TITLES.items(), strict=False):
        if kind not in found:
            continue
        name, rows = f"figure_{letter}_{kind}", found[kind]
        with style():
            drawn_as = pictures(standard_figure(scope, kind, rows), pdf=pdf)
        files.pictures(f"figures/{name}", drawn_as)
        files.text(f"figures/{name}.csv", as_csv(rows, STANDARD_FIELDS[kind]))
        drawn.append(
            Drawn(
                number=letter,
                kind=kind,
                name=name,
                title=title,
                caption=standard_caption(scope, kind, rows),
                left_out=left_out(kind, rows),
                svg=drawn_as["svg"],
                rows=rows,
            )
        )
    return drawn
