"""Random points of a sweep in tables and figures, few and many."""

import io
import json
import re
from contextlib import closing
from importlib import resources

import pytest
from filled_store import finish
from jsonschema import Draft202012Validator

from db import open_store
from report.asides import chosen
from report.captions import caption
from report.checklist import checklist
from report.figure_data import figure_rows
from report.figures import draw
from report.html import html_page
from report.page import Drawn
from report.pairs import compare
from report.scope import read_scope
from report.tables import build_tables, choice
from report.theme import style
from report.write import as_json, every_table, json_text
from scheduler.planning import make_plan
from scheduler.suite import load_suite

SUITE = """[suite]
name = "mine"
[variants.baseline]
[sweeps.tuned]
title = "Random search"
base = "baseline"
seeds = [1, 2]
[sweeps.tuned.random]
points = {points}
[sweeps.tuned.random.fields]
learning_rate = {{ low = 1e-4, high = 1e-1, log = true }}
"arguments.conv_depths" = [[16, 32], [32, 64]]
"""
TUNING = {"name": "tuning", "kind": "tuning", "title": "", "variants": [], "sweeps": ["tuned"]}


def read(tmp_path, points, *, done=None, devices=("cpu",), more=""):
    """The suite, and its scope with results of all points or of the first `done` jobs, on these devices in turn."""
    (tmp_path / "mine.toml").write_text(SUITE.format(points=points) + more)
    suite = load_suite(str(tmp_path / "mine.toml"))
    with closing(open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)) as store:
        plan = make_plan(suite, suite.sweeps["tuned"]["points"], None, data_dir=tmp_path)
        store.submit(plan.submission(), plan.new_jobs())
        for number in range(2 * points if done is None else done):
            finish(
                store, store.claim_next("maker", lease_s=3600), number=number % 7, device=devices[number % len(devices)]
            )
        return suite, read_scope(store, None)


def tuning_of(scope):
    return next(table for table in build_tables(scope) if table.name == "tuning_tuned")


def test_the_table_has_a_column_for_each_field_that_was_drawn(tmp_path):
    suite, scope = read(tmp_path, 5)
    table = tuning_of(scope)
    assert table.head[:4] == ("Random search", "learning_rate", "conv_depths", "n")
    configs = [suite.variants[label].config for label in suite.sweeps["tuned"]["points"]]
    assert [row[:4] for row in table.cells] == [
        (str(number), str(config.learning_rate), "({}, {})".format(*config.arguments["conv_depths"]), "2")
        for number, config in enumerate(configs, start=1)
    ]


def test_the_chosen_point_is_the_best_of_all_by_validation(tmp_path):
    _, scope = read(tmp_path, 5)
    table = tuning_of(scope)
    best = max(table.values, key=lambda row: row["best_val_accuracy"])
    marked = [row["variant"] for row, cells in zip(table.values, table.cells, strict=True) if "best of 5" in str(cells)]
    assert marked == [best["variant"]]
    assert [row["variant"] for row in table.values if row["chosen"]] == marked


def test_no_point_is_chosen_before_all_are_done(tmp_path):
    _, scope = read(tmp_path, 5, done=7)
    table = tuning_of(scope)
    assert not any(row["chosen"] for row in table.values)
    assert [row[3] for row in table.cells] == ["2", "2", "1", "1", "1"]


def test_a_point_on_two_kinds_of_device_has_a_row_for_each_with_what_was_drawn(tmp_path):
    _, scope = read(tmp_path, 3, devices=["cpu"] * 3 + ["cuda"] * 3)
    cells = tuning_of(scope).cells
    assert [row[0] for row in cells] == [f"{n} ({kind} float32)" for n in (1, 2, 3) for kind in ("cpu", "cuda")]
    assert [row[1:3] for row in cells[::2]] == [row[1:3] for row in cells[1::2]]


def names_and_size(tmp_path, points):
    _, scope = read(tmp_path, points)
    with style():
        figure = draw(scope, TUNING, figure_rows(scope, TUNING))
        figure.savefig(io.BytesIO(), dpi=20)
    names = [one.get_text().replace("\n", " ") for one in figure.axes[0].get_xticklabels()]
    return names, figure.get_figwidth(), len(figure.axes[0].patches)


def test_random_points_have_their_numbers_for_names_everywhere_and_values_where_there_is_room(tmp_path):
    suite, scope = read(tmp_path, 5)
    drawn = suite.sweeps["tuned"]["drawn"]
    texts = {label: ", ".join(f"{name} {value}" for name, value in of.items()) for label, of in drawn.items()}
    names = [f"Random search: {number}" for number in range(1, 6)]
    assert [scope.name(label) for label in texts] == [scope.variant(label).title for label in texts] == names
    for table in every_table(scope, compare(scope)):
        assert not any("learning_rate" in cell for line in table.cells for cell in line), table.name
    assert [row["drawn"] for row in tuning_of(scope).values] == [*texts.values()]
    assert [row["drawn"] for row in figure_rows(scope, TUNING)] == [*texts.values()]
    assert [row["point"] for row in figure_rows(scope, TUNING)] == ["1", "2", "3", "4", "5"]
    assert caption(scope, TUNING).endswith("Numbers: points of Random search, whose tables say what was drawn.")
    best = choice(scope, "tuned")
    told = f"{best.partition('=')[2]} ({texts[best]})"
    assert f"Random search: of 5 points validation chose {told}, " in chosen(scope)[0]
    (answer,) = (one.answer for one in checklist(scope, []) if one.item == "Best hyperparameters")
    assert answer == f"Random search: {told}"


def test_what_was_drawn_is_told_by_the_marks_of_the_page_and_described_in_the_schema(tmp_path):
    suite, scope = read(tmp_path, 2)
    tables, rows = every_table(scope, compare(scope)), figure_rows(scope, TUNING)
    figure = Drawn(
        number="1", kind="tuning", name="figure_01", title="", caption="", svg=b"", rows=rows, sweeps=["tuned"]
    )
    drawn = suite.sweeps["tuned"]["drawn"]["tuned=1"]
    assert f'"drawn":"learning_rate {drawn["learning_rate"]}, conv_depths' in html_page(scope, tables, [figure])
    schema = json.loads(resources.files("report").joinpath("report.schema.json").read_text("utf-8"))
    numbers = json.loads(json_text(as_json(scope, tables, [figure]) | {"finding": "", "latex": False}))
    wrong = [one.message for one in Draft202012Validator(schema).iter_errors(numbers)]
    assert [one for one in wrong if not re.fullmatch("'figure_[A-Z]_.*' is a required property", one)] == []


def test_random_points_that_no_table_tells_of_keep_their_values_in_their_names(tmp_path):
    more = '[[tables]]\nname = "all"\nkind = "results"\ntitle = "All"\nvariants = ["baseline"]\n'
    _, scope = read(tmp_path, 2, more=more)
    assert scope.name("tuned=1").startswith("Random search: 1 (learning_rate 0.")
    assert figure_rows(scope, TUNING)[0]["point"].startswith("1 (learning_rate 0.")


@pytest.mark.parametrize("points", [13, 80])
def test_a_bar_of_random_points_has_its_number_below(tmp_path, points):
    names, width, bars = names_and_size(tmp_path, points)
    assert (names, bars) == ([str(number) for number in range(1, points + 1)], points)
    assert width <= 45


def test_bars_of_more_points_than_names_fit_still_make_a_picture(tmp_path):
    names, width, bars = names_and_size(tmp_path, 250)
    assert (len(names), bars, width) == (250, 250, 45)
    assert [name for name in names if name] == [str(number) for number in range(1, 250, 2)]
