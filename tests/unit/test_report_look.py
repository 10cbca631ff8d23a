"""What a reader sees of the figures: nothing covered, nothing cut off, nothing that a font cannot draw."""

from dataclasses import replace
from itertools import pairwise

import pytest
from drawn_words import boxes, words_outside
from filled_store import CASES, filled
from matplotlib.backends.backend_agg import FigureCanvasAgg

from report.canvas import new_figure, pictures, scale_of_counts
from report.captions import caption
from report.figure_data import figure_rows
from report.figures import _width, draw
from report.scope import read_scope
from report.theme import COLOURS, NO_GLYPH, colours, fit, fonts, lacks_glyphs, style
from scheduler.suite import load_suite

FIGURES = {figure["name"]: figure for figure in load_suite().figures}
LONG = "A variant with a very long name $x_1$ & 50% that nobody wants to read in full \U00013000"


@pytest.fixture(scope="module", params=[*CASES, "long names"])
def scope(request, tmp_path_factory):
    names = {"title": LONG, "classes": tuple(f"\U00013000{number} a class of a long name" for number in range(20))}
    how = CASES["gaps"] | names if request.param == "long names" else CASES[request.param]
    with filled(tmp_path_factory.mktemp("store"), **how) as store:
        yield read_scope(store, None)


@pytest.fixture(scope="module")
def drawn(scope):
    """Each figure as it is laid out, by name; a glyph that is missing would be a warning, and so an error."""
    found = {}
    with style():
        for name, figure in FIGURES.items():
            found[name] = draw(scope, figure, figure_rows(scope, figure))
            FigureCanvasAgg(found[name]).draw()
    return found


@pytest.mark.parametrize("name", FIGURES)
def test_no_word_leaves_the_picture(drawn, name):
    assert words_outside(drawn[name]) == []


@pytest.mark.parametrize("name", ["tuning", "accuracy_and_complexity", "test_accuracy"])
def test_no_diamond_lies_on_a_number_or_on_a_bar(drawn, name):
    figure = drawn[name]
    for axes in figure.axes:
        marks = [line for line in axes.lines if line.get_marker() == "D"] if axes.patches else []
        others = boxes([*axes.texts, *axes.patches])
        for mark in boxes(marks):
            assert not [other for other in others if mark.overlaps(other)]


@pytest.mark.parametrize("name", ["improvement_metrics", "tuning", "accuracy_and_complexity", "test_accuracy"])
def test_names_below_bars_do_not_overlap(drawn, name):
    for axes in drawn[name].axes:
        names = [text for text in axes.get_xticklabels() if text.get_rotation() in (0, 90)] if axes.patches else []
        for left, right in pairwise(boxes(names)):
            assert left.x1 <= right.x0 + 1


@pytest.mark.parametrize("name", ["improvement_metrics", "test_accuracy"])
def test_long_names_take_nothing_from_the_panels(drawn, name):
    heights = [axes.get_window_extent().height / drawn[name].dpi for axes in drawn[name].axes]
    assert min(heights) > 1.2


