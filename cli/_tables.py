"""A pipe gets plain text, one unbroken line for each row; a terminal the same words, in colours and within its width.

Rich draws what does not fit a terminal as it is. It takes 0.1 s to load, and 0.4 ms for each row of a table.
"""

import os
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Literal, TextIO, TypeAlias

from cli._talk import printable

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
        """The same without rich."""
        return [(" " * _GAP).join(cells).rstrip() for cells in zip(*self._columns(), strict=True)]

    def coloured(self) -> list[str]:
        """The same as rich colours it."""
        columns = list(zip(self.head, *self.rows, strict=True))
        shown = [
            [_coloured(cell, blank) for cell, blank in zip(cells, padded, strict=True)]
            if _CODES.keys() & set(cells[1:])
            else padded
            for cells, padded in zip(columns, self._columns(), strict=True)
        ]
        head, *rows = ((" " * _GAP).join(cells).rstrip() for cells in zip(*shown, strict=True))
        return [f"{_BOLD}{head}{_END}", *rows]

    def _columns(self) -> list[list[str]]:
        """The cells of each, head first, as wide as the widest."""
        columns = zip(self.head, *self.rows, strict=True)
        return [_padded(cells, right=number in self.right) for number, cells in enumerate(columns)]


Part: TypeAlias = str | Table
"""What a screen is made of."""


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, right: Container[int] = (), shrinks: int = 0
) -> Table:
    """Of anything that has a word for itself; a line break or a control code in it is only shown."""
    shown = tuple(tuple(printable(str(cell)) for cell in row) for row in rows)
    return Table(head=tuple(head), rows=shown, right=right, shrinks=shrinks)


def console(out: TextIO) -> "Console":
    """For a terminal: colours unless NO_COLOR is set or TERM is dumb, lines of its width."""
    from rich.console import Console

    return Console(file=out, highlight=False, markup=False, emoji=False)


def draw(out: TextIO, parts: Iterable[Part]) -> None:
    """On a terminal: what fits it as it is by ourselves, and what has to be cut or wrapped by rich."""
    width = _width_for_us()
    for part in parts:
        lines = plain([part]).split("\n")
        if all(line.isascii() and line.isprintable() and len(line) <= width for line in lines):
            shown = part.coloured() if isinstance(part, Table) else lines
            out.write("\n".join([*shown, ""]))
        else:
            console(out).print(part)
    out.flush()


def _width_for_us() -> int:
    """A usual terminal's; 0 where the environment wants no colours or says more of them, which rich knows best."""
    bare = os.environ.get("TERM", "").lower() in ("", "dumb", "unknown") or os.environ.get("NO_COLOR")
    return 0 if bare or _OF_RICH.intersection(os.environ) else get_terminal_size().columns


def plain(parts: Iterable[Part]) -> str:
    """The same without colours and line breaks, whatever the environment says of terminals."""
    lines: list[str] = []
    for part in parts:
        lines += part.lines() if isinstance(part, Table) else _lines(part)
    return "\n".join(lines)


def _lines(text: str) -> list[str]:
    """Without the control codes that rich drops on a terminal: bell, backspace, tabulator and feeds."""
    return [line.rstrip() for line in text.translate(_DROPPED).splitlines()] or [""]


def _padded(cells: Sequence[str], *, right: bool) -> list[str]:
    widths = [len(cell) if cell.isascii() else _width(cell) for cell in cells]
    widest = max(widths)
    blanks = [" " * (widest - width) for width in widths]
    return [blank + cell if right else cell + blank for blank, cell in zip(blanks, cells, strict=True)]


def _width(cell: str) -> int:
    """In places of a terminal: letters of some scripts take two."""
    from rich.cells import cell_len

    return cell_len(cell)


def _coloured(cell: str, padded: str) -> str:
    return padded.replace(cell, f"\x1b[{_CODES[cell]}m{cell}{_END}") if cell in _CODES else padded


_COLOURS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36}
_CODES = {word: _COLOURS[style] for word, style in _STYLES.items()}
_BOLD, _END = "\x1b[1m", "\x1b[0m"
_OF_RICH = {"FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
_DROPPED = dict.fromkeys((7, 8, 11, 12, 13))
