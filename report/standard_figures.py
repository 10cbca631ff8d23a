"""Drawings of the figures that every report has, from the rows of `report.standard_rows` and the variants' colours."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from report.calibration import BINS
from report.canvas import key, new_figure, say, scale_of_counts
from report.captions import Wanted
from report.figure_data import Rows, by_variant
from report.figures import FEW_EPOCHS, draw
from report.matrices import classes, pairs
from report.numbers import interval_text, percent
from report.pareto import COSTS
from report.rates import far_apart
from report.scope import Scope
from report.theme import MARKERS, MUTE, PRINTED, colours, fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Colours = Mapping[str, str]
"""By label."""

MOST_NAMED = 14  # variants that the legend of costs names; of more, those that nothing dominates
MOST_RELIABILITY = 8  # variants with a panel
_DASHES = ("-", "--", ":")
MOST_HISTORIES = 12  # variants with curves
_LINE, _TWO_LINES = 0.28, 0.36  # inches of a row with a name
_FOOT = 0.36  # of the height of accuracies, which shares take below them


def standard_figure(scope: Scope, kind: str, rows: Rows) -> "Figure":
    """`kind`: of `report.standard_rows.FIELDS`."""
    if kind == "histories" and rows:
        return draw(scope, all_histories(list(dict.fromkeys(row["variant"] for row in rows))), rows)
    return draw_standard(kind, rows, colours(scope.submission.variants))


def draw_standard(kind: str, rows: Rows, palette: Colours) -> "Figure":
    """One that needs nothing but its rows; of `histories` that is the empty one."""
    return _DRAWINGS[kind](rows, palette)


def all_histories(labels: Sequence[str]) -> Wanted:
    """The figure of the first of these variants, as a suite would ask for it."""
    return {"kind": "histories", "variants": [*labels[:MOST_HISTORIES]], "sweeps": []}


def _empty(text: str) -> "Figure":
    figure, (axes,) = new_figure(6.0, 1.6)
    say(axes, text)
    return figure


def _none(rows: Rows, colours: Colours) -> "Figure":
    return _empty("no result yet")


def _forest(rows: Rows, colours: Colours) -> "Figure":
    """A line for each config; points of sweeps, which are no rivals, in a panel of their own and grey."""
    groups = [own for of_sweep in (False, True) if (own := [row for row in rows if row["of_sweep"] is of_sweep])]
    if not groups:
        return _empty("no result yet")
    lines = [len(own) + 0.4 for own in groups]
    long = any("\n" in _name(row) for row in rows)
    figure, panels = new_figure(
        9.0, 0.7 + (_TWO_LINES if long else _LINE) * sum(lines) + 0.25 * len(groups), len(groups), heights=lines
    )
    several = len({row["n"] for row in rows}) > 1
    for panel, own in zip(panels, groups, strict=True):
        sweep = own[0]["of_sweep"]
        _intervals(panel, own, [MUTE if sweep else colours[row["variant"]] for row in own])
        _lines_named(panel, own, several=several)
        if len(groups) > 1:
            panel.set_title("Points of sweeps" if sweep else "Variants", fontsize=9, loc="left")
    _same_width(panels)
    panels[-1].set_xlabel("test accuracy %")
    if any(row["printed_test_accuracy"] is not None for row in rows):
        from matplotlib.lines import Line2D

        key(figure, [(Line2D([], [], **PRINTED), "printed")])
    return figure


def _name(row: Mapping[str, Any]) -> str:
    return fit(row["title"], 44, 2)


def _intervals(axes: "Axes", rows: Rows, colours: Sequence[str]) -> None:
    known = [place for place, row in enumerate(rows) if row["low"] is not None]
    lows, highs = ([100 * rows[place][end] for place in known] for end in ("low", "high"))
    axes.hlines(known, lows, highs, colors=[colours[place] for place in known], linewidth=2)
    axes.scatter([100 * row["test_accuracy"] for row in rows], range(len(rows)), c=colours, s=28, zorder=3)
    printed = [
        (100 * value, place) for place, row in enumerate(rows) if (value := row["printed_test_accuracy"]) is not None
    ]
    if printed:
        x, y = zip(*printed, strict=True)
        axes.plot(x, np.array(y) + 0.2, **PRINTED | {"markersize": 4}, zorder=4)  # below the point, which stays seen


def _lines_named(axes: "Axes", rows: Rows, *, several: bool) -> None:
    """The name to the left of each line and its numbers to the right; `several`: numbers of seeds."""
    axes.set_yticks(range(len(rows)), [_name(row) for row in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    for place, row in enumerate(rows):
        text = percent(row["test_accuracy"])
        text += f" {interval_text(row['low'], row['high'])}" if row["low"] is not None else ""
        text += f", n = {row['n']}" if several else ""
        axes.text(1.01, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8)


def _same_width(panels: Sequence["Axes"]) -> None:
    ends = [panel.get_xlim() for panel in panels]
    for panel in panels:
        panel.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))


def _pareto(rows: Rows, colours: Colours) -> "Figure":
    """Accuracy against each cost; the line joins what nothing dominates, all others are hollow."""
    if not rows:
        return _empty("no result yet")
    figure, panels = new_figure(12.0, 4.4, 1, len(COSTS))
    named = [row for row in rows if len(rows) <= MOST_NAMED or any(row[f"dominated_{cost}"] is None for cost in COSTS)]
    looks = {row["variant"]: (colours[row["variant"]], MARKERS[k % len(MARKERS)]) for k, row in enumerate(named)}
    for panel, (cost, name) in zip(panels, COSTS.items(), strict=True):
        known = [row for row in rows if row[cost] is not None and row["test_accuracy"] is not None]
        _front(panel, [row for row in known if row[f"dominated_{cost}"] is None], cost)
        for row in known:
            _point(panel, row, cost, *looks.get(row["variant"], (MUTE, "o")))
        if known:
            panel.set_xlabel(name)
            scale_of_counts(panel)
        else:
            say(panel, f"no {name} known")
    _same_heights(panels)
    panels[0].set_ylabel("test accuracy %")
    key(figure, _names(named, looks, len(rows) - len(named)), below=True)
    return figure


def _front(axes: "Axes", rows: Rows, cost: str) -> None:
    """As stairs: with so much of the cost this accuracy is reached."""
    front = sorted((row[cost], 100 * row["test_accuracy"]) for row in rows)
    if front:
        axes.step(*zip(*front, strict=True), where="post", color=MUTE, linewidth=1, zorder=1)


def _point(axes: "Axes", row: dict[str, Any], cost: str, colour: str, marker: str) -> None:
    value, face = 100 * row["test_accuracy"], colour if row[f"dominated_{cost}"] is None else "white"
    if row["low"] is not None:
        axes.vlines(row[cost], 100 * row["low"], 100 * row["high"], color=colour, linewidth=0.8, alpha=0.6, zorder=2)
    axes.plot(
        row[cost], value, marker=marker, color=colour, markerfacecolor=face, markersize=7, linestyle="none", zorder=3
    )


def _names(rows: Rows, looks: Mapping[str, tuple[str, str]], others: int) -> list[tuple[Any, str]]:
    from matplotlib.lines import Line2D

    shown = [(row["title"], *looks[row["variant"]]) for row in rows] + (
        [(f"{others} others", MUTE, "o")] if others else []
    )
    return [(Line2D([], [], color=colour, marker=shape, linestyle="none"), name) for name, colour, shape in shown]


def _same_heights(panels: Sequence["Axes"]) -> None:
    filled = [panel for panel in panels if panel.lines]
    ends = [panel.get_ylim() for panel in filled]
    for panel in filled:
        panel.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))


def _calibration(rows: Rows, colours: Colours) -> "Figure":
    """A panel for each of the first variants: accuracy against confidence, and below it where the images are."""
    shown = list(by_variant(rows).items())[:MOST_RELIABILITY]
    if not shown:
        return _empty("no predictions yet")
    columns = min(4, len(shown))
    lines = -(-len(shown) // columns)
    figure, panels = new_figure(0.7 + 2.6 * columns, 0.5 + 3.0 * lines, lines, columns)
    most = max(row["share"] for _, own in shown for row in own)
    for panel in panels[len(shown) :]:
        panel.axis("off")
    for place, (label, own) in enumerate(shown):
        panel = panels[place]
        _reliability(panel, own, colours[label], most)
        panel.set_title(fit(own[0]["title"], 30, 3), fontsize=8)
        _ticks(panel, most, left=place % columns == 0, below=place + columns >= len(shown))
    figure.supxlabel("confidence %", fontsize=9)
    figure.supylabel("accuracy %; below it: share of the images", fontsize=9)
    return figure


def _reliability(axes: "Axes", rows: Rows, colour: str, most: float) -> None:
    """Above 0 accuracies, below it shares, of which `most` is drawn highest."""
    sure, right = (np.array([row[name] for row in rows]) for name in ("confidence", "accuracy"))
    axes.plot([0, 1], [0, 1], color=MUTE, linewidth=0.8, linestyle=":")
    axes.fill_between(sure, sure, right, color=colour, alpha=0.15, linewidth=0)
    axes.plot(sure, right, color=colour, marker="o", markersize=3.5, linewidth=1.2)
    axes.axhline(0, color="black", linewidth=0.6)
    tops = np.full(BINS, -_FOOT)
    for row in rows:
        tops[row["bin"]] += 0.8 * _FOOT * row["share"] / most
    axes.stairs(tops, np.linspace(0, 1, BINS + 1), baseline=-_FOOT, fill=True, color=colour, alpha=0.55)


def _ticks(axes: "Axes", most: float, *, left: bool, below: bool) -> None:
    """Numbers at the outer panels alone; all have one scale."""
    axes.set(xlim=(0, 1), ylim=(-_FOOT, 1.02))
    places = (-_FOOT, -0.2 * _FOOT, 0, 0.5, 1)
    axes.set_yticks(places, ("0", f"{100 * most:.0f}", "0", "50", "100") if left else [""] * 5, fontsize=7)
    axes.set_xticks((0, 0.5, 1), ("0", "50", "100") if below else [""] * 3, fontsize=7)


def _flips(rows: Rows, colours: Colours) -> "Figure":
    """The first pair: to the right what only the one gets right, to the left what only the other does."""
    if not rows:
        return _empty("fewer than two variants to compare")
    pair = [row for row in rows if (row["ours"], row["theirs"]) == (rows[0]["ours"], rows[0]["theirs"])]
    figure, (axes,) = new_figure(9.0, 1.1 + 0.24 * len(pair))
    places = np.arange(len(pair))
    for side, way in (("ours", 1), ("theirs", -1)):
        title = fit(f"only {rows[0][f'{side}_title']} right", 60, 2)
        lengths = [way * row[f"only_{side}_right"] for row in pair]
        axes.barh(places, lengths, 0.7, color=colours[rows[0][side]], label=title)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(places, [fit(row["class"], 40, 1) for row in pair], fontsize=8)
    axes.set_ylim(len(pair) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    most = max(abs(end) for end in axes.get_xlim())
    axes.set_xlim(-most, most)
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes.set_xlabel("test images, mean over pairs of seeds")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def _rates(rows: Rows, colours: Colours) -> "Figure":
    """A line for each schedule, with the band of one deviation where seeds had different rates."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    if not rows:
        return _empty("no rate moved")
    figure, (axes,) = new_figure(6.5, 3.2)
    shown = list(by_variant(rows).items())[:MOST_HISTORIES]
    if far_apart([row for _, own in shown for row in own]):
        axes.set_yscale("log")
    entries, met = [], Counter[str]()
    for label, own in shown:
        line: dict[str, Any] = {
            "color": colours[label],
            "linestyle": _DASHES[met[colours[label]] % len(_DASHES)],  # colours are fewer than lines may be
            "linewidth": 1.5,
            "marker": "o" if len(own) <= FEW_EPOCHS else "",
        }
        epochs, rates = ([row[name] for row in own] for name in ("epoch", "learning_rate"))
        axes.plot(epochs, rates, markersize=3.5, **line)
        spread = np.array([row["learning_rate_sd"] or 0.0 for row in own])
        if spread.any():
            low = np.maximum(np.array(rates) - spread, min(rates) / 10)  # on a logarithmic axis there is no nothing
            axes.fill_between(epochs, low, np.array(rates) + spread, color=colours[label], alpha=0.18, linewidth=0)
        met[colours[label]] += 1
        entries.append((Line2D([], [], **line), own[0]["title"]))
    axes.set(xlabel="epoch", ylabel="learning rate")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    key(figure, entries)
    return figure


_DRAWINGS: dict[str, Callable[[Rows, Colours], "Figure"]] = {
    "forest": _forest,
    "pairs": pairs,
    "pareto": _pareto,
    "classes": classes,
    "flips": _flips,
    "calibration": _calibration,
    "histories": _none,
    "rates": _rates,
}