@pytest.mark.parametrize("name", [name for name, one in FIGURES.items() if one["kind"] in ("history", "histories")])
def test_epochs_are_whole_numbers(drawn, name):
    for axes in drawn[name].axes:
        if axes.lines:
            assert len(axes.get_xticks()) > 0
            assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_panels_of_confusion_are_squares_of_one_size_with_names_to_read(drawn):
    panels = [axes for axes in drawn["confusion_matrices"].axes if axes.get_title()]
    sizes = boxes(panels)
    assert len(panels) == 7
    for box in sizes:
        assert (box.width, box.height) == pytest.approx((sizes[0].width, sizes[0].width), abs=1)
    ticks = [text for axes in panels for text in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    assert len(ticks) >= 200
    assert min(text.get_fontsize() for text in ticks) >= 7
    for axes in panels:
        for left, right in pairwise(boxes(axes.get_xticklabels())):
            assert left.x1 <= right.x0 + 1


def test_captions_say_which_variant_has_how_many_seeds(scope):
    captions = {name: caption(scope, figure) for name, figure in FIGURES.items()}
    assert all(len(text) > 20 and text.endswith(".") for text in captions.values())
    if scope.variant("resnet").done:
        assert captions["test_accuracy"].startswith("n = 1 seed each. ")
        assert captions["resnet_history"].startswith("n = 1 seed. ")
        assert "Wilson" in captions["test_accuracy"]
    elif scope.variant("resnet").title == "ResNet":
        assert captions["improvement_metrics"].startswith(
            "n = 3: Baseline; BatchNorm only; Both improvements. n = 2: Dropout only (2 done, 1 failed: diverged). "
        )
        assert captions["tuning"].split(". ")[1] == (
            "n = 0: Convolution depths: (128, 256) (not submitted); Hidden units: 64 (3 failed: diverged)"
        )
        assert "of the seeds and the test images" in captions["test_accuracy"]
        assert "Wilson" not in captions["test_accuracy"]


def test_a_caption_speaks_of_diamonds_where_there_are_some(scope):
    speaking = {name for name, figure in FIGURES.items() if "Diamonds: printed" in caption(scope, figure)}
    always = {"baseline_history", "improvement_metrics", "improvement_histories", "augmentation_comparison"}
    always |= {"tuning", "accuracy_and_complexity", "test_accuracy"}
    assert speaking == (always | {"resnet_history"} if scope.variant("resnet").done else always)


def test_a_caption_says_what_stands_for_glyphs_that_no_font_has(scope):
    told = {name for name, figure in FIGURES.items() if f"“{NO_GLYPH}” stands for" in caption(scope, figure)}
    assert told == (set(FIGURES) - {"tuning"} if scope.variant("baseline").title == LONG else set())


def test_a_name_is_shown_whole_and_as_text():
    assert fit("costs $5\nand more") == r"costs \$5 and more"
    assert fit(LONG, 30).replace("\n", " ") == LONG.replace("$", r"\$").replace("\U00013000", NO_GLYPH)
    assert lacks_glyphs(LONG)
    assert not lacks_glyphs("plain, ± and é")
    assert fonts()[0] == "DejaVu Sans"


def test_a_single_epoch_is_seen(scope):
    variant = scope.variant("baseline")
    short = replace(variant, histories={job: history[:1] for job, history in variant.histories.items()})
    one = replace(scope, variants={**scope.variants, "baseline": short})
    with style():
        figure = draw(one, FIGURES["baseline_history"], figure_rows(one, FIGURES["baseline_history"]))
        figure.draw_without_rendering()
    axes = figure.axes[0]
    assert [len(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"] == [1, 1]


def test_sizes_that_hardly_differ_stay_close_together(scope):
    figure = FIGURES["accuracy_and_complexity"]
    rows = [
        row | {"parameters": 545_000 + n, "printed_parameters": None}
        for n, row in enumerate(figure_rows(scope, figure))
    ]
    with style():
        left, right = draw(scope, figure, rows).axes
    low, high = right.get_xlim()
    assert high / low >= 1.999
    assert right.get_ylim() == left.get_ylim()
    points = [line for line in right.lines if line.get_marker() in ("o", "s", "^", "v", "P", "X", "*")]
    assert points
    assert {point.get_markerfacecolor() for point in points} == {"none"}


def test_a_config_has_one_colour_under_each_of_its_labels(scope):
    palette = colours(scope.submission.variants)
    assert palette["baseline"] == palette["conv_depths=32x64"] == palette["hidden_units=128"]
    assert len(set(palette.values())) == len(COLOURS) == 12


def test_before_a_worker_has_loaded_the_data_the_figures_say_so(scope):
    empty = replace(scope, dataset=None)
    for name in ("class_distribution", "sample_images", "augmentation_examples"):
        figure = draw(empty, FIGURES[name], figure_rows(empty, FIGURES[name]))
        assert [text.get_text() for text in figure.axes[0].texts] == ["no worker has loaded the data yet"]
        assert caption(empty, FIGURES[name]) == "No worker has loaded the data yet."


SIZES = [(545_098, 1_070_794), (12_260_352, 13_310_000), (2.6, 4.8), (5e5, 4e6), (1e5, 5e7), (2e4, 2e9), (1e6, 5e12)]


@pytest.mark.parametrize(("low", "high"), SIZES)
def test_an_axis_of_sizes_has_at_least_two_numbers_and_none_touch(low, high):
    with style():
        figure, (axes,) = new_figure(4, 3)
        axes.plot([low, high], [1, 2])
        scale_of_counts(axes)
        pictures(figure)
        left, right = axes.get_xlim()
        shown = [one for one in axes.get_xticklabels() if left <= one.get_position()[0] <= right and one.get_text()]
        edges = [(box.x0, box.x1) for box in (one.get_window_extent() for one in shown)]
    assert len({one.get_text() for one in shown}) >= 2
    assert all(end < begin for (_, end), (begin, _) in pairwise(edges))


def test_a_figure_of_many_bars_is_narrower_than_all_of_them_at_their_broadest():
    assert _width(7, 6.0, 1.2, 0.5) == pytest.approx(8.4)
    assert _width(20, 6.0, 1.2, 0.5) == pytest.approx(15.6)
