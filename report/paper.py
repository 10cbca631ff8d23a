"""report.tex: the report as a document for pdfLaTeX, with figures as PDF beside it."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from operator import itemgetter

from report.latex import MARK, Tex, tex
from report.page import Drawn, headline, in_order, made, subtitle
from report.pairs import Pair
from report.scope import Scope
from report.tables import Table
from report.text import sentence, sides

# (landscape, size, points of its font, inches of the lines, columns as narrow as their words), what reads best first
_LADDER = (
    *((False, "small", 9, 6.85, False), (False, "footnotesize", 8, 6.85, False)),
    *((False, "scriptsize", 7, 6.85, False), (False, "scriptsize", 7, 6.85, True)),
    *((True, "footnotesize", 8, 10.27, False), (True, "scriptsize", 7, 10.27, True), (True, "tiny", 5, 10.27, True)),
)
_POINTS = 72.27  # TeX's, in an inch
_GAP = 6  # points between two columns: twice \tabcolsep
_SLACK = 1.04  # bold is wider, and widths are estimates
_NARROW = 8.0  # em, of a column of words; longer words may be broken
_LONGEST = 1000  # characters of a cell; a row does not go on over pages, as failures' messages might
_HEIGHT = {False: 8.5, True: 5.0}  # inches of a page that rows may take; a higher table goes on over pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Rows of a table's `column` to be bold or underlined, and a note that says what that means."""

    column: int = 0
    bold: frozenset[int] = frozenset()
    underlined: frozenset[int] = frozenset()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """A table as it stands on the page; all but `landscape` and `long` is LaTeX or is escaped when it is written."""

    title: str
    label: Tex
    note: str
    columns: Tex
    head: Tex
    rows: Sequence[Tex]
    size: Tex
    landscape: bool
    long: bool


def paper(scope: Scope, tables: Sequence[Table], figures: Sequence[Drawn], pairs: Sequence[Pair], finding: str) -> str:
    """The document; whatever is not Tex is escaped where the template names it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701  # its escapes are HTML's; `finalize` has LaTeX's
        loader=PackageLoader("report"),
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Tex) else broken(str(value)),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = [laid_out(table, marks(scope, table, pairs)) for table in in_order(tables)]
    render = partial(
        environment.get_template("report.tex.j2").render,
        title=scope.submission.title,
        subtitle=subtitle(scope),
        headline=headline(scope),
        finding=finding,
        warnings=[sentence(warning) for warning in scope.warnings],
        tables=shown,
        labels={table.label for table in shown if table.rows},
        figures=[(figure, _name(figure.name)) for figure in figures if figure.shown],
        facts=[*made(scope), *_data(scope)],
        sentence=sentence,
    )
    text = render(mark="")
    return render(mark=MARK) if MARK in text else text


def _data(scope: Scope) -> list[tuple[str, str]]:
    if scope.dataset is None:
        return []
    return [("Classes", ", ".join(scope.dataset.classes)), *(("Notice", notice) for notice in scope.dataset.notices)]


def marks(scope: Scope, table: Table, pairs: Sequence[Pair]) -> Marks:
    """Of a table of results: bold the best value, underlined every variant that the tests do not tell apart from it.

    A table of a sweep has its best validation accuracy in bold: its points are not tested on the test set.
    """
    validation = "Chosen" in table.head
    head, key = ("Val. acc. %", "val_accuracy") if validation else ("Test acc. %, best", "test_accuracy")
    values = {row: one.get(f"best_{key}") for row, one in enumerate(table.values)} if head in table.head else {}
    known = {row: value for row, value in values.items() if value is not None}
    jobs = {row: scope.variant(table.values[row]["variant"]).job_ids for row in known}
    if len({*jobs.values()}) < 2:  # nothing to be better than
        return Marks()
    best = max(known, key=lambda row: known[row])
    bold = frozenset(row for row in known if known[row] == known[best])
    what = f"bold: the highest {'validation' if validation else 'test'} accuracy"
    if validation:
        return Marks(column=table.head.index(head), bold=bold, note=what)
    own = {_other(pair, jobs[best]): pair for pair in pairs if jobs[best] in (pair.ours.job_ids, pair.theirs.job_ids)}
    alike = frozenset(row for row in known if jobs[row] in own and own[jobs[row]].ahead is None)
    untested = [table.cells[row][0] for row in known if jobs[row] != jobs[best] and jobs[row] not in own]
    note = "; ".join([what, *_told(list(own.values()), alike=bool(alike), untested=untested)])
    return Marks(column=table.head.index(head), bold=bold, underlined=alike, note=note)


def _other(pair: Pair, jobs: tuple[int, ...]) -> tuple[int, ...]:
    return pair.theirs.job_ids if pair.ours.job_ids == jobs else pair.ours.job_ids


def _told(own: Sequence[Pair], *, alike: bool, untested: Sequence[str]) -> list[str]:
    """What the tests against the best one say of the others, and of which runs it holds."""
    notes = []
    if own and alike:
        notes.append("underlined: not told apart from it by the tests (5 %, adjusted for all pairs)")
    elif own:
        notes.append("the tests (5 %, adjusted for all pairs) tell it apart from every other one tested")
    if own and all(pair.single for pair in own):
        notes.append("one seed each: McNemar's tests, which hold for these runs alone; another seed may change them")
    elif any(not pair.found.seed_noise for pair in own):
        notes.append("where a variant has one seed this holds for that run alone: the noise of seeds is unknown")
    if untested:
        notes.append(f"not tested against it, and so not underlined: {', '.join(untested)}")
    return notes


def laid_out(table: Table, marked: Marks) -> Laid:
    """In the largest type in which it fits the page, words wrapped where they have to be."""
    table = replace(table, cells=tuple(tuple(map(_cut, line)) for line in table.cells))
    places = sides(table, "l", "r")
    heads = [_wrapped(table, column, side) for column, side in enumerate(places)]
    wanted = [max(map(ems, (*head, *_cells(table, column)))) for column, head in enumerate(heads)]
    words = {column: wanted[column] for column, side in enumerate(places) if side == "l"}
    numbers = sum(wanted) - sum(words.values())
    for landscape, size, points, inches, tight in _LADDER:  # noqa: B007  # the last one stands where none is enough
        room = (inches * _POINTS - _GAP * len(places)) / points / _SLACK - numbers
        if (
            sum(min(width, _least(table, column, heads[column] if tight else None)) for column, width in words.items())
            <= room
        ):
            break
    widths = _shared(words, max(room, 3.0 * len(words)))
    columns = [_column(wanted[column], widths.get(column)) for column in range(len(places))]
    lines = sum(_lines(line, widths) for line in table.cells)
    return Laid(
        title=table.title,
        label=_name(f"tab:{table.name}"),
        note="; ".join(filter(None, (marked.note, table.note))),
        columns=Tex("".join(columns)),
        head=Tex(" & ".join(_head(*one) for one in zip(heads, places, strict=True))),
        rows=[_row(cells, row, marked) for row, cells in enumerate(table.cells)],
        size=Tex(f"\\{size}"),
        landscape=landscape,
        long=lines * points * 1.35 > _HEIGHT[landscape] * _POINTS,
    )


def _cut(cell: str) -> str:
    return cell if len(cell) <= _LONGEST else f"{cell[:_LONGEST]} … (whole in tables/)"


def _cells(table: Table, column: int) -> list[str]:
    return [line[column] for line in table.cells]


def _least(table: Table, column: int, head: Sequence[str] | None) -> float:
    """The em that a column of words needs; with its `head` only what that and the longest word need."""
    if head is None:
        return _NARROW
    words = [word for cell in _cells(table, column) for word in cell.split()]
    return min(_NARROW, max(map(ems, (*head, *words)), default=0.0) + 0.2)


def _wrapped(table: Table, column: int, side: str) -> list[str]:
    """A head in lines as wide as what is below it, or of a word or two; those over numbers are bench's own."""
    width = 2 * max(map(ems, _cells(table, column)), default=0.0)
    least, words = (8, False) if side == "r" else (12, True)
    return textwrap.wrap(table.head[column], max(least, int(width)), break_long_words=words) or [""]


