"""Results of several kinds of device or precisions: no mean holds two of them, and the page says so."""

import json

import pytest
from filled_store import fill, filled, results_of

from db import open_store
from report import write_report
from report.checklist import checklist
from report.figure_data import figure_rows
from report.html import html_page
from report.page import headline, markdown_page
from report.printed import printed_tables
from report.scope import read_scope
from report.statistics import summarise
from report.tables import build_tables
from report.theme import colours

CPU, CUDA = "baseline (cpu float32)", "baseline (cuda float32)"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The baseline with seeds 42 and 43 on a CPU, 44 to 46 on CUDA and 47 waiting; dropout on the CPU alone."""
    folder = tmp_path_factory.mktemp("both")
    store = open_store(f"sqlite:///{folder / 'bench.db'}", create=True)
    fill(store, seeds=(42, 43), only=("baseline", "dropout"))
    fill(store, seeds=(44, 45, 46), only=("baseline",), device="cuda")
    fill(store, seeds=(47,), only=("baseline",), waiting=("baseline",))
    yield store
    store.close()


@pytest.fixture(scope="module")
def scope(both):
    return read_scope(both, None)


def rows_of(scope, name):
    (table,) = (table for table in build_tables(scope) if table.name == name)
    return {row["variant"]: row for row in table.values}


def test_two_kinds_of_device_are_rows_of_their_own_and_so_is_what_waits(both, scope):
    rows = rows_of(scope, "table_4_comparison")
    assert {label: row["n"] for label, row in rows.items() if label.startswith("baseline")} == {
        CPU: 2,
        CUDA: 3,
        "baseline": 0,
    }
    assert (rows[CPU]["state"], rows[CUDA]["state"], rows["baseline"]["state"]) == ("2 done", "3 done", "1 running")
    assert (rows["dropout"]["n"], rows["dropout"]["devices"]) == (2, ["cpu float32"])
    for label, device in ((CPU, "cpu"), (CUDA, "cuda")):
        own = [result.best.test_accuracy for result in results_of(both, "baseline") if result.device == device]
        assert rows[label]["best_test_accuracy"] == summarise(own).mean
        assert rows[label]["devices"] == [f"{device} float32"]


def test_no_table_and_no_figure_pools_kinds(scope):
    assert all(len({result.device for result in one.done}) < 2 for one in scope.variants.values())
    for wanted in scope.submission.layout["figures"]:
        for row in figure_rows(scope, wanted):
            assert row.get("variant") != "baseline" or row["n"] == 0
    points = [row["variant"] for row in figure_rows(scope, {"kind": "tuning", "sweeps": ["hidden_units"]})]
    assert points[1:4] == [f"hidden_units=128{end}" for end in (" (cpu float32)", " (cuda float32)", "")]
    (history,) = (one for one in scope.submission.layout["figures"] if one["variants"] == [CPU, CUDA, "baseline"])
    assert history["kind"] == "histories"


def test_rows_of_one_config_differ_in_colour_and_share_it_with_its_other_labels(scope):
    found = colours(scope.submission.variants)
    assert found[CPU] != found[CUDA]
    assert found[CPU] == found["hidden_units=128 (cpu float32)"]


def test_each_printed_value_stands_beside_each_kind(scope):
    (table,) = printed_tables(scope)
    beside = {row["variant"]: row["printed"] for row in table.values if row["quantity"] == "Test acc. %"}
    assert beside[CPU] == beside[CUDA] == 0.547
    assert rows_of(scope, "tuning_hidden_units")["hidden_units=128 (cuda float32)"]["printed_epochs"] == 16


def test_the_page_says_what_was_kept_apart(both, scope, tmp_path):
    report = write_report(both, tmp_path)
    for page in (report.html.read_text(), (tmp_path / "report.md").read_text()):
        assert "2 kinds of device" in page
        assert scope.name(CUDA) in page
    assert headline(scope).startswith("2 configs on cifar100-20 with 2 to 3 seeds each")
    numbers = json.loads((tmp_path / "report.json").read_text())
    assert {job["variant"] for job in numbers["jobs"]} == {CPU, CUDA, "baseline", "dropout"}
    assert numbers["counts"]["done"] == 7


def test_one_kind_of_device_changes_no_label_and_warns_of_nothing(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)
    fill(store, seeds=(42,), only=("baseline",), device="cuda")
    scope = read_scope(store, None)
    assert scope.warnings == ()
    assert "baseline" in scope.variants
    assert scope.submission == store.submission(1)
    store.close()


def test_variants_on_different_devices_are_told_though_none_is_in_two_rows(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)
    fill(store, seeds=(42,), only=("baseline",))
    fill(store, seeds=(42,), only=("dropout",), device="cuda")
    scope = read_scope(store, None)
    (warning,) = scope.warnings
    assert "cuda: dropout" in warning
    assert scope.variant("dropout").label == "dropout"
    for page in (html_page(scope, build_tables(scope), []), markdown_page(scope, build_tables(scope), [])):
        assert "2 kinds of device" in page
    store.close()


def test_a_training_that_went_on_elsewhere_is_named_with_where_it_was(tmp_path):
    places = ["cpu (EPYC, AVX512, torch 2.14)", "cuda (H100, AVX512, torch 2.14)"]
    with filled(tmp_path, seeds=(42,), only=("baseline", "dropout"), device="cuda") as store:
        moved = {"only": ("baseline", "hidden_units=64"), "device": "cuda", "environment": {"trained_on": places}}
        fill(store, seeds=(*range(43, 55),), **moved)
        scope = read_scope(store, None)
    (warning,) = scope.warnings
    told = " and ".join(places)
    assert warning.startswith("Some trainings went on elsewhere from a checkpoint: ")
    assert f"({told}: baseline seed 43, baseline seed 44, " in warning
    assert warning.endswith("baseline seed 52 and 14 more)")  # the points of equal config are the same jobs
    tables = build_tables(scope)
    for page in (html_page(scope, tables, []), markdown_page(scope, tables, [])):
        assert "went on elsewhere" in page
        assert f"trained_on {places[0]} and " in page
    machines = next(one.answer for one in checklist(scope, tables) if one.item.startswith("Computing infra"))
    assert f"its steps on {told}" in machines


def test_another_precision_is_another_report_without_the_printed_values(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)
    fill(store, seeds=(42, 43), only=("baseline",))
    fill(store, seeds=(44,), only=("baseline",), precision="bfloat16")
    first, newest = read_scope(store, 1), read_scope(store, None)
    assert [result.precision for result in first.variant("baseline").done] == ["float32"] * 2
    assert [result.precision for result in newest.variant("baseline").done] == ["bfloat16"]
    assert first.reference("baseline")["test_accuracy"] == 0.547
    assert newest.reference("baseline") == {}
    assert "precision = bfloat16 instead of the suite" in html_page(newest, build_tables(newest), [])
    store.close()
