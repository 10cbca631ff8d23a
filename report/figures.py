"""Drawing: rows in, a matplotlib figure out. What is missing is said in its place."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from report import pictures
from report.canvas import key, name_places, new_figure, say, scale_of_counts
from report.captions import Wanted
from report.figure_data import HISTORY, Rows, by_variant
from report.scope import Scope
from report.theme import MARKERS, MUTE, PRINTED, fit
from report.variant import VariantData

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BAR, _DIAMOND = -0.1, 0.33  # beside the middle of a place, so that a diamond never lies on a bar's number
_WIDTH = 0.56
_BROAD = 8  # bars as broad as their names need, if they stand level
_WIDE = 12  # points of a sweep: with more its panel has a line of its own, and narrower bars
_WIDEST = 45.0  # inches, of a sweep's panel
_OF_A_VALUE, _OF_A_NAME = 0.3, 0.25  # inches that they need
FEW_EPOCHS = 12  # so few are shown as points too: one alone is no line
Interval = tuple[float, float]


def draw(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    """The figure that a suite asks for, from its rows."""
    return _DRAWINGS[wanted["kind"]](scope, wanted, rows)


def _title(variant: VariantData) -> str:
    """The variant's name, with its state unless all of it is done."""
    return variant.title if variant.complete else f"{variant.title}: {variant.state}"


def _part(name: str) -> str:
    return "training" if name.startswith("train") else "validation"


def _scale(name: str) -> int:
    """Accuracies are shown in per cent."""
    return 100 if name.endswith("accuracy") else 1


def _unit(what: str) -> str:
    return "accuracy %" if what == "accuracy" else "loss"