def _shared(wanted: Mapping[int, float], room: float) -> dict[int, float]:
    """What each column gets: all it wants where that is little, and the rest in equal parts."""
    shares: dict[int, float] = {}
    for column, width in sorted(wanted.items(), key=itemgetter(1)):
        shares[column] = min(width, (room - sum(shares.values())) / (len(wanted) - len(shares)))
    return shares


def _column(wanted: float, width: float | None) -> str:
    if width is None:
        return "r"
    return "l" if width >= wanted else f"P{{{width:.1f}em}}"


def _lines(cells: Sequence[str], widths: Mapping[int, float]) -> int:
    """How many a row needs."""
    return max([1, *(ceil(1.2 * ems(cells[column]) / width) for column, width in widths.items() if width)])


def _head(lines: Sequence[str], side: str) -> str:
    shown = r"\\".join(map(broken, lines))
    return rf"\head{{{side}}}{{{shown}}}"


def _row(cells: Sequence[str], row: int, marked: Marks) -> Tex:
    shown = [broken(cell) for cell in cells]
    if row in marked.underlined:
        shown[marked.column] = Tex(rf"\underline{{{shown[marked.column]}}}")
    if row in marked.bold:
        shown[marked.column] = Tex(rf"\textbf{{{shown[marked.column]}}}")
    return Tex(" & ".join(shown))


# Of Times, in em; whatever is not named here is a small letter or a digit
_WIDTHS = {
    **dict.fromkeys(" .,;:'|ijltI!/", 0.28),
    **dict.fromkeys("frJ()[]-", 0.34),
    **dict.fromkeys("<>=+−±×", 0.57),
    **dict.fromkeys("ABCDEFGHKLNOPQRSTUVXYZ&w", 0.7),
    **dict.fromkeys("mMW%@—…", 0.95),
}


def ems(text: str) -> float:
    """About how wide the text is."""
    return sum(_WIDTHS.get(character, 0.5 if character < "\u0250" else 0.8) for character in text)


def broken(text: str) -> Tex:
    """Escaped, and with places to break where a word is longer than the narrowest column."""
    return Tex(" ".join(_breakable(word) for word in text.split()))


def _breakable(word: str) -> str:
    if ems(word) < _NARROW - 1:
        return tex(word)
    return r"\maybe{}".join(tex(word[start : start + 4]) for start in range(0, len(word), 4))


def _name(text: str) -> Tex:
    """A name of a file or label; suites allow no other characters (LaTeX reads names as they are)."""
    return Tex(re.sub(r"[^A-Za-z0-9_.=,:x()+-]", "-", text))
