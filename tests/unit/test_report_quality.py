"""Classes, confusions and calibration against scikit-learn and against plain loops."""

import re
import statistics
from dataclasses import replace

import numpy as np
import pytest
from filled_store import CASES, CLASSES, filled, results_of
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, precision_recall_fscore_support

from db.records import Predictions, Weights
from report.calibration import calibration
from report.quality import balanced_accuracy, class_scores, confusions, quality_table
from report.scope import read_scope


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), **CASES[request.param]) as store:
        scope = read_scope(store, None)
        yield store, scope, quality_table(scope)


def predictions_of(store, label):
    job_ids = [job.id for job in store.jobs() if job.label == label and str(job.state) == "done"]
    return [store.predictions(job_id, Weights.BEST) for job_id in job_ids]


def test_each_config_with_results_has_a_row_under_its_first_label(case):
    _, scope, table = case
    expected = {variant.job_ids: label for label, variant in reversed(scope.variants.items()) if variant.done}
    assert sorted(row["variant"] for row in table.values) == sorted(expected.values())


def test_scores_of_classes_are_scikit_learns(case):
    store, _, table = case
    for row in table.values:
        found = []
        for predicted in predictions_of(store, row["variant"]):
            guesses = predicted.probabilities.argmax(1)
            found.append(
                precision_recall_fscore_support(predicted.labels, guesses, labels=range(20), zero_division=0)[:3]
            )
        expected = np.mean(found, axis=0)
        for name, values in zip(("precision", "recall", "f1"), expected, strict=True):
            assert [row[f"{name} {label}"] for label in CLASSES] == pytest.approx(list(values))
        each = [one[2].mean() for one in found]
        assert row["macro_f1"] == pytest.approx(statistics.mean(each))
        assert row["macro_f1_sd"] == (pytest.approx(statistics.stdev(each)) if len(each) > 1 else None)
        assert (row["n"], row["hardest_recall"]) == (len(found), pytest.approx(expected[1].min()))
        assert row["hardest_class"] == CLASSES[int(expected[1].argmin())]


def test_balanced_accuracy_is_scikit_learns(case):
    store, _, table = case
    for row in table.values:
        seen = predictions_of(store, row["variant"])
        each = [balanced_accuracy_score(one.labels, one.probabilities.argmax(1)) for one in seen]
        assert row["balanced_accuracy"] == pytest.approx(statistics.mean(each))
        assert row["balanced_accuracy_sd"] == (pytest.approx(statistics.stdev(each)) if len(each) > 1 else None)


def test_balanced_accuracy_leaves_classes_without_test_images_out(case):
    store, _, _ = case
    result = results_of(store, "baseline")[0]
    best = replace(result.best, confusion=((3, 1, 0), (2, 2, 0), (0, 0, 0)))
    assert balanced_accuracy(replace(result, best=best)) == pytest.approx((0.75 + 0.5) / 2)


def test_the_most_confused_classes_are_those_of_the_largest_share(case):
    store, _, table = case
    for row in table.values:
        counts = sum(np.array(one.best.confusion) for one in results_of(store, row["variant"]))
        shares = {
            (CLASSES[i], CLASSES[j]): counts[i][j] / counts[i].sum() for i in range(20) for j in range(20) if i != j
        }
        assert row["confused"] == pytest.approx(max(shares.values()))
        assert shares[row["confused_class"], row["confused_with"]] == pytest.approx(row["confused"])
        most = sorted(shares, key=lambda pair: -shares[pair])[:5]
        assert row["confusions"] == [f"{true} for {taken}, {shares[true, taken]:.4f}" for true, taken in most]


def by_loops(predicted):
    """Brier score and expected calibration error, image by image."""
    distance, bins = 0.0, [[] for _ in range(15)]
    for row, label in zip(predicted.probabilities.astype(float), predicted.labels, strict=True):
        distance += sum((value - (number == label)) ** 2 for number, value in enumerate(row))
        place = next(number for number in range(15) if row.max() <= (number + 1) / 15 or number == 14)
        bins[place].append((row.max(), row.argmax() == label))
    gaps = [abs(sum(right - sure for sure, right in one)) for one in bins]
    return distance / len(predicted.labels), sum(gaps) / len(predicted.labels)