def _history(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    variant = scope.variant(wanted["variants"][0])
    figure, panels = new_figure(8, 3.2, 1, 2)
    if not rows:
        for panel in panels:
            say(panel, _title(variant))
        return figure
    if not variant.complete:
        figure.suptitle(fit(_title(variant), 90), fontsize=9, color=MUTE)
    _epochs(scope, panels, wanted, rows)
    key(figure, _line_key(_colour(scope, variant.label), rows), below=True)
    return figure


def _histories(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    from matplotlib.lines import Line2D

    figure, panels = new_figure(8, 3.8, 1, 2)
    _epochs(scope, panels, wanted, rows)
    variants = [scope.variant(label) for label in wanted["variants"]]
    lines = [Line2D([], [], color=_colour(scope, variant.label), linewidth=3) for variant in variants]
    key(figure, [(line, _title(variant)) for line, variant in zip(lines, variants, strict=True)])
    key(figure, _line_key(MUTE, rows), below=True)
    return figure


def _colour(scope: Scope, label: str) -> str:
    return scope.colours[label]


def _line_key(colour: str, rows: Rows) -> list[tuple[Any, str]]:
    """What solid, dashed, filled and hollow mean."""
    from matplotlib.lines import Line2D

    points = max((len(own) for own in by_variant(rows).values()), default=0) <= FEW_EPOCHS
    entries: list[tuple[Any, str]] = [
        (Line2D([], [], **_stroke("train", colour, points=points)), "training (solid)"),
        (Line2D([], [], **_stroke("val", colour, points=points)), "validation (dashed)"),
    ]
    names = {name for row in rows for name in row}
    printed = [part for part in ("train", "val") if names & {f"printed_{part}_loss", f"printed_{part}_accuracy"}]
    return entries + [(Line2D([], [], **_diamond(part, colour)), f"{_part(part)}, printed") for part in printed]


def _stroke(part: str, colour: str, *, points: bool) -> dict[str, Any]:
    """Of a curve; its points, where it shows them, are filled or hollow, as a single one has no line to tell it by."""
    look: dict[str, Any] = {"color": colour, "linewidth": 1.5, "linestyle": "-" if part == "train" else "--"}
    face = colour if part == "train" else "white"
    return look | ({"marker": "o", "markersize": 3.5, "markerfacecolor": face} if points else {})


def _diamond(part: str, colour: str) -> dict[str, Any]:
    return PRINTED | {
        "color": colour if part == "train" else "white",
        "markeredgecolor": colour,
        "markeredgewidth": 1.5,
    }


def _epochs(scope: Scope, panels: Sequence["Axes"], wanted: Wanted, rows: Rows) -> None:
    from matplotlib.ticker import MaxNLocator

    by_label = by_variant(rows)
    for panel, what in zip(panels, ("loss", "accuracy"), strict=True):
        for label in wanted["variants"]:
            own = by_label.get(label, [])
            for part in ("train", "val") if own else ():
                _line(panel, own, f"{part}_{what}", _colour(scope, label))
        panel.set(xlabel="epoch", ylabel=_unit(what))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panel.margins(x=0.04 if len(rows) > 1 else 0.5)


def _line(axes: "Axes", rows: Rows, name: str, colour: str) -> None:
    """Mean, the band of one deviation, and the printed value as a diamond."""
    part, scale = name.split("_")[0], _scale(name)
    x, y = [row["epoch"] for row in rows], scale * np.array([row[name] for row in rows])
    axes.plot(x, y, **_stroke(part, colour, points=len(x) <= FEW_EPOCHS))
    spread = scale * np.array([row[f"{name}_sd"] or 0.0 for row in rows])
    if spread.any():
        axes.fill_between(x, y - spread, y + spread, color=colour, alpha=0.18, linewidth=0)
    printed = rows[-1].get(f"printed_{name}")
    if printed is not None:
        axes.plot(rows[-1].get("printed_epochs", x[-1]), scale * printed, zorder=3, **_diamond(part, colour))


def _metrics(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    last = [row for row in rows if row["weights"] == "last"]
    figure, panels = new_figure(_width(len(last), 9.0, 1.4, 0.9), 5.6, 2, 2)
    for panel, name in zip(panels, HISTORY, strict=True):
        spreads = [_symmetric(row[name], row[f"{name}_sd"]) for row in last]
        _bars(panel, scope, last, name, spreads)
        panel.set_title(f"{_part(name)} {_unit(name.split('_')[1])}, last epoch", fontsize=9)
    name_places(figure, [(panel, [_bar_name(scope, row) for row in last]) for panel in panels], columns=2)
    _printed_key(figure, last, HISTORY)
    return figure


def _width(bars: int, least: float, each: float, further: float) -> float:
    """In inches, of a figure with so many bars: those after the first few are narrower, or no page has room for it."""
    return max(least, each * min(bars, _BROAD) + further * max(bars - _BROAD, 0))


def _symmetric(value: float | None, spread: float | None) -> Interval | None:
    return None if value is None or spread is None else (value - spread, value + spread)


def _bar_name(scope: Scope, row: dict[str, Any], name: str | None = None) -> str:
    """A bar's name; what is missing of a variant that is partly done stands behind it."""
    variant = scope.variant(row["variant"])
    name = variant.title if name is None else name
    return f"{name} ({variant.state})" if variant.done and not variant.complete else name


def _bars(axes: "Axes", scope: Scope, rows: Rows, name: str, intervals: Sequence[Interval | None]) -> None:
    """A bar, an interval and a diamond for each row; where there is no result its state."""
    scale, beside = _scale(name), _beside(rows, name)
    look: dict[str, Any] = {"rotation": 90, "color": MUTE, "fontsize": 8, "in_layout": False}
    look |= {"ha": "center", "va": "bottom", "transform": axes.get_xaxis_transform()}
    for place, row in enumerate(rows):
        if row[name] is None:
            state = fit(scope.variant(row["variant"]).state, 24)
            axes.text(place + beside, 0.03, state, **look)
        printed = row.get(f"printed_{name}")
        if printed is not None:
            axes.plot(place + _DIAMOND, scale * printed, **PRINTED)
    there = [(place + beside, row) for place, row in enumerate(rows) if row[name] is not None]
    if there:
        places, found = zip(*there, strict=True)
        heights, looks = [scale * row[name] for row in found], [_colour(scope, row["variant"]) for row in found]
        axes.bar(places, heights, _WIDTH, color=looks)
    _error_bars(axes, scale, [row[name] for row in rows], intervals, beside)
    if not axes.patches and not axes.lines:
        axes.set_yticks([])  # a scale of nothing


def _beside(rows: Rows, name: str) -> float:
    """Where bars stand, from the middle of their places: aside where some place has a diamond too."""
    return _BAR if any(row.get(f"printed_{name}") is not None for row in rows) else 0.0


def _error_bars(
    axes: "Axes",
    scale: int,
    values: Sequence[float | None],
    intervals: Sequence[Interval | None],
    beside: float,
) -> None:
    """All in one piece: one by one they take two fifths of the time of a figure of many bars."""
    ends = [
        (place + beside, scale * value, scale * (value - interval[0]), scale * (interval[1] - value))
        for place, (value, interval) in enumerate(zip(values, intervals, strict=True))
        if value is not None and interval is not None
    ]
    if ends:
        places, heights, below, above = zip(*ends, strict=True)
        axes.errorbar(places, heights, [below, above], fmt="none", color="black", capsize=3, linewidth=1)


def _printed_key(figure: "Figure", rows: Rows, names: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    if any(row.get(f"printed_{name}") is not None for row in rows for name in names):
        key(figure, [(Line2D([], [], **PRINTED), "printed")])


def _interval(row: dict[str, Any]) -> Interval | None:
    return None if row["low"] is None else (row["low"], row["high"])


def _accuracy_bars(axes: "Axes", scope: Scope, rows: Rows, *, values: bool = True) -> None:
    """`values`: whether there is room for each bar's."""
    _bars(axes, scope, rows, "test_accuracy", [_interval(row) for row in rows])
    highest, beside = 0.0, _beside(rows, "test_accuracy")
    for place, row in enumerate(rows):
        if row["test_accuracy"] is not None:
            value, top = 100 * row["test_accuracy"], 100 * (row["high"] or row["test_accuracy"])
            if values:
                axes.text(place + beside, top + 1, f"{value:.1f}", ha="center", va="bottom", fontsize=8)
            highest = max(highest, top)
        highest = max(highest, 100 * (row["printed_test_accuracy"] or 0))
    axes.set(ylabel="test accuracy %", ylim=(0, max(10.0, 1.08 * highest + 4)))


def _accuracy(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    figure, (axes,) = new_figure(_width(len(rows), 6.0, 1.2, 0.5), 4.2)
    _accuracy_bars(axes, scope, rows)
    name_places(figure, [(axes, [_bar_name(scope, row) for row in rows])])
    _printed_key(figure, rows, ["test_accuracy"])
    return figure


def _tuning(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    own = {sweep: [row for row in rows if row["sweep"] == sweep] for sweep in wanted["sweeps"]}
    most = max(map(len, own.values()), default=1)
    columns = 1 if most > _WIDE else min(3, len(own)) or 1
    lines = -(-len(own) // columns)
    width = min(max(3.2, (0.8 if most <= _WIDE else 0.45) * most + 0.75), _WIDEST)
    figure, panels = new_figure(width * columns, 3.8 * lines, lines, columns)
    for panel in panels[len(own) :]:
        panel.axis("off")
    named = []
    for panel, (sweep, points) in zip(panels, own.items(), strict=False):
        each = (width - 0.75) / max(len(points), 1)  # inches
        _accuracy_bars(panel, scope, points, values=each >= _OF_A_VALUE)
        named.append((panel, _point_names(scope, points, each)))
        panel.set_title(fit(scope.submission.layout["sweeps"][sweep]["title"], 36), fontsize=10)
    name_places(figure, named, columns=columns)
    for panel in panels:
        panel.set_ylim(0, max(one.get_ylim()[1] for one in panels))
    _printed_key(figure, rows, ["test_accuracy"])
    return figure


def _point_names(scope: Scope, points: Rows, each: float) -> list[str]:
    """A bar has `each` inches; where there is no room for all names, some."""
    names = [_bar_name(scope, row, row["point"]) for row in points]
    every = max(1, -(-_OF_A_NAME // each))
    return [name if place % every == 0 else "" for place, name in enumerate(names)]


def _complexity(scope: Scope, wanted: Wanted, rows: Rows) -> "Figure":
    from matplotlib.lines import Line2D

    figure, (left, right) = new_figure(_width(len(rows), 11.0, 1.3, 0.9), 4.8, 1, 2)
    _accuracy_bars(left, scope, rows)
    name_places(figure, [(left, [_bar_name(scope, row) for row in rows])], columns=2)
    entries: list[tuple[Any, str]] = []
    for number, row in enumerate(rows):
        look: dict[str, Any] = {
            "color": _colour(scope, row["variant"]),
            "marker": MARKERS[number % len(MARKERS)],
            "markerfacecolor": "none",  # points that coincide are all seen
            "linestyle": "none",
        }
        _size_and_accuracy(right, row, look)
        entries.append((Line2D([], [], markersize=7, **look), _title(scope.variant(row["variant"]))))
    missing = [scope.variant(row["variant"]).title for row in rows if row["test_accuracy"] is None]
    if missing:
        right.set_title(fit(f"no result: {', '.join(missing)}", 62), fontsize=8, color=MUTE)
    if right.lines or right.containers:
        right.set(xlabel="parameters", ylabel="test accuracy %", ylim=left.get_ylim())
        scale_of_counts(right)
    else:
        say(right, "no result yet")
    key(figure, entries, below=True)
    _printed_key(figure, rows, ["test_accuracy"])
    return figure


def _size_and_accuracy(axes: "Axes", row: dict[str, Any], look: dict[str, Any]) -> None:
    """Ours as a point with its interval, the printed pair as a diamond of the variant's colour."""
    value, interval = row["test_accuracy"], _interval(row)
    if value is not None:
        error = [[100 * (value - interval[0])], [100 * (interval[1] - value)]] if interval else None
        axes.errorbar(row["parameters"], 100 * value, error, capsize=3, markersize=7, **look)
    if row["printed_test_accuracy"] is not None and row["printed_parameters"] is not None:
        shape = PRINTED | {"color": look["color"], "markeredgecolor": "black"}
        axes.plot(row["printed_parameters"], 100 * row["printed_test_accuracy"], **shape)


_DRAWINGS: dict[str, Callable[[Scope, Wanted, Rows], "Figure"]] = {
    "class_distribution": pictures.class_distribution,
    "samples": pictures.samples,
    "history": _history,
    "histories": _histories,
    "metrics": _metrics,
    "augmentation": pictures.augmentation,
    "tuning": _tuning,
    "complexity": _complexity,
    "accuracy": _accuracy,
    "confusion": pictures.confusion,
}
