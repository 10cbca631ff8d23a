"""Tables as CSV, Markdown, LaTeX and for a terminal."""

import csv
import io
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
    lines = [table.head, ("---",) * len(table.head), *table.cells]
    body = "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)
    return f"{body}\n\n{sentence(table.note)}\n"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def sentence(text: str) -> str:
    """A note as a sentence of its own."""
    return text[:1].upper() + text[1:] + "."


def as_latex(table: Table) -> str:
    """For booktabs, with every special character escaped; the note stands in the caption."""
    body = [" & ".join(_latex(cell) for cell in line) + r" \\" for line in table.cells]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex(table.title)}. {_latex(sentence(table.note))}}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{''.join(sides(table, 'l', 'r'))}}}",
            r"\toprule",
            " & ".join(_latex(name) for name in table.head) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "…": r"\ldots{}",
    "[": "{[}",  # bare at the start of a row it would be the argument of the \\ before it
    "\n": " ",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


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
