"""report.html: one file that opens from a disk without a network, with its own style, script and numbers inside.

The script (report/web/*.js) draws the figures from the rows that their CSV files hold; without a script the same
figures are there as pictures. A policy in the page lets nothing run but that script, and nothing be fetched.
"""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from report.asides import other_notices, uneven
from report.characters import visible
from report.checklist import DATA, MADE, WORDS, checklist
from report.figure_data import Rows
from report.glossary import GLOSSARY, term_of
from report.pace import PACE, STABILITY
from report.page import Drawn, comparison, facts, in_order
from report.pairs import NAME as PAIRS
from report.quality import NAME as QUALITY
from report.repeat import repeat
from report.scope import Scope
from report.tables import FAILURES, Table
from report.text import sentence, sides
from report.theme import DARK, LIGHT, colour_places
from report.verdicts import NAME as CLAIMS

DRAWN_HERE = frozenset(
    {
        *("history", "histories", "metrics", "accuracy", "tuning", "complexity", "class_distribution", "confusion"),
        *("forest", "pairs", "pareto", "classes", "flips", "calibration", "rates"),
    }
)
"""The kinds of figures that the page's script draws; the others are pictures."""

_SCRIPTS = ("draw", "bars", "charts", "matrices", "kinds", "figure", "tables", "page")
_SECTIONS = {
    "results": ("Results", "Results"),
    "pairs": ("Pairs", "Which pairs can be told apart"),
    "claims": ("Claims", "What was claimed, and what was printed"),
    "cost": ("Cost", "What it costs"),
    "training": ("Training", "How training went"),
    "tuning": ("Tuning", "Tuning"),
    "classes": ("Classes", "Classes and calibration"),
    "figures": ("Figures", "Figures of the suite"),
    "failures": ("Failures", "Attempts that failed"),
    "data": ("Data", "Data"),
    "made": ("Made", "How these numbers were made"),
    "checklist": ("Checklist", "Checklists for papers, answered from the store"),
    "glossary": ("Glossary", "What the words mean"),
}
"""By id, in the order of reading: a name for the list of sections, and the title."""

_OF_TABLES = {PAIRS: "pairs", CLAIMS: "claims", "printed_values": "claims", "cost": "cost", PACE: "cost"}
_OF_TABLES |= {STABILITY: "training", QUALITY: "classes", FAILURES: "failures"}
_ALWAYS = ("data", "made", "checklist", "glossary")
_OF_FIGURES = {"forest": "results", "pairs": "pairs", "pareto": "cost", "classes": "classes", "flips": "classes"}
_OF_FIGURES |= {"calibration": "classes", "histories": "training", "rates": "training"}
"""Of those that every report has; the suite's keep their numbers and stay together."""

_DIGITS = 8  # significant ones, of the numbers that are drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page: its figures, then its tables; the results begin with their first table."""

    id: str
    short: str
    title: str
    tables: list[tuple[Table, list[str]]] = field(default_factory=list)
    figures: list[Drawn] = field(default_factory=list)


