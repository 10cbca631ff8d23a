"""What all drawings share: empty figures, a word in place of what is missing, legends and names that fit, files."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from report.theme import MUTE, fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CHARACTER = 0.6  # of the font's size: the mean width of a character
_POINTS = 72  # in an inch
_DPI = 150  # of a PNG
_MOST_SIZES = 6  # numbers below an axis


def new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1, *, heights: Sequence[float] | None = None
) -> tuple["Figure", list["Axes"]]:
    """A figure of `width` and `height` inches and its panels in the order of reading; `heights`: of rows, as ratios."""
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=(width, height))
    axes = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
    return figure, list(axes.flat)


def say(axes: "Axes", text: str) -> None:
    """A word in an empty panel."""
    axes.text(0.5, 0.5, fit(text, 36), ha="center", va="center", transform=axes.transAxes, color=MUTE)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color="#CCCCCC")


def scale_of_counts(axes: "Axes") -> None:
    """Logarithmic in x, with ticks like 500k, 1M, 2M: at 1, 2 and 5 of each power of ten, or at more or fewer of them.

    At least twofold: sizes that differ by a thousandth must not fill the width.
    """
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    missing = max(1.0, 2 * low / high) ** 0.5
    low, high = low / missing, high * missing
    axes.set_xlim(low, high)
    places = LogLocator(subs=(1.0, 2.0, 5.0))
    seen = sum(low <= tick <= high for tick in places.tick_values(low, high))
    if seen < 2:
        places = LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0))
    elif seen > _MOST_SIZES:
        places = LogLocator(subs=(1.0,), numticks=_MOST_SIZES)
    axes.xaxis.set_major_locator(places)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_locator(NullLocator())


def key(figure: "Figure", entries: Sequence[tuple[Any, str]], *, below: bool = False) -> None:
    """A legend outside the panels, where it covers nothing, in as many columns as fit."""
    if not entries:
        return
    names = [fit(name, 60, 3) for _, name in entries]
    longest = _longest(names)
    characters = figure.get_figwidth() * _POINTS / (9 * _CHARACTER)
    columns = max(1, min(len(names), 4, int(characters // (longest + 7))))
    place: Any = "outside lower center" if below else "outside upper center"
    figure.legend([handle for handle, _ in entries], names, loc=place, ncols=columns)
    deepest = max(sum(name.count("\n") + 1 for name in names[start::columns]) for start in range(columns))
    _grow(figure, (deepest - 1) * 0.17)


def _grow(figure: "Figure", inches: float) -> None:
    """Higher, so that long names take nothing from the panels."""
    figure.set_figheight(figure.get_figheight() + max(0.0, inches))


def name_places(figure: "Figure", panels: Sequence[tuple["Axes", Sequence[str]]], *, columns: int = 1) -> None:
    """A name below each place of each panel, whole; the figure grows by what long names need."""
    width = figure.get_figwidth() / columns - 0.75
    depths = [_name_places(axes, names, width) for axes, names in panels]
    _grow(figure, sum(max(depths[start : start + columns]) - 0.45 for start in range(0, len(depths), columns)))


def _name_places(axes: "Axes", names: Sequence[str], width: float) -> float:
    """Level where all fit into `width` inches, else slanted, else upright; gives the inches below the axis."""
    size = 8
    character, line = size * _CHARACTER / _POINTS, size * 1.25 / _POINTS
    fits = max(int(width / max(len(names), 1) / character), 1)
    level, slanted, upright = ([fit(name, most, 5) for name in names] for most in (fits, 22, 30))
    words = max((len(word) for name in names for word in name.split()), default=0)
    turn: dict[str, Any] = {}
    if words <= fits and not any("…" in name for name in level):
        shown, depth = level, line * max((name.count("\n") + 1 for name in level), default=0)
    elif all(name.count("\n") <= 1 for name in slanted):
        shown, depth, turn = slanted, 0.7 * character * _longest(slanted), {"rotation": 40, "va": "top", "ha": "right"}
    else:
        shown, depth, turn = upright, character * _longest(upright), {"rotation": 90, "va": "center", "ha": "right"}
    axes.set_xticks(range(len(names)), shown, fontsize=size, rotation_mode="anchor" if turn else None, **turn)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.grid(visible=False, axis="x")
    return depth


def _longest(names: Sequence[str]) -> int:
    return max((len(line) for name in names for line in name.split("\n")), default=0)


def pictures(figure: "Figure", *, pdf: bool = False) -> dict[str, bytes]:
    """As a PNG and an SVG, and where asked for a PDF, by their endings. To be called within `style`.

    Everything gets its place here, once, in the PNG's pixels: `savefig` draws a figure that has a layout engine twice,
    and one that has none once.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)  # so that text is measured as it will be drawn
    figure.set_dpi(_DPI)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    kinds: dict[str, dict[str, Any]] = {
        "png": {"dpi": _DPI, "pil_kwargs": {"compress_level": 3}},  # half the time, a tenth larger
        "svg": {"metadata": {"Date": None}},
        "pdf": {"metadata": {"CreationDate": None}},
    }
    with mpl.rc_context({"figure.constrained_layout.use": False}):  # else None would mean a new engine
        figure.set_layout_engine(None)
        return {ending: _saved(figure, ending, how) for ending, how in kinds.items() if pdf or ending != "pdf"}


def _saved(figure: "Figure", ending: str, how: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=ending, **how)
    return file.getvalue()
