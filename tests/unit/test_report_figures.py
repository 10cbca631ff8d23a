"""Every line, bar, interval, diamond, name and colour of every figure against the store, with and without gaps."""

import math
import statistics

import numpy as np
import pytest
from filled_store import CASES, accuracy_interval_of, filled, histories_of, results_of
from matplotlib.colors import to_hex

from report.figure_data import figure_rows
from report.figures import draw
from report.scope import read_scope
from report.theme import colours, style
from scheduler.suite import load_suite

SUITE = load_suite()
PRINTED = SUITE.reference["variants"]
FIGURES = {figure["name"]: figure for figure in SUITE.figures}
HISTORIES = [name for name, figure in FIGURES.items() if figure["kind"] in ("history", "histories")]
PARTS = (("train", "-"), ("val", "--"))
NAMES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
STATES = {
    "dropout": "2 done, 1 failed: diverged",
    "resnet": "3 failed: diverged",
    "hidden_units=64": "3 failed: diverged",
    "advanced": "not submitted",
    "conv_depths=128x256": "not submitted",
}


class Case:
    """A filled store, and every figure of the suite drawn from it once: rows and picture by name."""

    def __init__(self, name, store):
        self.name, self.scope = name, read_scope(store, None)
        self.stored_results = {label: results_of(store, label) for label in SUITE.variants}
        self.intervals = {label: accuracy_interval_of(store, label) for label in SUITE.variants}
        self.stored_histories = {label: histories_of(store, label) for label in SUITE.variants}
        self.colours = colours(self.scope.submission.variants)
        self.rows = {name: figure_rows(self.scope, figure) for name, figure in FIGURES.items()}
        with style():
            self.drawn = {name: draw(self.scope, figure, self.rows[name]) for name, figure in FIGURES.items()}

    def results(self, label):
        return self.stored_results[label]

    def histories(self, label):
        return self.stored_histories[label]

    def state(self, label):
        return STATES.get(label, "3 done") if self.name == "gaps" else "1 done"


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), **CASES[request.param]) as store:
        yield Case(request.param, store)


def bars(axes):
    """(middle, height, colour) of each bar, from left to right."""
    found = [(bar.get_x() + bar.get_width() / 2, bar.get_height(), to_hex(bar.get_facecolor())) for bar in axes.patches]
    return sorted(found)


def error_bars(axes):
    """(place, low, high) of each, from left to right."""
    segments = [segment for lines in axes.collections for segment in lines.get_segments()]
    return sorted((float(line[0][0]), float(line[0][1]), float(line[1][1])) for line in segments)


def diamonds(axes):
    """(x, y) of each printed value, from left to right."""
    return sorted((float(x), float(y)) for one in axes.lines if one.get_marker() == "D" for x, y in one.get_xydata())


def near(pairs):
    return [pytest.approx(pair) for pair in pairs]


def tick_names(axes):
    return [" ".join(text.get_text().split()) for text in axes.get_xticklabels()]


def texts(axes):
    return [" ".join(text.get_text().split()) for text in axes.texts]


def legend_of(figure):
    return [" ".join(text.get_text().split()) for legend in figure.legends for text in legend.get_texts()]


def mean_and_deviation(values):
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return statistics.mean(values), deviation


def scale(name):
    return 100 if "accuracy" in name else 1


def shown_name(case, label, title):
    """A bar's name: with its state where it is partly done."""
    partly = case.results(label) and " failed" in case.state(label)
    return f"{title} ({case.state(label)})" if partly else title


def test_the_class_distribution_is_the_stored_counts(case):
    axes = case.drawn["class_distribution"].axes[0]
    data = case.scope.dataset
    heights = [[bar.get_height() for bar in group] for group in axes.containers]
    assert heights == [list(data.train_counts), list(data.val_counts), list(data.test_counts)]
    assert legend_of(case.drawn["class_distribution"]) == ["training", "validation", "test"]
    assert tick_names(axes) == list(data.classes)
    assert [tuple(row.values()) for row in case.rows["class_distribution"]] == list(
        zip(data.classes, data.train_counts, data.val_counts, data.test_counts, strict=True)
    )


