"""What a terminal shows is drawn by rich; a pipe gets the same words as plain text, one unbroken line for each row."""

import io
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_UNBROKEN = 100_000  # columns of a pipe
_STYLES = {"running": "cyan", "done": "green", "failed": "red", "cancelled": "yellow", "new": "cyan"}


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, right: Container[int] = (), shrinks: int = 0
) -> "Table":
    """Columns as wide as their widest entry; `shrinks` is the one that is cut short on a narrow terminal."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column, name in enumerate(head):
        drawn.add_column(
            name, justify="right" if column in right else "left", no_wrap=column != shrinks, overflow="ellipsis"
        )
    for row in rows:
        # texts, not strings: a name in brackets is no markup
        drawn.add_row(*(Text(str(cell), style=_STYLES.get(str(cell), "")) for cell in row))
    return drawn


def console(out: TextIO) -> "Console":
    """For a terminal: colours unless NO_COLOR is set or TERM is dumb, lines of its width."""
    from rich.console import Console

    return Console(file=out, highlight=False, markup=False, emoji=False)


def plain(parts: Iterable["RenderableType"]) -> str:
    """The same without colours and line breaks, whatever the environment says of terminals."""
    from rich.console import Console

    text = io.StringIO()
    writer = Console(
        file=text, width=_UNBROKEN, force_terminal=False, no_color=True, highlight=False, markup=False, emoji=False
    )
    writer.print(*parts, sep="\n")
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
