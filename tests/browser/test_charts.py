"""What the charts of report.html draw, mark by mark, beside the rows of report.json."""

import math
import re

import numpy as np
import pytest

PIXEL = 0.6
MARKS = """([figure, what]) => [...document.querySelectorAll(`#${figure} .plot ${what}`)].map((mark) => ({
  series: mark.closest("[data-series]")?.dataset.series,
  tip: mark.tip || mark.parentNode.tip,
  text: mark.textContent,
  class: mark.getAttribute("class"),
  fill: mark.getAttribute("fill"),
  ...Object.fromEntries(
    ["cx", "cy", "x", "y", "width", "height", "fill-opacity"].map((name) => [name, Number(mark.getAttribute(name))]),
  ),
  d: mark.getAttribute("d"),
}))"""


@pytest.fixture
def shown(opened, study):
    """A function that gives the rows of a figure and the marks that a selector finds in it."""
    html, numbers = study
    with opened(html) as one:
        page = one.drawn()

        def find(figure, what, **choices):
            for name, value in choices.items():
                page.locator(f"#{figure} select[name={name}]").select_option(value)
            return numbers["figures"][figure], page.evaluate(MARKS, [figure, what])

        yield find


def on_a_line(values, pixels):
    """Whether places are values on one scale; gives the slope."""
    slope, start = np.polyfit(values, pixels, 1)
    assert np.abs(np.polyval((slope, start), values) - pixels).max() < PIXEL
    return slope


def test_the_forest_has_each_accuracy_and_interval_in_its_place(shown):
    rows, points = shown("figure_A_forest", "circle", sweeps="show")
    rows = sorted(rows, key=lambda row: row["of_sweep"])  # below the variants
    _, lines = shown("figure_A_forest", ".whisker")
    assert [mark["series"] for mark in points] == [row["variant"] for row in rows]
    ends = [[float(end) for end in re.findall(r"M([\d.]+),", mark["d"])] for mark in lines]
    values = [row[name] for row in rows for name in ("test_accuracy", "low", "high")]
    pixels = [x for mark, end in zip(points, ends, strict=True) for x in (mark["cx"], end[0], end[-1])]
    assert on_a_line(values, pixels) > 0
    for row, mark in zip(rows, points, strict=True):
        told = " ".join(mark["tip"]).removeprefix(row["title"])
        value, low, high = re.search(r"([\d.]+) ± .* interval: ([\d.]+) to ([\d.]+)", told).groups()
        wanted = [100 * row[name] for name in ("test_accuracy", "low", "high")]
        assert [float(value), float(low), float(high)] == pytest.approx(wanted, abs=0.0051)


@pytest.mark.parametrize("figure", ["figure_12_test_accuracy", "figure_10_tuning"])
def test_bars_are_as_long_as_their_values_in_every_panel(shown, figure):
    rows, bars = shown(figure, "rect[fill]")
    known = [row for row in rows if row["test_accuracy"] is not None]
    assert [mark["series"] for mark in bars] == [row["variant"] for row in known]
    scales = [mark["width"] / row["test_accuracy"] for mark, row in zip(bars, known, strict=True)]
    assert scales == pytest.approx([scales[0]] * len(scales), rel=1e-4)


def test_a_cell_of_the_pairs_is_the_row_less_the_column_and_marked_where_told_apart(shown):
    rows, cells = shown("figure_B_pairs", "g > rect.cell")
    _, groups = shown("figure_B_pairs", "g:has(> rect.cell)")
    by_pair = {(row["ours"], row["theirs"]): row for row in rows}
    labels = sorted({label for pair in by_pair for label in pair}, key=lambda label: -accuracy_of(rows, label))
    columns, lines = (sorted({mark[axis] for mark in cells}) for axis in ("x", "y"))
    assert len(cells) == len(labels) * (len(labels) - 1)
    for mark, group in zip(cells, groups, strict=True):
        ours, theirs = labels[lines.index(mark["y"])], labels[columns.index(mark["x"])]
        row = by_pair.get((ours, theirs)) or by_pair[theirs, ours]
        value = row["difference"] if (ours, theirs) in by_pair else -row["difference"]
        text = f"{100 * value:+.1f}".replace("-", "−") + ("*" if row["ahead"] else "=" if row["equal"] else "")
        assert group["text"] == text
        assert mark["class"] == ("cell less" if value < 0 else "cell more")
        assert row["verdict"] in group["tip"]
        assert group["tip"][0].startswith(f"{row['ours_title' if (ours, theirs) in by_pair else 'theirs_title']} less ")
        told = float(group["tip"][1].split(" ")[0].replace("−", "-"))
        assert told == pytest.approx(100 * value, abs=0.0051)


def accuracy_of(rows, label):
    """Mean difference to all others: it orders variants as their accuracy does."""
    own = [row["difference"] for row in rows if row["ours"] == label]
    return sum(own) - sum(row["difference"] for row in rows if row["theirs"] == label)


@pytest.mark.parametrize("cost", ["parameters", "flops", "train_s"])
def test_points_of_costs_are_hollow_where_they_are_dominated(shown, cost):
    rows, points = shown("figure_C_pareto", "circle", cost=cost)
    assert [mark["series"] for mark in points] == [row["variant"] for row in rows]
    assert on_a_line([math.log(row[cost]) for row in rows], [mark["cx"] for mark in points]) > 0
    assert on_a_line([row["test_accuracy"] for row in rows], [mark["cy"] for mark in points]) < 0
    hollow = [mark["fill"] == "var(--paper)" for mark in points]
    assert hollow == [row[f"dominated_{cost}"] is not None for row in rows]


