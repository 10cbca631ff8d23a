"""Tables as CSV, Markdown and for a terminal."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from report.tables import Table


def as_csv(rows: Sequence[Mapping[str, Any]], fields: Sequence[str] = ()) -> str:
    """One line for each row; columns are `fields`, then all others of the rows, in the order in which they appear."""
    fields = list(dict.fromkeys((*fields, *(name for row in rows for name in row))))
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "; ".join(value) if isinstance(value, list) else value for name, value in row.items()})
    return out.getvalue()


def as_markdown(table: Table) -> str:
    head, *cells = ([plain(cell) for cell in line] for line in (table.head, *table.cells))
    body = "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *cells))
    return f"{body}\n\n{plain(sentence(table.note))}\n"


_LIVE = re.compile(
    r"[\\`*~|$\[\]]"  # always
    r"|(?<![^\W_])_|_(?![^\W_])"  # not within a word
    r"|^[#>]|^[-+=](?=[-=\s]|$)|(?<=\s)#"  # begins a block, or ends a heading
)
_NUMBER = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")  # of a list
_ENTITY = re.compile(r"&(?=#?\w+;)")
_INTERVAL = re.compile(r"\[[−\d.]+, [−\d.]+\]")


def plain(text: str) -> str:
    """Somebody's text as one line of Markdown that shows it as it is: no emphasis, link, picture, formula or HTML.

    For titles, class names and cells. A bare web address stays one, and many programs make a link of it.
    """
    line = _line(text).strip()
    if _INTERVAL.fullmatch(line):
        return line  # easier to read where nothing can come of it
    escaped = _NUMBER.sub(r"\1\\\2", _LIVE.sub(lambda found: f"\\{found[0]}", line))
    return _ENTITY.sub("&amp;", escaped).replace("<", "&lt;")


def sentence(text: str) -> str:
    """A note as a sentence of its own."""
    return text[:1].upper() + text[1:] + "."


_WORDS = frozenset(
    {
        *("Variant", "Data", "Quantity", "Device", "Cause", "Message", "State", "Chosen", "Printed choice"),
        *("Verdict", "Against", "Why", "Hardest class", "Most confused", "Dominated by"),
    }
)


def sides(table: Table, left: str, right: str) -> list[str]:
    """Words to the left, numbers to the right; the first column names what a row is about."""
    return [left if place == 0 or name in _WORDS else right for place, name in enumerate(table.head)]


def _line(text: str) -> str:
    return " ".join(text.splitlines())


def as_text(table: Table) -> str:
    """Aligned columns for a terminal."""
    lines = [table.head, *table.cells]
    widths = [max(len(_line(line[column])) for line in lines) for column in range(len(table.head))]
    places = sides(table, "<", ">")
    return "\n".join(
        "  ".join(
            f"{_line(cell):{side}{width}}" for cell, side, width in zip(line, places, widths, strict=True)
        ).rstrip()
        for line in lines
    )
