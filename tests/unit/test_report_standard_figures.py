"""Drawings and captions of the figures that every report has, of few and many variants, plain and hostile names."""

from itertools import pairwise

import numpy as np
import pytest
from drawn_words import boxes, words_outside
from filled_store import CASES, filled
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from standard_rows_made_up import made_up

from report.pairs import compare, pairs_table
from report.scope import read_scope
from report.standard_captions import TITLES, standard_caption
from report.standard_figures import MOST_RELIABILITY, draw_standard
from report.standard_rows import standard_rows
from report.theme import COLOURS, style

LONG = "A variant with a very long name $x_1$ & 50% {x} that nobody wants to read in full \U00013000 \x1b"
NAMES = {"plain": "Variant", "hostile": LONG}
ROWS = [(number, name) for number in (0, 1, 12, 40) for name in (NAMES if number else ["plain"])]


def draw(kind, number, name="plain", classes=20):
    rows = made_up(kind, number, NAMES[name], classes)
    with style():
        figure = draw_standard(kind, rows, {f"v{place}": COLOURS[place % len(COLOURS)] for place in range(number)})
        FigureCanvasAgg(figure).draw()
    return figure, rows


KINDS = [kind for kind in TITLES if kind != "histories"]  # those are drawn as a suite's are


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("number", "name"), ROWS)
def test_no_name_leaves_the_picture_or_covers_another(kind, number, name):
    figure, _ = draw(kind, number, name, classes=100 if number == 40 else 20)
    assert words_outside(figure) == []
    for axes in figure.axes:
        names = [text for text in axes.get_yticklabels() if len(text.get_text()) > 6]
        placed = sorted(boxes(names), key=lambda box: box.y0)
        assert all(lower.y1 <= upper.y0 + 1 for lower, upper in pairwise(placed))


@pytest.mark.parametrize("kind", KINDS)
def test_without_rows_a_figure_says_what_is_missing(kind):
    (axes,) = draw(kind, 0)[0].axes
    (text,) = axes.texts
    assert text.get_text().split()[0] in ("no", "fewer")


def test_a_line_of_the_forest_is_an_interval_with_its_point_and_printed_value():
    figure, rows = draw("forest", 12)
    groups = [[row for row in rows if row["of_sweep"] is of_sweep] for of_sweep in (False, True)]
    assert len(figure.axes) == 2
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    for axes, own in zip(figure.axes, groups, strict=True):
        lines, points = axes.collections
        for place, (row, line, point) in enumerate(zip(own, lines.get_segments(), points.get_offsets(), strict=True)):
            assert line.tolist() == [pytest.approx([100 * row[end], place]) for end in ("low", "high")]
            assert point.tolist() == pytest.approx([100 * row["test_accuracy"], place])
        assert [text.get_text() for text in axes.get_yticklabels()] == [row["title"] for row in own]
        printed = [100 * row["printed_test_accuracy"] for row in own if row["printed_test_accuracy"]]
        assert list(axes.lines[0].get_xdata()) == pytest.approx(printed)
        assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first row on top
        numbers = [text.get_text().split()[0] for text in axes.texts]
        assert numbers == [f"{100 * row['test_accuracy']:.2f}" for row in own]


@pytest.mark.parametrize("number", [12, 25, 40])
def test_a_cell_of_the_pairs_is_the_row_less_the_column(number):
    figure, rows = draw("pairs", number)
    axes = figure.axes[0]
    shown = axes.images[0].get_array()
    for row in rows:
        y, x = int(row["ours"][1:]), int(row["theirs"][1:])  # made up best first
        assert shown[y, x] == pytest.approx(100 * row["difference"])
        assert shown[x, y] == pytest.approx(-100 * row["difference"])
    assert (~np.ma.getmaskarray(shown)).sum() == 2 * len(rows)
    assert (len(axes.texts) == 2 * len(rows)) is (number <= 15)
    assert axes.get_yticklabels()[0].get_text() == "1: Variant 0"


def test_pairs_that_are_told_apart_and_equal_ones_are_marked():
    figure, rows = draw("pairs", 12)
    marks = {tuple(map(int, text.get_position())): text.get_text().split("\n")[1:] for text in figure.axes[0].texts}
    kinds = set()
    for row in rows:
        expected = ["*"] if row["ahead"] else ["="] if row["equal"] else []
        y, x = int(row["ours"][1:]), int(row["theirs"][1:])
        assert marks[x, y] == marks[y, x] == expected
        kinds.add(tuple(expected))
    assert kinds == {("*",), ("=",), ()}


def test_the_front_is_joined_and_what_is_dominated_is_hollow():
    figure, rows = draw("pareto", 12)
    for axes, cost in zip(figure.axes, ("parameters", "flops", "train_s"), strict=True):
        stairs, *points = axes.lines
        front = sorted((row[cost], 100 * row["test_accuracy"]) for row in rows if row[f"dominated_{cost}"] is None)
        assert list(zip(*stairs.get_data(), strict=True)) == [pytest.approx(pair) for pair in front]
        for row, point in zip(rows, points, strict=True):
            assert (point.get_xdata()[0], point.get_ydata()[0]) == pytest.approx(
                (row[cost], 100 * row["test_accuracy"])
            )
            hollow = to_hex(point.get_markerfacecolor()) == "#ffffff"
            assert hollow is (row[f"dominated_{cost}"] is not None)


def test_recalls_stand_with_the_hardest_class_to_the_left_and_none_without_images():
    figure, rows = draw("classes", 12)
    axes = figure.axes[0]
    names = [text.get_text() for text in axes.get_xticklabels()]
    shown = axes.images[0].get_array()
    for row in rows:
        cell = shown[int(row["variant"][1:]), names.index(row["class"])]
        assert cell is np.ma.masked if row["images"] == 0 else cell == pytest.approx(100 * row["recall"])
    means = [column for column in shown.mean(0) if column is not np.ma.masked]
    assert means == sorted(means)


@pytest.mark.parametrize("number", [1, 12, 40])
def test_a_panel_of_reliability_is_the_rows_of_its_variant(number):
    figure, rows = draw("calibration", number)
    panels = [axes for axes in figure.axes if axes.lines]
    assert len(panels) == min(number, MOST_RELIABILITY)
    for place, axes in enumerate(panels):
        own = [row for row in rows if row["variant"] == f"v{place}"]
        curve = axes.lines[1]
        assert list(curve.get_xdata()) == [row["confidence"] for row in own]
        assert list(curve.get_ydata()) == [row["accuracy"] for row in own]
        heights = axes.patches[0].get_data().values - axes.patches[0].get_data().baseline
        shares = np.zeros(15)
        shares[[row["bin"] for row in own]] = [row["share"] for row in own]
        assert heights / heights.max() == pytest.approx(shares / shares.max())


@pytest.fixture(scope="module", params=CASES)
def scope(request, tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), **CASES[request.param]) as store:
        yield read_scope(store, None)


def test_captions_are_sentences_that_say_n_and_which_noise(scope):
    rows = standard_rows(scope, pairs_table(scope, compare(scope)).values)
    told = {kind: standard_caption(scope, kind, rows[kind]) for kind in TITLES if kind in rows}
    assert all(text.startswith("n = ") and text.endswith(".") for text in told.values())
    several = len(scope.variant("baseline").done) > 1
    assert ("of the seeds and the test images" in told["forest"]) is several
    assert ("Wilson" in told["forest"]) is not several
    assert ("McNemar" in told["pairs"]) is not several
    assert "Diamonds: printed values." in told["forest"]
    assert standard_caption(scope, "pairs", []) == "Fewer than two variants have results on the same test images."
