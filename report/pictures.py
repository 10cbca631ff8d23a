"""Figures of the data and of what networks take for what: class counts, sample pictures, confusion matrices."""

from typing import TYPE_CHECKING, Any

import numpy as np

from db.records import ImageGrid
from report.canvas import new_figure, say
from report.captions import Wanted
from report.examples import augmentation_examples
from report.figure_data import Rows, by_variant
from report.scope import Scope
from report.theme import PARTS, fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PICTURE = 0.62  # inches
_GAP = 0.12  # of a picture
_CHARACTER = 0.085  # inches that a character takes, at most, at the size of the names
_MOST_NAMES = 25  # classes whose names fit beside a matrix


def class_distribution(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    figure, (axes,) = new_figure(max(9.0, 0.14 * len(rows)), 3.8)
    if not rows:
        say(axes, "no worker has loaded the data yet")
        return figure
    places = np.arange(len(rows))
    for offset, (part, colour) in enumerate(PARTS.items()):
        heights = [row[part] for row in rows]
        axes.bar(places + (offset - 1) * 0.28, heights, 0.28, color=colour, label=part.replace("train", "training"))
    many = len(rows) > 30
    names = [fit(row["class"], 32, 1) for row in rows]
    axes.set_xticks(
        places, names, rotation=90 if many else 45, ha="right", va="center" if many else "top", rotation_mode="anchor"
    )
    axes.tick_params(axis="x", labelsize=7 if many else 9)
    axes.set_ylabel("images")
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.grid(visible=False, axis="x")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def samples(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    if scope.dataset is None:
        return class_distribution(scope, wanted, [])
    return _pictures(scope.dataset.samples, heads=False)


def augmentation(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    grid = augmentation_examples(scope)
    if grid is None:
        return class_distribution(scope, wanted, [])
    return _pictures(grid, heads=True)


def _pictures(grid: ImageGrid, *, heads: bool) -> "Figure":
    """All pictures in one pair of axes, in one to four blocks of rows side by side; one unit is one picture."""
    rows, columns = grid.pixels.shape[:2]
    blocks = 1 if rows <= 10 else 2 if rows <= 40 else 4
    lines = -(-rows // blocks)
    names = [fit(name, 28, 3 if heads else 2) for name in grid.rows]
    margin = (max(len(line) for name in names for line in name.split("\n")) * _CHARACTER + 0.1) / _PICTURE
    block = margin + columns * (1 + _GAP)
    width, height = blocks * block + _GAP, lines * (1 + _GAP) + _GAP + (0.4 if heads else 0)
    figure, (axes,) = new_figure(width * _PICTURE, height * _PICTURE)
    for row in range(rows):
        x, y = (row // lines) * block + margin, (row % lines) * (1 + _GAP)
        axes.text(x - 0.1, y + 0.5, names[row], ha="right", va="center", fontsize=9, linespacing=0.95)
        for column in range(columns):
            left = x + column * (1 + _GAP)
            extent = (left, left + 1, y + 1, y)
            axes.imshow(grid.pixels[row, column], interpolation="nearest", extent=extent)
            if heads and row % lines == 0:
                axes.text(left + 0.5, y - 0.1, fit(grid.columns[column], 12, 2), ha="center", va="bottom", fontsize=8)
    axes.set(xlim=(0, width), ylim=(lines * (1 + _GAP), -_GAP - (0.4 if heads else 0)))
    axes.axis("off")
    return figure


def confusion(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    """Panels of one size; the names of the classes where they fit."""
    labels = wanted["variants"]
    known = by_variant(rows)
    by_label = {label: known.get(label, []) for label in labels}
    classes = round(max((len(own) for own in by_label.values()), default=0) ** 0.5)
    columns = min(2 if 10 < classes <= _MOST_NAMES else 3, len(labels))
    lines = -(-len(labels) // columns)
    figure, panels = new_figure(5.0 * columns, 4.95 * lines + 0.5, lines, columns)
    image: Any = None
    for panel in panels:
        panel.set_box_aspect(1)
    for panel in panels[len(labels) :]:
        panel.axis("off")
    for panel, (label, own) in zip(panels, by_label.items(), strict=False):
        variant = scope.variant(label)
        partly = f": {variant.state}" if own and not variant.complete else ""
        panel.set_title(fit(f"{variant.title}{partly}", 48), fontsize=10)
        if own:
            image = _matrix(panel, own, classes)
        else:
            say(panel, variant.state)
    if image is not None:
        figure.colorbar(
            image, ax=panels, location="top", shrink=0.5, aspect=40, pad=0.01, label="share of the true class"
        )
    return figure


def _matrix(panel: "Axes", rows: Rows, classes: int) -> Any:
    shares = np.array([row["share"] for row in rows]).reshape(classes, classes)
    image = panel.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    panel.grid(visible=False)
    panel.set(xlabel="predicted", ylabel="true")
    if classes <= _MOST_NAMES:
        names = [fit(row["predicted"], 28, 1) for row in rows[:classes]]
        panel.set_xticks(range(classes), names, rotation=90, fontsize=7.5)
        panel.set_yticks(range(classes), names, fontsize=7.5)
    return image
