"""The rows behind the figures, which are also their CSV, against the results in the store."""

import statistics

import numpy as np
import pytest
from filled_store import CASES, accuracy_interval_of, filled, histories_of, results_of

from report.figure_data import figure_rows
from report.scope import read_scope
from scheduler.suite import load_suite

SUITE = load_suite()
FIGURES = {figure["name"]: figure for figure in SUITE.figures}
HISTORY = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), **CASES[request.param]) as store:
        yield store, read_scope(store, None)


def rows_of(case, name):
    return figure_rows(case[1], FIGURES[name])


def assert_summary(row, name, values):
    assert row[name] == (pytest.approx(statistics.mean(values)) if values else None), name
    assert row[f"{name}_sd"] == (pytest.approx(statistics.stdev(values)) if len(values) > 1 else None), name


@pytest.mark.parametrize("name", ["baseline_history", "improvement_histories", "augmentation_comparison"])
def test_a_row_of_history_holds_the_seeds_that_reached_its_epoch(case, name):
    rows = rows_of(case, name)
    assert list(dict.fromkeys(row["variant"] for row in rows)) == FIGURES[name]["variants"]
    for label in FIGURES[name]["variants"]:
        histories, own = histories_of(case[0], label), [row for row in rows if row["variant"] == label]
        assert [row["epoch"] for row in own] == list(range(1, max(map(len, histories)) + 1))
        for row in own:
            reached = [history[row["epoch"] - 1] for history in histories if len(history) >= row["epoch"]]
            assert row["n"] == len(reached)
            for field in HISTORY:
                assert_summary(row, field, [getattr(record, field) for record in reached])


def test_rows_of_metrics_are_those_of_last_and_best_epoch(case):
    rows = rows_of(case, "improvement_metrics")
    labels = FIGURES["improvement_metrics"]["variants"]
    assert [(row["variant"], row["weights"]) for row in rows] == [(v, w) for v in labels for w in ("last", "best")]
    for row in rows:
        found = results_of(case[0], row["variant"])
        assert row["n"] == len(found)
        for field in HISTORY:
            assert_summary(row, field, [getattr(getattr(one, row["weights"]), field) for one in found])
            printed = SUITE.reference["variants"][row["variant"]].get(field) if row["weights"] == "last" else None
            assert row.get(f"printed_{field}") == printed


@pytest.mark.parametrize("name", ["tuning", "accuracy_and_complexity", "test_accuracy"])
def test_rows_of_accuracy_hold_mean_deviation_interval_and_printed_value(case, name):
    store, scope = case
    rows = rows_of(case, name)
    sweeps = [SUITE.sweeps[sweep]["points"] for sweep in FIGURES[name]["sweeps"]]
    assert [row["variant"] for row in rows] == (FIGURES[name]["variants"] or [p for points in sweeps for p in points])
    for row in rows:
        found = results_of(store, row["variant"])
        best = [one.best.test_accuracy for one in found]
        assert (row["n"], row["state"]) == (len(found), scope.variant(row["variant"]).state)
        assert_summary(row, "test_accuracy", best)
        assert_summary(row, "last_test_accuracy", [one.last.test_accuracy for one in found])
        low, high = accuracy_interval_of(store, row["variant"]) or (None, None)
        assert row["low"] == (low and pytest.approx(low))
        assert row["high"] == (high and pytest.approx(high))
        assert row["parameters"] == (found[0].parameters if found else None)
        assert row["flops"] == (found[0].flops if found else None)
        for field in ("test_accuracy", "parameters"):
            assert row[f"printed_{field}"] == scope.reference(row["variant"]).get(field)
    titles = [title for points in sweeps for title in points.values()]
    assert [row["point"] for row in rows if "point" in row] == titles


def test_rows_of_confusion_count_images_and_share_them_out(case):
    store, scope = case
    rows = rows_of(case, "confusion_matrices")
    classes = scope.dataset.classes
    for label in FIGURES["confusion_matrices"]["variants"]:
        own = [row for row in rows if row["variant"] == label]
        counts = np.array([one.best.confusion for one in results_of(store, label)])
        assert len(own) == (len(classes) ** 2 if len(counts) else 0)
        for number, row in enumerate(own):
            i, j = divmod(number, len(classes))
            assert (row["true"], row["predicted"], row["n"]) == (classes[i], classes[j], len(counts))
            assert row["images"] == counts[:, i, j].sum()
            assert row["share"] == pytest.approx(counts[:, i, j].sum() / counts[:, i].sum())
            deviation = np.std(counts[:, i, j] / counts[:, i].sum(axis=1), ddof=1) if len(counts) > 1 else None
            assert row["share_sd"] == (None if deviation is None else pytest.approx(deviation))


def test_rows_of_pictures_name_them_in_the_order_of_reading(case):
    rows = rows_of(case, "augmentation_examples")
    grid = case[1].dataset.augmentation
    assert [(row["row"], row["column"]) for row in rows] == [(r, c) for r in grid.rows for c in grid.columns]
    assert len(rows_of(case, "sample_images")) == 100
