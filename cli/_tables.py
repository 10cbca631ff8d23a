"""What a terminal shows is drawn by rich; a pipe gets the same words as plain text, one unbroken line for each row."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TextIO, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Drawn

_STYLES = {"running": "cyan", "done": "green", "failed": "red", "cancelled": "yellow", "new": "cyan"}
_GAP = 2  # blanks between columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns as wide as their widest entry; `shrinks` is the one that is cut short on a narrow terminal."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: Container[int]  # columns
    shrinks: int

    def __rich__(self) -> "Drawn":
        """As rich asks for it."""
        from rich.table import Table as Drawn
        from rich.text import Text

        drawn = Drawn(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for column, name in enumerate(self.head):
            side: Literal["left", "right"] = "right" if column in self.right else "left"
            drawn.add_column(name, justify=side, no_wrap=column != self.shrinks, overflow="ellipsis")
        for row in self.rows:
            # texts, not strings: a name in brackets is no markup
            drawn.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
        return drawn

    def lines(self) -> list[str]:
        """The same without rich, which needs a millisecond for each row."""
        columns = list(zip(self.head, *self.rows, strict=True))
        padded = [_padded(cells, right=number in self.right) for number, cells in enumerate(columns)]
        return [(" " * _GAP).join(cells).rstrip() for cells in zip(*padded, strict=True)]


Part: TypeAlias = str | Table
"""What a screen is made of."""


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, right: Container[int] = (), shrinks: int = 0
) -> Table:
    """Of anything that has a word for itself; a line break or a control code in it is only shown."""
    shown = tuple(tuple(unbroken(str(cell)) for cell in row) for row in rows)
    return Table(head=tuple(head), rows=shown, right=right, shrinks=shrinks)


def console(out: TextIO) -> "Console":
    """For a terminal: colours unless NO_COLOR is set or TERM is dumb, lines of its width."""
    from rich.console import Console

    return Console(file=out, highlight=False, markup=False, emoji=False)


def plain(parts: Iterable[Part]) -> str:
    """The same without colours and line breaks, whatever the environment says of terminals."""
    lines: list[str] = []
    for part in parts:
        lines += part.lines() if isinstance(part, Table) else _lines(part)
    return "\n".join(lines)


def _lines(text: str) -> list[str]:
    """Without the control codes that rich drops on a terminal: bell, backspace, tabulator and feeds."""
    return [line.rstrip() for line in text.translate(_DROPPED).splitlines()] or [""]


def unbroken(text: str) -> str:
    """On one line: a line break or a control code in it is only shown."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _padded(cells: Sequence[str], *, right: bool) -> list[str]:
    widths = [len(cell) if cell.isascii() else _width(cell) for cell in cells]
    widest = max(widths)
    blanks = [" " * (widest - width) for width in widths]
    return [blank + cell if right else cell + blank for blank, cell in zip(blanks, cells, strict=True)]


def _width(cell: str) -> int:
    """In places of a terminal: letters of some scripts take two."""
    from rich.cells import cell_len

    return cell_len(cell)


_DROPPED = dict.fromkeys((7, 8, 11, 12, 13))
