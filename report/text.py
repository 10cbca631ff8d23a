"""Tables as CSV, Markdown, LaTeX and for a terminal, by pandas where it has the format."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from report.tables import Table


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line for each row; columns are the union of all fields, in the order in which they appear."""
    fields = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_markdown(table: Table) -> str:
    lines = [table.head, ("---",) * len(table.head), *table.cells]
    body = "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)
    return f"{body}\n\n{table.note}\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def as_latex(table: Table) -> str:
    """booktabs, with every special character escaped."""
    import pandas as pd

    frame = pd.DataFrame(list(table.cells), columns=list(table.head))
    styled = frame.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    return str(styled.to_latex(hrules=True, caption=_latex(table.title), label=f"tab:{table.name}"))


def _latex(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {character: f"\\{character}" for character in "&%$#_{}"}
    return "".join(special.get(character, character) for character in text)


def as_text(table: Table) -> str:
    """Aligned columns; names to the left, numbers to the right."""
    lines = [table.head, *table.cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.head))]
    left = {0, len(table.head) - 1}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
