"""What keeps a report of many results quick changes nothing of what it says."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from filled_store import CASES, filled
from PIL import Image

from report.canvas import pictures
from report.figure_data import by_variant, figure_rows
from report.figures import draw
from report.scope import read_scope
from report.theme import style
from report.write import json_text
from scheduler.suite import load_suite

FIGURES = {figure["name"]: figure for figure in load_suite().figures}


@pytest.fixture(scope="module")
def scope(tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), **CASES["gaps"]) as store:
        yield read_scope(store, None)


@pytest.mark.parametrize("name", ["tuning", "test_accuracy", "improvement_histories"])
def test_a_figure_is_saved_as_matplotlib_itself_lays_it_out(scope, tmp_path, name):
    rows = figure_rows(scope, FIGURES[name])
    with style():
        made = pictures(draw(scope, FIGURES[name], rows))
        draw(scope, FIGURES[name], rows).savefig(tmp_path / "own.png", dpi=150)
    ours, own = (np.asarray(Image.open(file)) for file in (io.BytesIO(made["png"]), tmp_path / "own.png"))
    assert np.array_equal(ours, own)
    assert made["svg"].startswith(b"<?xml")
    assert {*made} == {"png", "svg"}


def test_the_layout_of_a_figure_is_found_once(scope, monkeypatch):
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figures, execute = [], ConstrainedLayoutEngine.execute
    monkeypatch.setattr(
        ConstrainedLayoutEngine, "execute", lambda engine, figure: figures.append(figure) or execute(engine, figure)
    )
    with style():
        pictures(draw(scope, FIGURES["test_accuracy"], figure_rows(scope, FIGURES["test_accuracy"])))
    assert len(figures) == 1


def test_what_is_asked_again_and_again_is_computed_once_and_anew_for_a_changed_variant(scope):
    variant = scope.variant("baseline")
    assert variant.hits is variant.hits
    assert variant.done is variant.done
    first = variant.jobs[0].id
    fewer = replace(variant, results={first: variant.results[first]}, measured={first: variant.measured[first]})
    assert [len(one.done) for one in (variant, fewer)] == [3, 1]
    assert [len(one.hits) for one in (variant, fewer)] == [3, 1]


def test_of_the_predictions_only_hits_are_kept(scope):
    kept = [one.right for variant in scope.variants.values() for one in variant.measured.values()]
    assert kept
    assert {array.dtype for array in kept} == {np.dtype(bool)}
    assert all(array.base is None for array in kept)  # none of them is a view that keeps more alive


def test_rows_are_grouped_by_variant_in_their_order():
    rows = [{"variant": label, "epoch": epoch} for epoch in (1, 2) for label in ("b", "a")]
    assert [*by_variant(rows)] == ["b", "a"]
    assert [row["epoch"] for row in by_variant(rows)["a"]] == [1, 2]


@pytest.mark.parametrize("value", [{}, [], {"a": []}, {"a": {"b": [{"c": [1.5, None]}, {"ü": "\n"}]}}, [[[[1, 2]]]]])
def test_the_json_of_a_report_reads_back_as_it_was(value):
    assert json.loads(json_text(value)) == value


def test_the_json_of_a_report_has_a_line_for_each_row_of_a_table():
    rows = [{"variant": label, "n": 3} for label in "abc"]
    lines = json_text({"tables": {"cost": rows}}).splitlines()
    assert [json.loads(line.rstrip(",")) for line in lines if line.startswith('{"')] == rows
