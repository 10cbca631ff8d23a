"""Drawing: rows in, a matplotlib figure out. What is missing is said in its place."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from report.figure_data import Rows, class_names, confusion_counts
from report.scope import Scope
from report.theme import PRINTED, TEST, TRAIN, VALIDATION, colours, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Wanted = dict[str, Any]


def draw(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    """The figure that a suite asks for, from its rows."""
    return _DRAWINGS[wanted["kind"]](scope, wanted, rows)


def caption(scope: Scope, wanted: Wanted) -> str:
    """How many seeds a figure shows, and what its bars or bands are."""
    kind = wanted["kind"]
    labels = wanted["variants"] or [p for s in wanted["sweeps"] for p in scope.submission.layout["sweeps"][s]["points"]]
    numbers = sorted({len(scope.variant(label).done) for label in labels})
    seeds = " and ".join(str(number) for number in numbers)
    if kind in ("history", "histories"):
        return f"n = {seeds} seeds; with several, line: mean, band: ± one standard deviation. Dashed: validation."
    if kind in ("complexity", "accuracy", "tuning"):
        printed = " Diamonds: printed values." if scope.submission.reference else ""
        return (
            f"n = {seeds} seeds; best weights. Bars: 95 % interval, with one seed of the test images (Wilson), "
            f"with several over seeds (t).{printed}"
        )
    if kind == "metrics":
        return f"n = {seeds} seeds; with several, bars: ± one standard deviation."
    if kind == "confusion":
        return (
            f"n = {seeds} seeds, counts summed; best weights; each row as shares of its true class, one scale for all."
        )
    return ""


def _new(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple["Figure", list["Axes"]]:
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=(width, height))
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def _say(axes: "Axes", text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color="#666666")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)


def _class_distribution(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    figure, (axes,) = _new(9, 3.6)
    if not rows:
        _say(axes, "no worker has loaded the data yet")
        return figure
    places, names = np.arange(len(rows)), [short(row["class"], 18) for row in rows]
    parts = (("train", TRAIN), ("validation", VALIDATION), ("test", TEST))
    for offset, (part, colour) in enumerate(parts):
        axes.bar(places + (offset - 1) * 0.28, [row[part] for row in rows], 0.28, color=colour, label=part)
    axes.set_xticks(places, names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_ylabel("images")
    axes.grid(visible=False, axis="x")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def _pictures(grid: Any, width: float) -> "Figure":
    rows, columns = grid.pixels.shape[:2]
    half = (rows + 1) // 2 if rows > 10 else rows
    blocks = -(-rows // half)
    figure, panels = _new(width, 0.62 * half + 0.3, half, columns * blocks)
    for panel in panels:
        panel.axis("off")
    for row in range(rows):
        for column in range(columns):
            panel = panels[(row % half) * columns * blocks + (row // half) * columns + column]
            panel.imshow(grid.pixels[row, column], interpolation="nearest")
            if column == 0:
                panel.text(-0.15, 0.5, short(grid.rows[row], 18), ha="right", va="center", transform=panel.transAxes)
    return figure


def _samples(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    if scope.dataset is None:
        return _class_distribution(scope, wanted, [])
    return _pictures(scope.dataset.samples, 9)


def _augmentation(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    if scope.dataset is None:
        return _class_distribution(scope, wanted, [])
    grid = scope.dataset.augmentation
    figure = _pictures(grid, 5.5)
    for panel, name in zip(figure.axes, grid.columns, strict=False):
        panel.set_title(name, fontsize=9)
    return figure


def _line(axes: "Axes", rows: Rows, name: str, label: str, colour: str, line: str = "-") -> None:
    x, y = [row["epoch"] for row in rows], np.array([row[name] for row in rows])
    axes.plot(x, y, line, color=colour, label=label, linewidth=1.5)
    spread = np.array([row[f"{name}_sd"] for row in rows])
    if spread.any():
        axes.fill_between(x, y - spread, y + spread, color=colour, alpha=0.18, linewidth=0)


def _history(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    figure, panels = _new(8, 3, 1, 2)
    for panel, what in zip(panels, ("loss", "accuracy"), strict=True):
        if not rows:
            _say(panel, scope.variant(wanted["variants"][0]).state)
            continue
        _line(panel, rows, f"train_{what}", "training", TRAIN)
        _line(panel, rows, f"val_{what}", "validation", VALIDATION, "--")
        panel.set(xlabel="epoch", ylabel=what)
        panel.legend()
    return figure


def _histories(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    figure, panels = _new(8, 3.4, 1, 2)
    palette = colours(scope.submission.variants)
    for panel, what in zip(panels, ("loss", "accuracy"), strict=True):
        for label in wanted["variants"]:
            variant, own = scope.variant(label), [row for row in rows if row["variant"] == label]
            name = short(variant.title) if own else f"{short(variant.title)}: {variant.state}"
            _line(panel, own, f"train_{what}", name, palette[label])
            _line(panel, own, f"val_{what}", "", palette[label], "--")
        panel.set(xlabel="epoch", ylabel=what)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=min(4, max(1, len(names))))
    return figure


def _metrics(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    figure, panels = _new(9, 5, 2, 2)
    last = [row for row in rows if row["weights"] == "last"]
    palette = colours(scope.submission.variants)
    for panel, name in zip(panels, ("train_loss", "val_loss", "train_accuracy", "val_accuracy"), strict=True):
        _bars(panel, scope, last, name, f"{name}_sd", palette)
        part, what = name.split("_")
        panel.set_title(f"{'training' if part == 'train' else 'validation'} {what}, last epoch", fontsize=9)
    return figure


def _bars(axes: "Axes", scope: Scope, rows: Rows, name: str, spread: str, palette: dict[str, str]) -> None:
    for place, row in enumerate(rows):
        value = row[name]
        if value is None:
            axes.text(
                place, 0, _gap_text(row, scope), ha="center", va="bottom", rotation=90, color="#666666", fontsize=8
            )
            continue
        axes.bar(place, value, 0.7, color=palette[row["variant"]])
        if row[spread]:
            axes.errorbar(place, value, row[spread], color="black", capsize=3, linewidth=1)
    _name_places(axes, [scope.variant(row["variant"]).title for row in rows])


def _gap_text(row: dict[str, Any], scope: Scope) -> str:
    return scope.variant(row["variant"]).state


def _name_places(axes: "Axes", names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), [short(name) for name in names], rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.grid(visible=False, axis="x")


def _accuracy_bars(axes: "Axes", scope: Scope, rows: Rows, names: Sequence[str]) -> None:
    palette = colours(scope.submission.variants)
    printed = []
    for place, row in enumerate(rows):
        value = row["test_accuracy"]
        if value is None:
            axes.text(place, 1, row["state"], ha="center", va="bottom", rotation=90, color="#666666", fontsize=8)
        else:
            axes.bar(place, 100 * value, 0.7, color=palette[row["variant"]])
            top = 100 * (row["high"] or value)
            if row["low"] is not None:
                error = [[100 * (value - row["low"])], [100 * (row["high"] - value)]]
                axes.errorbar(place, 100 * value, error, color="black", capsize=3, linewidth=1)
            axes.text(place, top + 1, f"{100 * value:.1f}", ha="center", va="bottom", fontsize=8)
        if row["printed_test_accuracy"] is not None:
            printed.append((place + 0.22, 100 * row["printed_test_accuracy"]))
    if printed:
        axes.plot([x for x, _ in printed], [y for _, y in printed], **PRINTED)
        axes.legend(loc="upper left")
    highest = max(
        [100 * (row["high"] or row["test_accuracy"] or 0) for row in rows] + [y for _, y in printed], default=0
    )
    axes.set(ylabel="test accuracy %", ylim=(0, max(10.0, 1.15 * highest + 4)))
    _name_places(axes, names)


def _accuracy(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    figure, (axes,) = _new(max(6.0, 1.1 * len(rows)), 3.8)
    _accuracy_bars(axes, scope, rows, [scope.variant(row["variant"]).title for row in rows])
    return figure


def _tuning(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    figure, panels = _new(9, 3.6, 1, len(wanted["sweeps"]))
    for panel, sweep in zip(panels, wanted["sweeps"], strict=True):
        own = [row for row in rows if row["sweep"] == sweep]
        _accuracy_bars(panel, scope, own, [row["point"] for row in own])
        panel.set_title(short(scope.submission.layout["sweeps"][sweep]["title"], 40), fontsize=10)
    return figure


def _complexity(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    figure, (left, right) = _new(9.5, 4, 1, 2)
    palette = colours(scope.submission.variants)
    _accuracy_bars(left, scope, rows, [scope.variant(row["variant"]).title for row in rows])
    known = [row for row in rows if row["test_accuracy"] is not None]
    for row in known:
        error = None
        if row["low"] is not None:
            value = row["test_accuracy"]
            error = [[100 * (value - row["low"])], [100 * (row["high"] - value)]]
        right.errorbar(
            row["parameters"],
            100 * row["test_accuracy"],
            error,
            fmt="o",
            color=palette[row["variant"]],
            capsize=3,
            markersize=7,
            label=short(scope.variant(row["variant"]).title),
        )
    if not known:
        _say(right, "no result yet")
        return figure
    right.set(xscale="log", xlabel="parameters", ylabel="test accuracy %")
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _confusion(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    labels = wanted["variants"]
    columns = min(3, len(labels)) or 1
    lines = -(-len(labels) // columns)
    figure, panels = _new(4.2 * columns, 4.2 * lines, lines, columns)
    image: Any = None
    for panel in panels[len(labels) :]:
        panel.axis("off")
    for panel, label in zip(panels, labels, strict=False):
        panel.set_title(short(scope.variant(label).title, 36), fontsize=10)
        table = confusion_counts(scope.variant(label))
        if table is None:
            _say(panel, scope.variant(label).state)
            continue
        shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        image = panel.imshow(shares, cmap="cividis", vmin=0, vmax=1)
        panel.grid(visible=False)
        panel.set(xlabel="predicted", ylabel="true")
        if len(table) <= 25:
            names = [short(name, 14) for name in class_names(scope, len(table))]
            panel.set_xticks(range(len(names)), names, rotation=90, fontsize=6)
            panel.set_yticks(range(len(names)), names, fontsize=6)
    if image is not None:
        figure.colorbar(image, ax=panels, shrink=0.5, label="share of the true class")
    return figure


_DRAWINGS: dict[str, Callable[[Scope, Wanted, Rows], "Figure"]] = {
    "class_distribution": _class_distribution,
    "samples": _samples,
    "history": _history,
    "histories": _histories,
    "metrics": _metrics,
    "augmentation": _augmentation,
    "tuning": _tuning,
    "complexity": _complexity,
    "accuracy": _accuracy,
    "confusion": _confusion,
}
