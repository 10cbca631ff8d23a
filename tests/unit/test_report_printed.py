"""The paper's values beside ours: differences in the right unit, and whether our interval holds what was printed."""

import statistics
from dataclasses import replace

import pytest
from filled_store import accuracy_interval_of, filled, results_of
from scipy import stats

from report.printed import printed_tables
from report.scope import read_scope
from report.statistics import wilson

LABELS = ("baseline", "batchnorm", "resnet")


@pytest.fixture(scope="module", params=[1, 3], ids=["one seed", "three seeds"])
def case(request, tmp_path_factory):
    """A store with so many seeds, what the report reads of it, and the rows and cells of its table."""
    seeds = range(42, 42 + request.param)
    with filled(tmp_path_factory.mktemp("store"), seeds=seeds, only=LABELS) as store:
        scope = read_scope(store, None)
        (table,) = printed_tables(scope)
        yield request.param, store, scope, table


def row(table, label, quantity):
    found = [one for one in table.values if (one["variant"], one["quantity"]) == (label, quantity)]
    assert len(found) == 1
    return found[0]


def cells(table, title, quantity):
    line = next(line for line in table.cells if line[:2] == (title, quantity))
    return dict(zip(table.head, line, strict=True))


def test_a_difference_is_ours_less_the_printed_value_at_both_weights(case):
    _, store, _, table = case
    for label, quantity, printed, field in (
        ("baseline", "Test acc. %", 0.5470, "test_accuracy"),
        ("baseline", "Validation loss", 1.9478, "val_loss"),
        ("resnet", "Validation acc. %", 0.7605, "val_accuracy"),
    ):
        one = row(table, label, quantity)
        for weights in ("best", "last"):
            ours = statistics.mean(getattr(getattr(result, weights), field) for result in results_of(store, label))
            assert one[f"{weights}_difference"] == pytest.approx(ours - printed)


def test_differences_are_shown_with_their_sign_in_the_unit_of_their_row(case):
    _, store, _, table = case
    baseline = results_of(store, "baseline")
    apart = 100 * (statistics.mean(one.best.test_accuracy for one in baseline) - 0.5470)
    assert cells(table, "Baseline", "Test acc. %")["Difference, best"] == f"{apart:+.2f}".replace("-", "−")
    apart = statistics.mean(one.last.val_loss for one in baseline) - 1.9478
    assert cells(table, "Baseline", "Validation loss")["Difference, last"] == f"{apart:+.4f}".replace("-", "−")
    apart = baseline[0].parameters - 546_388
    assert cells(table, "Baseline", "Parameters")["Difference, best"] == f"{apart:+,}".replace("-", "−")


def test_the_interval_of_the_best_weights_accuracy_is_the_one_that_every_table_has(case):
    _, store, scope, table = case
    for label in LABELS:
        one = row(table, label, "Test acc. %")
        low, high = scope.variant(label).accuracy_interval
        assert (one["best_low"], one["best_high"]) == (low, high)
        assert (low, high) == pytest.approx(accuracy_interval_of(store, label))
        assert one["in_best_interval"] == (low <= one["printed"] <= high)


def test_the_interval_of_the_last_weights_accuracy_is_wilsons_or_that_of_the_seeds(case):
    seeds, store, _, table = case
    one = row(table, "resnet", "Test acc. %")
    results = results_of(store, "resnet")
    values = [result.last.test_accuracy for result in results]
    if seeds == 1:
        images = sum(map(sum, results[0].last.confusion))
        expected = wilson(round(values[0] * images), images)
    else:
        expected = stats.t.interval(0.95, seeds - 1, statistics.mean(values), statistics.stdev(values) / seeds**0.5)
    assert (one["last_low"], one["last_high"]) == pytest.approx(expected)
    assert one["in_last_interval"] == (expected[0] <= 0.7925 <= expected[1])


def test_other_quantities_have_an_interval_with_several_seeds_only(case):
    seeds, store, _, table = case
    one = row(table, "baseline", "Validation loss")
    shown = cells(table, "Baseline", "Validation loss")["In our interval, best"]
    if seeds == 1:
        assert (one["best_low"], one["best_high"], one["in_best_interval"], shown) == (None, None, None, "–")
        return
    values = [result.best.val_loss for result in results_of(store, "baseline")]
    expected = stats.t.interval(0.95, seeds - 1, statistics.mean(values), statistics.stdev(values) / seeds**0.5)
    assert (one["best_low"], one["best_high"]) == pytest.approx(expected)
    assert shown == ("yes" if expected[0] <= 1.9478 <= expected[1] else "no")


def test_a_size_has_a_difference_and_no_interval(case):
    *_, table = case
    one = row(table, "resnet", "Parameters")
    assert (one["best_low"], one["in_best_interval"], one["in_last_interval"]) == (None, None, None)
    assert one["best_difference"] == one["best"] - 4_330_324


def test_yes_and_no_say_where_a_printed_value_lies(case):
    _, _, scope, table = case
    one = row(table, "baseline", "Test acc. %")
    for printed, word in ((one["best"], "yes"), (one["best_high"] + 0.01, "no"), (one["best_low"] - 0.01, "no")):
        of_baseline = {"variants": {"baseline": {"test_accuracy": printed}}, "source": "made up"}
        (found,) = printed_tables(replace(scope, submission=replace(scope.submission, reference=of_baseline)))
        assert found.values[0]["in_best_interval"] is (word == "yes")
        assert cells(found, "Baseline", "Test acc. %")["In our interval, best"] == word


def test_no_interval_leaves_the_values_that_a_quantity_can_have(tmp_path):
    with filled(tmp_path, seeds=(42, 43), only=LABELS) as store:  # two seeds: 12.7 errors wide
        (table,) = printed_tables(read_scope(store, None))
    for one in table.values:
        for weights in ("best", "last"):
            if one.get(f"{weights}_low") is not None:
                least, most = (-1 if "Gap" in one["quantity"] else 0), (1 if "%" in one["quantity"] else 1e9)
                assert least <= one[f"{weights}_low"] < one[f"{weights}_high"] <= most, one


def test_the_note_says_what_an_interval_holds_and_that_the_paper_has_noise_of_its_own(case):
    seeds, _, _, table = case
    assert table.title == "Paper and ours"
    assert "a printed value of one run has noise of its own" in table.note
    assert ("only test accuracies have an interval" in table.note) is (seeds == 1)
    assert ("every other one that of seeds alone" in table.note) is (seeds > 1)


def test_a_variant_without_a_result_has_neither_difference_nor_interval(tmp_path):
    with filled(tmp_path, seeds=(42,), only=("baseline", "resnet"), failed=("resnet",)) as store:
        (table,) = printed_tables(read_scope(store, None))
    shown = cells(table, "ResNet", "Test acc. %")
    assert [shown[f"{what}, {w}"] for what in ("Difference", "In our interval") for w in ("best", "last")] == ["–"] * 4
    assert row(table, "resnet", "Test acc. %")["best_difference"] is None
