"""Figures that are a table of colours: every pair of variants, and every class of every variant."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from report.canvas import new_figure, say
from report.figure_data import Rows
from report.numbers import signed, tenth
from report.theme import BEHIND_EVEN_AHEAD, fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NUMBERS = 15  # variants whose differences are written into their cells
_MOST_CELLS = 400  # scores that are written into theirs
Values = NDArray[np.float64]


def pairs(rows: Rows, colours: Mapping[str, str]) -> "Figure":
    """The row's variant less the column's, in points; the best on top, and numbered so that columns need no names."""
    order = _by_difference(rows)
    if not order:
        figure, (axes,) = new_figure(6.0, 1.6)
        say(axes, "fewer than two variants to compare")
        return figure
    number, few = len(order), len(order) <= MOST_NUMBERS
    cell = 0.56 if few else 0.24
    figure, (axes,) = new_figure(4.6 + cell * number, 1.1 + max(cell, 0.3 if few else 0.24) * number)
    differences = _square(rows, order)
    largest = max(0.01, float(np.nanmax(np.abs(differences))))
    most = 125 * largest  # in points; no cell has the full colour, so that its number is read
    image = axes.imshow(100 * differences, cmap=_diverging(), vmin=-most, vmax=most, aspect="auto")
    figure.colorbar(image, ax=axes, shrink=0.8, aspect=25, label="points of test accuracy")
    _write_pairs(axes, rows, order, numbers=few)
    titles = {row[side]: row[f"{side}_title"] for row in rows for side in ("ours", "theirs")}
    _grid(axes, [f"{place}: {titles[label]}" for place, label in enumerate(order, start=1)])
    step = 1 if number <= 30 else 5
    axes.set_xticks(
        range(step - 1, number, step), [str(place + 1) for place in range(step - 1, number, step)], fontsize=8
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_xlabel("less the variant of this number")
    axes.xaxis.set_label_position("top")
    return figure


def _by_difference(rows: Rows) -> list[str]:
    """Labels, the most accurate first: by the difference to the one that is compared with most."""
    counts = Counter(row[side] for side in ("ours", "theirs") for row in rows)
    if not counts:
        return []
    anchor = max(counts, key=lambda label: counts[label])
    ahead = {anchor: 0.0} | {row["ours"]: row["difference"] for row in rows if row["theirs"] == anchor}
    ahead |= {row["theirs"]: -row["difference"] for row in rows if row["ours"] == anchor}
    return sorted(counts, key=lambda label: -ahead.get(label, -np.inf))


def _square(rows: Rows, order: Sequence[str]) -> Values:
    """Each difference and its mirror; NaN where none was tested."""
    places = {label: place for place, label in enumerate(order)}
    found = np.full((len(order), len(order)), np.nan)
    for row in rows:
        one, other = places[row["ours"]], places[row["theirs"]]
        found[one, other], found[other, one] = row["difference"], -row["difference"]
    return found


def _diverging() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("difference", BEHIND_EVEN_AHEAD).with_extremes(bad="#EEEEEE")


def mark(row: Mapping[str, Any]) -> str:
    """Of a pair: a star where it is told apart, = where it is equal within the margin."""
    if row["ahead"] is not None:
        return "*"
    return "=" if row["equal"] else ""


def _write_pairs(axes: "Axes", rows: Rows, order: Sequence[str], *, numbers: bool) -> None:
    """Numbers with their marks; without numbers the marks alone, as points."""
    places = {label: place for place, label in enumerate(order)}
    cells = [(places[row["ours"]], places[row["theirs"]], 1, row) for row in rows]
    cells += [(x, y, -1, row) for y, x, _, row in cells]
    if numbers:
        for y, x, sign, row in cells:
            text = signed(100 * sign * row["difference"], tenth) + (f"\n{mark(row)}" if mark(row) else "")
            weight = "bold" if mark(row) == "*" else "normal"
            axes.text(x, y, text, ha="center", va="center", fontsize=8, weight=weight, linespacing=0.9, in_layout=False)
        return
    for kind, shape in (("*", "o"), ("=", "_")):
        own = [(x, y) for y, x, _, row in cells if mark(row) == kind]
        if own:
            x_of, y_of = zip(*own, strict=True)
            axes.scatter(x_of, y_of, marker=shape, color="black", s=9)


def classes(rows: Rows, colours: Mapping[str, str]) -> "Figure":
    """Recall of each class by each variant: the hardest class to the left, the most accurate variant on top."""
    if not rows:
        figure, (axes,) = new_figure(6.0, 1.6)
        say(axes, "no result yet")
        return figure
    titles = {row["variant"]: row["title"] for row in rows}
    names = list(dict.fromkeys(row["class"] for row in rows))
    recalls = _recalls(rows, list(titles), names)
    hardest_first = np.argsort(recalls.mean(0), kind="stable")  # those without a test image, NaN, come last
    recalls, few = recalls[:, hardest_first], recalls.size <= _MOST_CELLS
    cell = 0.36 if len(names) <= 30 else 0.15
    figure, (axes,) = new_figure(4.4 + cell * len(names), 2.4 + 0.29 * len(titles))
    image = axes.imshow(100 * recalls, cmap=_sequential(), vmin=0, vmax=100, aspect="auto")
    figure.colorbar(image, ax=axes, shrink=0.9, aspect=25, label="recall %", pad=0.01)
    _grid(axes, list(titles.values()))
    size = 8 if len(names) <= 30 else 7
    shown = [fit(names[place], 28, 1) for place in hardest_first]
    axes.set_xticks(range(len(names)), shown, rotation=90, fontsize=size)
    axes.tick_params(length=0)
    for y, x in np.argwhere(~np.isnan(recalls)) if few else ():
        dark = recalls[y, x] < 0.55
        look: dict[str, Any] = {"color": "white" if dark else "black", "fontsize": 7, "in_layout": False}
        axes.text(x, y, f"{100 * recalls[y, x]:.0f}", ha="center", va="center", **look)
    return figure


def _sequential() -> Any:
    from matplotlib import colormaps

    return colormaps["cividis"].with_extremes(bad="#EEEEEE")


def _recalls(rows: Rows, labels: Sequence[str], names: Sequence[str]) -> Values:
    """(variants, classes); NaN for a class without a test image."""
    found = np.full((len(labels), len(names)), np.nan)
    places = {label: place for place, label in enumerate(labels)}, {name: place for place, name in enumerate(names)}
    for row in rows:
        if row["images"]:
            found[places[0][row["variant"]], places[1][row["class"]]] = row["recall"]
    return found


def _grid(axes: "Axes", names: Sequence[str]) -> None:
    """Names to the left, a row each."""
    axes.grid(visible=False)
    axes.set_yticks(
        range(len(names)), [fit(name, 44, 2 if len(names) <= MOST_NUMBERS else 1) for name in names], fontsize=8
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
