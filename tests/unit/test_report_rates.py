"""The learning rate by epoch: which schedules are told apart, and when a report shows them."""

import csv
import json
from contextlib import closing
from dataclasses import replace
from importlib import resources
from statistics import mean, stdev

import numpy as np
import pytest
from filled_store import filled, layout_with_figures
from jsonschema import Draft202012Validator
from matplotlib.colors import to_hex
from records import EPOCH
from standard_rows_made_up import made_up

from report import write_report
from report.rates import far_apart, rows
from report.scope import read_scope
from report.standard_captions import left_out, standard_caption
from report.standard_figures import MOST_HISTORIES, draw_standard
from report.theme import COLOURS, style

LABELS = ("baseline", "dropout", "batchnorm")
FALLING = (0.1, 0.01, 0.001)


@pytest.fixture(scope="module")
def two_seeds(tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), seeds=(42, 43), only=LABELS) as store:
        return read_scope(store, None)


def with_rates(scope, **rates):
    """The scope with these learning rates of each seed as histories; a label that is not named has one of its own."""

    def of(label, variant):
        given = rates.get(label, [[0.15], [0.15]])
        histories = [[replace(EPOCH, epoch=n, learning_rate=rate) for n, rate in enumerate(one, 1)] for one in given]
        return dict(zip(variant.histories, histories, strict=True))

    kept = {
        label: replace(variant, histories=of(label, variant)) if variant.done else variant
        for label, variant in scope.variants.items()
    }
    return replace(scope, variants=kept)


def lines(found):
    """By the labels that share a line its rates."""
    return {
        row["variants"]: [one["learning_rate"] for one in found if one["variants"] == row["variants"]] for row in found
    }


def test_without_a_rate_that_moved_there_is_nothing_to_show(two_seeds):
    assert rows(with_rates(two_seeds, baseline=[[0.1] * 3] * 2, dropout=[[0.2] * 3] * 2)) == []


def test_variants_with_the_same_rates_share_a_line_as_long_as_the_longest(two_seeds):
    found = rows(with_rates(two_seeds, baseline=[FALLING[:2]] * 2, dropout=[[0.2] * 3] * 2, batchnorm=[FALLING] * 2))
    assert lines(found) == {"batchnorm, baseline": [*FALLING], "dropout": [0.2] * 3}
    assert {row["variant"]: row["title"] for row in found} == {
        "batchnorm": "BatchNorm only, Baseline",
        "dropout": "Dropout only",
    }
    assert [row["learning_rate_sd"] for row in found] == [0.0] * 6


def test_a_short_training_shares_no_line_with_another_schedule_that_begins_alike(two_seeds):
    of = two_seeds.submission.variants
    other = {**of["dropout"], "config": {**of["dropout"]["config"], "schedule": "cosine"}}
    scope = replace(two_seeds, submission=replace(two_seeds.submission, variants={**of, "dropout": other}))
    found = rows(with_rates(scope, baseline=[FALLING] * 2, dropout=[FALLING[:1]] * 2))
    assert {row["variants"] for row in found} == {"baseline", "dropout", "batchnorm"}


def test_three_with_one_schedule_are_the_first_and_two_others(two_seeds):
    found = rows(with_rates(two_seeds, **dict.fromkeys(LABELS, [FALLING] * 2)))
    best_first = sorted(LABELS, key=lambda label: -two_seeds.variant(label).accuracy)
    assert {row["title"] for row in found} == {f"{two_seeds.name(best_first[0])} and 2 others"}
    assert {row["variants"] for row in found} == {", ".join(best_first)}


def test_seeds_whose_plateaus_fell_at_other_epochs_are_a_mean_with_its_deviation(two_seeds):
    found = rows(with_rates(two_seeds, baseline=[[0.1, 0.1, 0.05, 0.05], [0.1, 0.05, 0.05]]))
    own = [row for row in found if row["variant"] == "baseline"]
    assert [(row["epoch"], row["n"]) for row in own] == [(1, 2), (2, 2), (3, 2), (4, 1)]
    assert own[1]["learning_rate"] == pytest.approx(mean([0.1, 0.05]))
    assert own[1]["learning_rate_sd"] == pytest.approx(stdev([0.1, 0.05]))
    assert own[3]["learning_rate_sd"] is None
    assert "band" in standard_caption(two_seeds, "rates", found)


@pytest.mark.parametrize(("least", "scale"), [(1e-5, "log"), (0.002, "linear"), (0.0, "linear")])
def test_the_axis_is_logarithmic_where_rates_span_decades(two_seeds, least, scale):
    found = rows(with_rates(two_seeds, baseline=[[0.1, least]] * 2))
    assert far_apart(found) is (scale == "log")
    labels = [*dict.fromkeys(row["variant"] for row in found)]
    with style():
        figure = draw_standard("rates", found, dict(zip(labels, COLOURS, strict=False)))
    (axes,) = figure.axes
    assert axes.get_yscale() == scale
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "learning rate")
    drawn = {to_hex(line.get_color()): list(line.get_ydata()) for line in axes.lines}
    assert drawn[COLOURS[labels.index("baseline")].lower()] == [0.1, least]
    assert len(drawn) == len(labels)


def test_of_many_schedules_those_of_the_most_accurate_are_drawn():
    found = made_up("rates", 40, "Variant")
    with style():
        figure = draw_standard("rates", found, {f"v{k}": COLOURS[k % len(COLOURS)] for k in range(40)})
    assert len(figure.axes[0].lines) == MOST_HISTORIES == 12
    assert left_out("rates", found) == "Drawn are 12 of 40 schedules, those of the most accurate variants."
    bands = [band.get_paths()[0].vertices[:, 1].min() for band in figure.axes[0].collections]
    assert np.min(bands) > 0


def test_the_report_has_the_figure_where_training_is_described_or_not_at_all(tmp_path, two_seeds):
    with filled(tmp_path, seeds=(42,), only=LABELS[:1], layout=layout_with_figures(0)) as store:
        report = write_report(store, tmp_path / "moved")
        flat = tmp_path / "flat"
        with closing(store._engine.raw_connection()) as connection:
            connection.cursor().execute("UPDATE epochs SET learning_rate = 0.1")
            connection.commit()
        write_report(store, flat)
    told = json.loads((tmp_path / "moved" / "report.json").read_text())
    schema = json.loads(resources.files("report").joinpath("report.schema.json").read_text("utf-8"))
    assert [one.message for one in Draft202012Validator(schema).iter_errors(told)] == []
    with (tmp_path / "moved" / "figures" / "figure_H_rates.csv").open() as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    assert (
        rates
        == [row["learning_rate"] for row in told["figures"]["figure_H_rates"]]
        == [0.001, 0.0005, 0.001 / 3, 0.00025]
    )
    page = report.html.read_text("utf-8")
    assert page.index('id="training"') < page.index('id="figure_H_rates"') < page.index('id="classes"')
    assert not [*flat.glob("figures/*rates*")]
    assert "figure_H_rates" not in (flat / "report.html").read_text("utf-8")