def test_calibration_is_that_of_plain_loops_and_of_scikit_learn(case):
    store, _, table = case
    for row in table.values[:3]:
        found = predictions_of(store, row["variant"])
        for predicted in found:
            ours = calibration(predicted)
            assert (ours.brier, ours.ece) == pytest.approx(by_loops(predicted))
            whole = predicted.probabilities.astype(float)
            theirs = brier_score_loss(predicted.labels, whole / whole.sum(1, keepdims=True), labels=range(20))
            assert ours.brier == pytest.approx(theirs, rel=1e-5)
        assert row["brier"] == pytest.approx(statistics.mean(calibration(one).brier for one in found))
        assert row["ece"] == pytest.approx(statistics.mean(calibration(one).ece for one in found))


def test_a_network_that_is_sure_and_right_is_perfect_and_one_that_is_sure_and_wrong_is_the_worst():
    labels = np.arange(6) % 3
    sure = np.eye(3, dtype=np.float32)[labels]
    perfect = calibration(Predictions(labels=labels, probabilities=sure))
    wrong = calibration(Predictions(labels=labels, probabilities=np.roll(sure, 1, axis=1)))
    assert (perfect.brier, perfect.ece) == (0.0, 0.0)
    assert (wrong.brier, wrong.ece) == (2.0, 1.0)


def test_the_gap_is_that_of_the_best_weights(case):
    store, _, table = case
    for row in table.values:
        gaps = [one.best.train_accuracy - one.best.val_accuracy for one in results_of(store, row["variant"])]
        assert row["gap"] == pytest.approx(np.mean(gaps))
        assert row["gap_sd"] == (pytest.approx(np.std(gaps, ddof=1)) if len(gaps) > 1 else None)


def test_every_cell_is_the_rows(case):
    _, scope, table = case
    for cells, row in zip(table.cells, table.values, strict=True):
        shown = dict(zip(table.head, cells, strict=True))
        deviation = "" if row["ece_sd"] is None else f" ± {100 * row['ece_sd']:.2f}"
        assert shown["ECE"] == f"{100 * row['ece']:.2f}{deviation}"
        assert shown["Hardest class"] == f"{row['hardest_class']}, {100 * row['hardest_recall']:.2f} %"
        named, shares = zip(*(one.rsplit(", ", 1) for one in row["confusions"][:3]), strict=True)
        assert re.sub(r", [\d.]+ %", "", shown["Most confused"]).split("; ") == [*named]
        found = re.findall(r", ([\d.]+) %", shown["Most confused"])
        assert [float(one) / 100 for one in found] == pytest.approx([*map(float, shares)], abs=6e-5)
        assert shown["Gap"].split(" ± ")[0] == f"{100 * row['gap']:.2f}".replace("-", "−")
        assert shown["Variant"] == scope.name(row["variant"])


def test_a_class_that_nobody_has_or_guesses_scores_nothing(case):
    store, _, _ = case
    (result, *_) = results_of(store, "baseline")
    odd = replace(result, best=replace(result.best, confusion=((2, 0, 0), (1, 0, 0), (0, 0, 0))))
    assert class_scores(odd).tolist() == [[pytest.approx(2 / 3), 0, 0], [1, 0, 0], [pytest.approx(0.8), 0, 0]]


def test_what_nobody_confused_is_not_named(case):
    store, _, _ = case
    (result, *_) = results_of(store, "baseline")

    def of(table):
        return confusions([replace(result, best=replace(result.best, confusion=table))], ("a", "b"))

    assert of(((3, 1), (0, 2))) == [("a", "b", 0.25)]
    assert of(((3, 0), (0, 2))) == [("a", "b", 0.0)]


def test_a_gap_below_nothing_has_the_minus_of_all_tables(tmp_path):
    with filled(tmp_path, seeds=(42,), only=("baseline",)) as store:
        scope = read_scope(store, None)
    ((job_id, result),) = scope.variant("baseline").results.items()
    best = replace(result.best, train_accuracy=0.25, val_accuracy=0.375)
    variant = replace(scope.variant("baseline"), results={job_id: replace(result, best=best)})
    table = quality_table(replace(scope, variants={"baseline": variant}))
    assert table.cells[0][table.head.index("Gap")] == "−12.50"
