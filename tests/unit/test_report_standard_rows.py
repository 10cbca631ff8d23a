"""The rows of the figures that every report has, against the store's results and predictions by other means."""

import statistics
from itertools import groupby

import numpy as np
import pytest
from filled_store import CASES, CLASSES, accuracy_interval_of, filled, hits_of, results_of
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_fscore_support

from db.records import Weights
from report.pairs import compare, pairs_table
from report.scope import read_scope
from report.standard_rows import FIELDS, standard_rows
from scheduler.suite import load_suite

SUITE = load_suite()
POINTS = {point for sweep in SUITE.sweeps.values() for point in sweep["points"]}
NETWORKS = [label for label in SUITE.variants if label not in POINTS]


class Case:
    def __init__(self, store):
        self.store, self.scope = store, read_scope(store, None)
        self.pairs = pairs_table(self.scope, compare(self.scope)).values
        self.rows = standard_rows(self.scope, self.pairs)

    def predictions(self, label):
        config = SUITE.variants[label].config.canonical()
        jobs = [job.id for job in self.store.jobs() if job.config == config and str(job.state) == "done"]
        return [self.store.predictions(job_id, Weights.BEST) for job_id in jobs]

    def of(self, kind):
        """Rows by variant, in their order."""
        return {label: [*own] for label, own in groupby(self.rows[kind], key=lambda row: row["variant"])}


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), **CASES[request.param]) as store:
        yield Case(store)


def mean_and_deviation(values):
    deviation = pytest.approx(statistics.stdev(values)) if len(values) > 1 else None
    return pytest.approx(statistics.mean(values)), deviation


@pytest.mark.parametrize("kind", ["forest", "pairs", "classes", "flips", "calibration", "histories"])
def test_rows_begin_with_their_fields_and_hold_plain_values(case, kind):
    for row in case.rows[kind]:
        assert set(FIELDS[kind]) <= set(row)
        assert {type(value) for value in row.values()} <= {str, int, float, bool, type(None)}
    assert case.rows[kind]


def test_each_config_with_results_has_one_line_under_its_first_label_the_best_first(case):
    rows = case.rows["forest"]
    done = [label for label in SUITE.variants if results_of(case.store, label)]
    firsts = {str(SUITE.variants[label].config.canonical()): label for label in reversed(done)}
    assert sorted(row["variant"] for row in rows) == sorted(firsts.values())
    accuracies = [row["test_accuracy"] for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert {row["of_sweep"] for row in rows} == {True, False}


def test_a_line_holds_mean_deviation_interval_last_and_printed_accuracy(case):
    for row in case.rows["forest"]:
        label, found = row["variant"], results_of(case.store, row["variant"])
        best = [one.best.test_accuracy for one in found]
        assert (row["title"], row["n"]) == (case.scope.name(label), len(found))
        assert (row["test_accuracy"], row["test_accuracy_sd"]) == mean_and_deviation(best)
        assert (row["low"], row["high"]) == pytest.approx(accuracy_interval_of(case.store, label))
        assert row["last_test_accuracy"] == pytest.approx(np.mean([one.last.test_accuracy for one in found]))
        assert row["printed_test_accuracy"] == case.scope.reference(label).get("test_accuracy")
        assert row["of_sweep"] is (label in POINTS)


def test_pairs_are_those_of_the_table_with_names(case):
    names = {"ours_title", "theirs_title"}
    assert [{k: v for k, v in row.items() if k not in names} for row in case.rows["pairs"]] == list(case.pairs)
    for row in case.rows["pairs"]:
        assert row["ours_title"] == SUITE.variants[row["ours"]].title
        assert row["theirs_title"] == SUITE.variants[row["theirs"]].title


def test_classes_and_bins_come_best_first_and_points_of_sweeps_last(case):
    order = [row["variant"] for row in case.rows["forest"]]
    expected = [one for one in order if one in NETWORKS] + [one for one in order if one not in NETWORKS]
    assert list(case.of("classes")) == list(case.of("calibration")) == expected


def test_scores_of_each_class_are_scikit_learns(case):
    for label, own in case.of("classes").items():
        found = [
            precision_recall_fscore_support(
                one.labels, one.probabilities.argmax(1), labels=range(len(CLASSES)), zero_division=0
            )
            for one in case.predictions(label)
        ]
        assert [row["class"] for row in own] == list(CLASSES)
        for number, row in enumerate(own):
            assert (row["n"], row["images"]) == (len(found), found[0][3][number])
            for place, score in enumerate(("precision", "recall", "f1")):
                values = [float(one[place][number]) for one in found]
                assert (row[score], row[f"{score}_sd"]) == mean_and_deviation(values)


def test_flips_of_a_class_are_counted_over_all_pairs_of_seeds(case):
    labels = case.predictions("baseline")[0].labels
    rows = {(row["ours"], row["theirs"], row["class"]): row for row in case.rows["flips"]}
    assert len(rows) == len(case.rows["flips"]) == len(case.pairs) * len(CLASSES)
    for pair in case.pairs:
        ours, theirs = hits_of(case.store, pair["ours"]), hits_of(case.store, pair["theirs"])
        for number, name in enumerate(CLASSES):
            row, own = rows[pair["ours"], pair["theirs"], name], labels == number
            assert row["images"] == own.sum()
            only_ours = [(one & ~other)[own].sum() for one in ours for other in theirs]
            only_theirs = [(other & ~one)[own].sum() for one in ours for other in theirs]
            assert row["only_ours_right"] == pytest.approx(np.mean(only_ours))
            assert row["only_theirs_right"] == pytest.approx(np.mean(only_theirs))


def test_the_first_flips_are_those_of_the_best_variant_and_the_one_nearest_to_it(case):
    rivals = [row["variant"] for row in case.rows["forest"] if row["variant"] not in POINTS]
    first = case.rows["flips"][0]
    assert {first["ours"], first["theirs"]} == set(rivals[:2])


def test_flips_of_all_classes_are_those_of_the_pair(case):
    for pair in case.pairs:
        own = [row for row in case.rows["flips"] if (row["ours"], row["theirs"]) == (pair["ours"], pair["theirs"])]
        for name in ("only_ours_right", "only_theirs_right"):
            assert sum(row[name] for row in own) == pytest.approx(pair[name])


def test_bins_are_those_of_scikit_learn_over_all_seeds(case):
    for label, own in case.of("calibration").items():
        found = case.predictions(label)
        sure = np.concatenate([one.probabilities.max(1) for one in found]).astype(float)
        right = np.concatenate([one.probabilities.argmax(1) == one.labels for one in found])
        accuracy, confidence = calibration_curve(right, sure, n_bins=15)
        assert [row["accuracy"] for row in own] == pytest.approx(list(accuracy))
        assert [row["confidence"] for row in own] == pytest.approx(list(confidence))
        for row in own:
            inside = (sure > row["low"]) & (sure <= row["high"])
            assert row["share"] == pytest.approx(inside.mean())
            assert (row["n"], row["low"], row["high"]) == (len(found), row["bin"] / 15, (row["bin"] + 1) / 15)
        assert sum(row["share"] for row in own) == pytest.approx(1)


def test_a_store_without_a_result_has_no_rows(tmp_path):
    with filled(tmp_path, seeds=(42,), only=("baseline", "dropout"), failed=("baseline", "dropout")) as store:
        found = Case(store)
    assert found.rows == {kind: [] for kind in ("forest", "pairs", "classes", "flips", "histories", "calibration")}