@pytest.mark.parametrize("score", ["recall", "precision", "f1"])
def test_a_cell_of_the_classes_is_as_strong_as_its_score(shown, score):
    rows, cells = shown("figure_D_classes", "rect.cell", score=score)
    assert len(cells) == len(rows)
    found = {(row["variant"], row["class"]): row for row in rows}
    for mark in cells:
        row = found[mark["series"], mark["tip"][0].rpartition(": ")[2]]
        assert mark["fill-opacity"] == pytest.approx(row[score] ** 1.5, abs=0.001)
        told = float(re.search(rf"{score} ([\d.]+)", " ".join(mark["tip"]), re.IGNORECASE)[1])
        assert told == pytest.approx(100 * row[score], abs=0.0051)


def test_flips_lie_on_the_side_of_the_variant_that_is_right(shown):
    rows, bars = shown("figure_E_flips", "rect[fill]")
    rows = [row for row in rows if (row["ours"], row["theirs"]) == (rows[0]["ours"], rows[0]["theirs"])]
    right, left = bars[::2], bars[1::2]
    middle = right[0]["x"]
    for row, ours, theirs in zip(rows, right, left, strict=True):
        assert ours["x"] == pytest.approx(middle)
        assert theirs["x"] + theirs["width"] == pytest.approx(middle)
        assert f"{row['only_ours_right']:.1f} images only {row['ours_title']} got right" in ours["tip"]
    counts = [row[name] for row in rows for name in ("only_ours_right", "only_theirs_right")]
    scales = [mark["width"] / count for mark, count in zip(bars, counts, strict=True) if count]
    assert scales == pytest.approx([scales[0]] * len(scales), rel=1e-4)


def test_reliability_shows_confidence_accuracy_and_shares_of_each_bin(shown):
    rows, points = shown("figure_F_calibration", "circle")
    _, shares = shown("figure_F_calibration", ".shares")
    first = rows[0]["variant"]
    own = [(row, mark) for row, mark in zip(rows, points, strict=True) if row["variant"] == first]
    assert {mark["series"] for _, mark in own} == {first}
    assert on_a_line([row["confidence"] for row, _ in own], [mark["cx"] for _, mark in own]) > 0
    assert on_a_line([row["accuracy"] for row, _ in own], [mark["cy"] for _, mark in own]) < 0
    heights = [mark["height"] / row["share"] for row, mark in zip(rows, shares, strict=True)]
    assert heights == pytest.approx([heights[0]] * len(heights), rel=1e-4)


def places(path):
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)", path)]


@pytest.mark.parametrize(("panel", "what"), [(0, "loss"), (1, "accuracy")])
def test_curves_are_the_means_and_bands_one_deviation(shown, panel, what):
    rows, curves = shown("figure_05_improvement_histories", ".curve")
    _, bands = shown("figure_05_improvement_histories", ".band")
    lines, around = (marks[8 * panel : 8 * panel + 8] for marks in (curves, bands))  # four variants, two parts
    pixels, values = [], []
    for place, (line, band) in enumerate(zip(lines, around, strict=True)):
        name = f"{'train' if place % 2 == 0 else 'val'}_{what}"
        own = [row for row in rows if row["variant"] == line["series"]]
        points, edges = places(line["d"]), places(band["d"])
        assert on_a_line([row["epoch"] for row in own], [x for x, _ in points]) > 0
        upper, lower = edges[: len(own)], edges[len(own) :][::-1]
        for row, point, high, low in zip(own, points, upper, lower, strict=True):
            spread = row[f"{name}_sd"] or 0
            values += [row[name], row[name] + spread, row[name] - spread]
            pixels += [point[1], high[1], low[1]]
    assert on_a_line(values, pixels) < 0


def test_the_arrow_keys_go_through_the_marks_of_a_figure(opened, study):
    html, numbers = study
    with opened(html) as one:
        page = one.drawn()
        page.locator("#figure_A_forest .plot svg").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        rivals = [row for row in numbers["figures"]["figure_A_forest"] if not row["of_sweep"]]
        assert page.locator(".tip").inner_text().startswith(rivals[1]["title"])
        page.keyboard.press("ArrowUp")
        assert page.locator(".tip").inner_text().startswith(rivals[0]["title"])


def test_a_schedule_is_a_line_of_its_rates_on_the_axis_that_is_chosen(shown):
    for axis, scale in (("linear", float), ("log", math.log)):
        rows, curves = shown("figure_H_rates", ".curve", axis=axis)
        assert [curve["series"] for curve in curves] == [*dict.fromkeys(row["variant"] for row in rows)]
        epochs, rates, pixels = [], [], []
        for curve in curves:
            own = [row for row in rows if row["variant"] == curve["series"]]
            epochs += [row["epoch"] for row in own]
            rates += [scale(row["learning_rate"]) for row in own]
            pixels += places(curve["d"])
        assert len(pixels) == len(rows)
        assert on_a_line(epochs, [x for x, _ in pixels]) > 0
        assert on_a_line(rates, [y for _, y in pixels]) < 0