@pytest.mark.parametrize(("name", "blocks"), [("sample_images", 2), ("augmentation_examples", 1)])
def test_every_picture_is_the_stored_one_beside_its_name(case, name, blocks):
    axes = case.drawn[name].axes[0]
    grid = getattr(case.scope.dataset, FIGURES[name]["kind"])
    rows, columns = grid.pixels.shape[:2]
    assert len(axes.images) == rows * columns
    places = {}
    for number, image in enumerate(axes.images):
        row, column = divmod(number, columns)
        assert (image.get_array() == grid.pixels[row, column]).all()
        left, _, bottom, top = image.get_extent()
        places[row, column] = left, (top + bottom) / 2
    lines = -(-rows // blocks)
    names = {text.get_text(): text.get_position() for text in axes.texts}
    for row in range(rows):
        x, y = names[grid.rows[row]]
        assert y == pytest.approx(places[row, 0][1])
        assert x < places[row, 0][0]
        assert [places[row, c][0] for c in range(columns)] == sorted(places[row, c][0] for c in range(columns))
        assert places[row, 0][1] == pytest.approx(places[row % lines, 0][1])
    assert len(set(places.values())) == rows * columns
    heads = [names[column][0] for column in grid.columns if column in names]
    assert len(heads) == (columns if name == "augmentation_examples" else 0)
    assert heads == sorted(heads)


def history_line(axes, colour, dash):
    lines = [line for line in axes.lines if line.get_marker() != "D" and to_hex(line.get_color()) == colour.lower()]
    (line,) = [line for line in lines if line.get_linestyle() == dash]
    return line


@pytest.mark.parametrize("name", HISTORIES)
def test_each_line_of_a_history_is_the_mean_of_the_stored_ones(case, name):
    figure = case.drawn[name]
    done = [label for label in FIGURES[name]["variants"] if case.results(label)]
    for axes, what in zip(figure.axes, ("loss", "accuracy"), strict=True):
        assert len([line for line in axes.lines if line.get_marker() != "D"]) == 2 * len(done)
        for label in done:
            for part, dash in PARTS:
                line = history_line(axes, case.colours[label], dash)
                expected = means_by_epoch(case.histories(label), f"{part}_{what}")
                assert list(line.get_xdata()) == list(range(1, len(expected) + 1))
                assert list(line.get_ydata()) == pytest.approx([scale(what) * mean for mean, _ in expected])
                assert line.get_marker() == "o"  # so few epochs are points too
                assert (to_hex(line.get_markerfacecolor()) == "#ffffff") is (part == "val")
    if done:
        assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy %"]
        assert {axes.get_xlabel() for axes in figure.axes} == {"epoch"}


def means_by_epoch(histories, name):
    longest = max(map(len, histories))
    values = [[getattr(one[epoch], name) for one in histories if len(one) > epoch] for epoch in range(longest)]
    return [mean_and_deviation(reached) for reached in values]


@pytest.mark.parametrize("name", HISTORIES)
def test_each_band_of_a_history_is_one_deviation_wide(case, name):
    done = [label for label in FIGURES[name]["variants"] if case.results(label)]
    for axes, what in zip(case.drawn[name].axes, ("loss", "accuracy"), strict=True):
        bands = [(label, part) for label in done for part, _ in PARTS] if case.name == "gaps" else []
        assert len(axes.collections) == len(bands)
        for (label, part), band in zip(bands, axes.collections, strict=True):
            assert to_hex(band.get_facecolor()[0]) == case.colours[label].lower()
            expected = means_by_epoch(case.histories(label), f"{part}_{what}")
            corners = {(round(float(x)), round(float(y), 6)) for x, y in band.get_paths()[0].vertices}
            for epoch, (mean, deviation) in enumerate(expected, start=1):
                for side in (-1, 1):
                    assert (epoch, round(scale(what) * (mean + side * (deviation or 0)), 6)) in corners


@pytest.mark.parametrize("name", HISTORIES)
def test_printed_values_of_a_history_are_diamonds_at_their_epoch(case, name):
    done = [label for label in FIGURES[name]["variants"] if case.results(label)]
    for axes, what in zip(case.drawn[name].axes, ("loss", "accuracy"), strict=True):
        expected = []
        for label in done:
            for part, _ in PARTS:
                value = PRINTED[label].get(f"{part}_{what}")
                last = max(map(len, case.histories(label)))
                expected += [] if value is None else [(PRINTED[label].get("epochs", last), scale(what) * value)]
        assert diamonds(axes) == near(sorted(expected))
    if name == "baseline_history":
        assert diamonds(case.drawn[name].axes[1]) == near([(16, 54.10), (16, 87.66)])
        hollow = [line.get_markerfacecolor() for line in case.drawn[name].axes[1].lines if line.get_marker() == "D"]
        assert hollow == [case.colours["baseline"], "white"]


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_names_its_variants_and_what_is_missing_of_them(case, name):
    figure, labels = case.drawn[name], FIGURES[name]["variants"]
    whole = {label: SUITE.variants[label].title for label in labels}
    names = {k: f"{v}: {case.state(k)}" if case.state(k)[2:] != "done" else v for k, v in whole.items()}
    if len(labels) > 1:
        assert set(names.values()) <= set(legend_of(figure))
        keys = [handle for handle, text in legend_entries(figure) if text in names.values()]
        assert [to_hex(handle.get_color()) for handle in keys] == [case.colours[label].lower() for label in labels]
    elif not case.results(labels[0]):
        assert [texts(axes) for axes in figure.axes] == [[names[labels[0]]]] * 2
    dashes = {text: handle.get_linestyle() for handle, text in legend_entries(figure)}
    if any(map(case.results, labels)):
        assert (dashes["training (solid)"], dashes["validation (dashed)"]) == ("-", "--")


def legend_entries(figure):
    found = []
    for legend in figure.legends:
        names = [" ".join(text.get_text().split()) for text in legend.get_texts()]
        found += zip(legend.legend_handles, names, strict=True)
    return found


def test_metric_panels_show_the_last_epoch_each_its_own_metric(case):
    figure, labels = case.drawn["improvement_metrics"], FIGURES["improvement_metrics"]["variants"]
    words = ("training loss", "validation loss", "training accuracy %", "validation accuracy %")
    for axes, name, word in zip(figure.axes, NAMES, words, strict=True):
        assert axes.get_title() == f"{word}, last epoch"
        expected = [mean_and_deviation([getattr(r.last, name) for r in case.results(label)]) for label in labels]
        assert [height for _, height, _ in bars(axes)] == pytest.approx([scale(name) * mean for mean, _ in expected])
        assert [colour for _, _, colour in bars(axes)] == [case.colours[label].lower() for label in labels]
        ends = [(scale(name) * (m - sd), scale(name) * (m + sd)) for m, sd in expected if sd is not None]
        assert [tuple(end) for _, *end in error_bars(axes)] == near(ends)
        assert [y for _, y in diamonds(axes)] == pytest.approx([scale(name) * PRINTED["baseline"][name]])
        names = [shown_name(case, label, SUITE.variants[label].title) for label in labels]
        assert tick_names(axes) == names


def accuracy_marks(case, labels):
    """(mean, low, high) in per cent of each label's test accuracy, None where nothing is done."""
    return [accuracy_mark(case, label) for label in labels]


def accuracy_mark(case, label):
    values = [one.best.test_accuracy for one in case.results(label)]
    if not values:
        return None
    low, high = case.intervals[label]
    return 100 * statistics.mean(values), 100 * low, 100 * high


def panels_of_accuracy(case):
    """(axes, labels, names) of every panel with bars of test accuracy: figures 10, 11 and 12."""
    networks = FIGURES["test_accuracy"]["variants"]
    titles = [SUITE.variants[label].title for label in networks]
    yield case.drawn["test_accuracy"].axes[0], networks, titles
    yield case.drawn["accuracy_and_complexity"].axes[0], networks, titles
    for axes, sweep in zip(case.drawn["tuning"].axes, FIGURES["tuning"]["sweeps"], strict=True):
        points = SUITE.sweeps[sweep]["points"]
        assert axes.get_title() == SUITE.sweeps[sweep]["title"]
        yield axes, list(points), list(points.values())


def test_bars_of_accuracy_are_means_with_their_intervals_numbers_and_colours(case):
    for axes, labels, titles in panels_of_accuracy(case):
        marks = accuracy_marks(case, labels)
        known = [(number, label, mark) for number, (label, mark) in enumerate(zip(labels, marks, strict=True)) if mark]
        assert [round(x) for x, _, _ in bars(axes)] == [number for number, _, _ in known]
        assert [height for _, height, _ in bars(axes)] == pytest.approx([mark[0] for _, _, mark in known])
        assert [colour for _, _, colour in bars(axes)] == [case.colours[label].lower() for _, label, _ in known]
        assert [ends[1:] for ends in error_bars(axes)] == near(mark[1:] for _, _, mark in known)
        numbers = [f"{mark[0]:.1f}" for _, _, mark in known]
        states = [case.state(label) for label, mark in zip(labels, marks, strict=True) if mark is None]
        assert sorted(texts(axes)) == sorted(numbers + states)
        assert tick_names(axes) == [shown_name(case, *pair) for pair in zip(labels, titles, strict=True)]
        assert axes.get_ylim()[0] == 0


def test_bars_stand_in_the_middle_where_nothing_was_printed(case):
    figure = FIGURES["test_accuracy"]
    rows = [row | {"printed_test_accuracy": None} for row in case.rows["test_accuracy"]]
    with style():
        (axes,) = draw(case.scope, figure, rows).axes
    assert bars(axes)
    assert [x % 1 for x, *_ in bars(axes) + error_bars(axes)] == pytest.approx(
        [0] * (len(bars(axes)) + len(error_bars(axes)))
    )


def test_diamonds_of_accuracy_are_the_printed_values_at_their_bars(case):
    for axes, labels, _ in panels_of_accuracy(case):
        printed = {label: case.scope.reference(label).get("test_accuracy") for label in labels}
        expected = [(n, 100 * value) for n, value in enumerate(printed.values()) if value is not None]
        assert [(round(x), y) for x, y in diamonds(axes)] == near(expected)
        assert all(math.floor(x) < x < math.floor(x) + 0.5 for x, _ in diamonds(axes))
    assert diamonds(case.drawn["test_accuracy"].axes[0])[0][1] == pytest.approx(54.70)
    for name in ("test_accuracy", "accuracy_and_complexity", "tuning"):
        assert "printed" in legend_of(case.drawn[name])


def test_points_of_complexity_are_sizes_and_accuracies(case):
    figure, labels = case.drawn["accuracy_and_complexity"], FIGURES["accuracy_and_complexity"]["variants"]
    axes = figure.axes[1]
    marks = dict(zip(labels, accuracy_marks(case, labels), strict=True))
    points = {to_hex(one[0].get_color()): one[0].get_xydata()[0] for one in axes.containers}
    known = [label for label in labels if marks[label]]
    assert len(points) == len(known)
    for label in known:
        expected = case.results(label)[0].parameters, marks[label][0]
        assert tuple(points[case.colours[label].lower()]) == pytest.approx(expected)
    ends = [(case.results(label)[0].parameters, *marks[label][1:]) for label in known]
    assert error_bars(axes) == near(sorted(ends))
    assert axes.get_xscale() == "log"
    printed = [(PRINTED[label]["parameters"], 100 * PRINTED[label]["test_accuracy"]) for label in labels]
    assert diamonds(axes) == near(sorted(printed))
    drawn = {(to_hex(one.get_markerfacecolor()), *one.get_xydata()[0]) for one in axes.lines if one.get_marker() == "D"}
    assert {colour for colour, *_ in drawn} == {case.colours[label].lower() for label in labels}


def test_the_right_panel_of_complexity_names_who_has_no_result(case):
    figure = case.drawn["accuracy_and_complexity"]
    title = " ".join(figure.axes[1].get_title().split())
    names = legend_of(figure)
    if case.name == "gaps":
        assert title == "no result: Advanced CNN + augmentation, ResNet"
        assert {"ResNet: 3 failed: diverged", "Advanced CNN + augmentation: not submitted"} < set(names)
        assert "Dropout only: 2 done, 1 failed: diverged" in names
    else:
        assert title == ""
        assert {"ResNet", "Dropout only"} < set(names)


def test_each_confusion_matrix_is_the_stored_counts_as_shares(case):
    figure, labels = case.drawn["confusion_matrices"], FIGURES["confusion_matrices"]["variants"]
    classes = list(case.scope.dataset.classes)
    for axes, label in zip(figure.axes, labels, strict=False):
        found, state = case.results(label), case.state(label)
        title = SUITE.variants[label].title
        if not found:
            assert (axes.get_title(), texts(axes), len(axes.images)) == (title, [state], 0)
            continue
        counts = np.sum([one.best.confusion for one in found], axis=0)
        np.testing.assert_allclose(axes.images[0].get_array(), counts / counts.sum(axis=1, keepdims=True))
        assert axes.images[0].get_clim() == (0, 1)
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
        assert [text.get_text() for text in axes.get_xticklabels()] == classes
        assert [text.get_text() for text in axes.get_yticklabels()] == classes
        assert axes.get_title() == (f"{title}: {state}" if "failed" in state else title)