def html_page(scope: Scope, tables: Sequence[Table], figures: Sequence[Drawn], finding: str = "") -> str:
    """`finding`: what the tests say, in a sentence."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    script = _script()
    environment = Environment(loader=PackageLoader("report"), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    return environment.get_template("report.html.j2").render(
        **facts(scope, tables, figures),
        scope=scope,
        finding=finding,
        uneven=uneven(scope),
        notices=other_notices(scope),
        sections=sections(scope, tables, figures),
        checklist=checklist(scope, tables),
        places=_places(tables),
        glossary=GLOSSARY,
        term_of=term_of,
        meanings={entry.term: entry.meaning for entry in GLOSSARY},
        repeat=repeat(scope),
        sentence=sentence,
        encoded=lambda picture: base64.b64encode(picture).decode(),
        drawn_here=DRAWN_HERE,
        policy=_policy(script),
        css=Markup(_file("report.css")),  # noqa: S704  # bench's own, as are the next four
        plots_css=Markup(_file("plots.css")),  # noqa: S704
        script=Markup(script),  # noqa: S704
        colours={"light": Markup(_rules(LIGHT)), "dark": Markup(_rules(DARK))},  # noqa: S704
        numbers=Markup(_in_script(_numbers(scope, figures))),  # noqa: S704  # every < in it is escaped
    )


def sections(scope: Scope, tables: Sequence[Table], figures: Sequence[Drawn]) -> list[Section]:
    """Those with something in them, in the order of reading; the comparison is the first table of all."""
    found = {name: Section(id=name, short=short, title=title) for name, (short, title) in _SECTIONS.items()}
    kinds = {one["name"]: one["kind"] for one in scope.submission.layout.get("tables", [])}
    main = comparison(tables)
    for table in in_order(tables):
        of_kind = kinds.get(table.name, "")
        named = "results" if table is main else _OF_TABLES.get(table.name, of_kind)
        found[named if named in found else "results"].tables.append((table, sides(table, "l", "r")))
    for figure in figures:
        if figure.shown:
            found["figures" if figure.number.isdigit() else _OF_FIGURES[figure.kind]].figures.append(figure)
    return [one for one in found.values() if one.tables or one.figures or one.id in _ALWAYS]


def _places(tables: Sequence[Table]) -> dict[str, tuple[str, str]]:
    """Where a checklist may point to: the anchor and the title, by what it calls the place."""
    shown = {table.name: (f"table_{table.name}", table.title) for table in tables if table.shown}
    return shown | {name: (name, _SECTIONS[name][1]) for name in (DATA, MADE, WORDS)}


def _script() -> str:
    parts = "\n".join(_file(f"{name}.js") for name in _SCRIPTS)
    return f'\n"use strict";\n(() => {{\n{parts}}})();\n'


def _file(name: str) -> str:
    return files("report").joinpath("web", name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _rules(colours: Mapping[str, str]) -> str:
    return " ".join(f"{name}: {value};" for name, value in colours.items())


def _numbers(scope: Scope, figures: Sequence[Drawn]) -> dict[str, Any]:
    """What the script draws."""
    places = colour_places(scope.submission.variants)
    return {
        "colours": {"light": [*LIGHT.items()]},
        "variants": {
            label: {
                "title": scope.name(label),
                "colour": places[label],
                "accuracy": _accuracy(scope, label),
                **({"drawn": drawn} if (drawn := scope.drawn(label)) else {}),
            }
            for label in scope.variants
        },
        "figures": [_figure(scope, one) for one in figures if one.shown and one.kind in DRAWN_HERE],
    }


def _accuracy(scope: Scope, label: str) -> float | None:
    return scope.variant(label).accuracy


def _figure(scope: Scope, one: Drawn) -> dict[str, Any]:
    fields = list(dict.fromkeys(name for row in one.rows for name in row))
    sweeps = scope.submission.layout.get("sweeps", {})
    return {
        "id": one.name,
        "kind": one.kind,
        "title": one.title,
        "sweeps": [{"name": name, "title": sweeps[name]["title"]} for name in one.sweeps],
        "fields": fields,
        "rows": _packed(one.rows, fields),
    }


def _packed(rows: Rows, fields: Sequence[str]) -> list[list[Any]]:
    return [[_rounded(row.get(name)) for name in fields] for row in rows]


def _rounded(value: Any) -> Any:
    """A number that is none, of a result of older code, is not known: JSON has no word for it."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def _in_script(values: Any) -> str:
    """JSON that no text in it can end: the page's own escapes are not read inside of a script."""
    text = json.dumps(_shown(values), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _shown(values: Any) -> Any:
    """With every text fit to be shown."""
    if isinstance(values, str):
        return visible(values)
    if isinstance(values, Mapping):
        return {visible(name): _shown(value) for name, value in values.items()}
    return [_shown(value) for value in values] if isinstance(values, list) else values
