"""Time to an accuracy and stability, against numpy over the histories."""

from dataclasses import replace

import numpy as np
import pytest
from filled_store import CASES, filled, histories_of

from report.pace import pace_table, reached, stability_table
from report.scope import read_scope


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), **CASES[request.param]) as store:
        scope = read_scope(store, None)
        yield store, scope, pace_table(scope)


def accuracies(history):
    return np.array([record.val_accuracy for record in history])


def best_of(store, label):
    return np.mean([accuracies(history).max() for history in histories_of(store, label)])


def test_the_targets_are_the_first_variants_accuracy_and_nine_tenths_of_the_best_ones(case):
    store, scope, table = case
    done = [label for label, variant in scope.variants.items() if variant.done]
    for row in table.values:
        assert row["first_variant_accuracy"] == pytest.approx(best_of(store, "baseline"))
        assert row["share_of_best_accuracy"] == pytest.approx(0.9 * max(best_of(store, label) for label in done))
    assert "the best validation accuracy of Baseline" in table.note


def test_each_variant_says_how_many_of_its_seeds_got_there_and_how_long_they_took(case):
    store, _, table = case
    for row in table.values:
        histories = histories_of(store, row["variant"])
        assert row["n"] == len(histories)
        for name in ("first_variant", "share_of_best"):
            target = row[f"{name}_accuracy"]
            there = [history for history in histories if (accuracies(history) >= target).any()]
            epochs = [int(np.argmax(accuracies(history) >= target)) + 1 for history in there]
            spent = [np.cumsum([record.train_s + record.eval_s for record in history]) for history in there]
            seconds = [own[epoch - 1] for own, epoch in zip(spent, epochs, strict=True)]
            assert row[f"{name}_reached"] == len(there)
            for field, values in ((f"{name}_s", seconds), (f"{name}_epochs", epochs)):
                assert row[field] == (pytest.approx(np.mean(values)) if values else None)
                assert row[f"{field}_sd"] == (pytest.approx(np.std(values, ddof=1)) if len(values) > 1 else None)


def test_the_cells_are_the_rows(case):
    _, _, table = case
    for row, line in zip(table.values, table.cells, strict=True):
        shown = dict(zip(table.head, line, strict=True))
        for name in ("first_variant", "share_of_best"):
            target = f"{100 * row[f'{name}_accuracy']:.2f} %"
            assert shown[f"Seeds at {target}"] == f"{row[f'{name}_reached']} of {row['n']}"
            mean = row[f"{name}_s"]
            assert shown[f"s to {target}"].split(" ± ")[0] == ("–" if mean is None else f"{mean:,.1f}")
        assert shown["Best val. acc. %"].split(" ± ")[0] == f"{100 * row['best_val_accuracy']:.2f}"


def with_accuracies(scope, label, *seeds):
    """The scope with these validation accuracies as the histories of a label's seeds, two seconds for each epoch."""
    variant = scope.variants[label]
    record = next(iter(variant.histories.values()))[0]
    histories = {
        job_id: [
            replace(record, epoch=number, val_accuracy=value, train_s=1.5, eval_s=0.5)
            for number, value in enumerate(values, start=1)
        ]
        for job_id, values in zip(variant.histories, seeds, strict=True)
    }
    return replace(scope, variants=scope.variants | {label: replace(variant, histories=histories)})


@pytest.fixture
def two_seeds(tmp_path):
    with filled(tmp_path, seeds=(42, 43), only=("baseline", "dropout")) as store:
        scope = read_scope(store, None)
    return replace(scope, variants={label: scope.variants[label] for label in ("baseline", "dropout")})


def test_the_first_time_counts_and_a_seed_that_never_gets_there_does_not(two_seeds):
    scope = with_accuracies(two_seeds, "baseline", [0.1, 0.4, 0.2], [0.1, 0.6, 0.7])
    scope = with_accuracies(scope, "dropout", [0.2, 0.55, 0.1, 0.56], [0.5, 0.54, 0.54, 0.54])
    rows = {row["variant"]: row for row in pace_table(scope).values}
    assert rows["baseline"]["first_variant_accuracy"] == pytest.approx(0.55)
    told = ("first_variant_reached", "first_variant_s", "first_variant_s_sd", "first_variant_epochs")
    assert [rows["baseline"][name] for name in told] == [1, 4.0, None, 2]
    assert [rows["dropout"][name] for name in told] == [1, 4.0, None, 2]
    assert reached(scope.variants["dropout"].histories[next(iter(scope.variants["dropout"].histories))], 0.57) is None


def test_seeds_that_are_all_alike_reach_their_mean(tmp_path):
    with filled(tmp_path, seeds=(42, 43, 44), only=("baseline",)) as store:
        scope = with_accuracies(read_scope(store, None), "baseline", *[[0.05, 0.1]] * 3)
    assert np.mean([0.1] * 3) > 0.1  # by a rounding
    assert pace_table(scope).values[0]["first_variant_reached"] == 3


def test_without_a_result_of_the_first_variant_its_target_is_left_out(two_seeds):
    first = replace(two_seeds.variants["baseline"], results={}, histories={}, measured={})
    table = pace_table(replace(two_seeds, variants=two_seeds.variants | {"baseline": first}))
    assert [row["variant"] for row in table.values] == ["dropout"]
    assert "first_variant_s" not in table.values[0]
    assert len([name for name in table.head if name.startswith("s to")]) == 1
    nothing = replace(two_seeds, variants={"baseline": first})
    assert (pace_table(nothing).cells, stability_table(nothing).cells) == ((), ())


def test_stability_is_the_last_quarters_deviation_and_the_fall_from_the_best_epoch(two_seeds):
    random = np.random.default_rng(5)
    long, longer = random.random(9), random.random(14)
    scope = with_accuracies(two_seeds, "baseline", long.tolist(), longer.tolist())
    scope = with_accuracies(scope, "dropout", [0.1, 0.5, 0.3, 0.4, 0.2, 0.1, 0.2, 0.4], [0.1, 0.2])
    rows = {row["variant"]: row for row in stability_table(scope).values}
    late = [long[-3:].std(ddof=1), longer[-4:].std(ddof=1)]
    falls = [long.max() - long[-1], longer.max() - longer[-1]]
    for name, values in (("late_deviation", late), ("fall", falls)):
        assert rows["baseline"][name] == pytest.approx(np.mean(values))
        assert rows["baseline"][f"{name}_sd"] == pytest.approx(np.std(values, ddof=1))
    assert rows["dropout"]["late_deviation"] is None  # two epochs of eight are too few
    assert rows["dropout"]["fall"] == pytest.approx(np.mean([0.1, 0.0]))
    (line,) = (line for line in stability_table(scope).cells if line[0] == "Dropout only")
    assert line[3] == "–"


def test_a_training_that_is_another_ones_copy_counts_once(two_seeds):
    variant = two_seeds.variants["baseline"]
    same = next(iter(variant.measured.values()))
    copied = replace(variant, measured=dict.fromkeys(variant.measured, same))
    table = pace_table(replace(two_seeds, variants=two_seeds.variants | {"baseline": copied}))
    assert {row["variant"]: row["n"] for row in table.values} == {"baseline": 1, "dropout": 2}


def test_targets_that_are_asked_for_are_told_like_the_others(two_seeds):
    scope = with_accuracies(two_seeds, "baseline", [0.1, 0.4, 0.62], [0.1, 0.6, 0.7])
    table = pace_table(scope, (0.6, 0.6, 0.99))
    row = next(row for row in table.values if row["variant"] == "baseline")
    assert [row[f"at_0.6_{name}"] for name in ("accuracy", "reached", "s", "epochs")] == [0.6, 2, 5.0, 2.5]
    assert [row[f"at_0.99_{name}"] for name in ("accuracy", "reached", "s", "epochs")] == [0.99, 0, None, None]
    (cells,) = (dict(zip(table.head, line, strict=True)) for line in table.cells if line[0] == "Baseline")
    assert (cells["Seeds at 60.00 %"], cells["s to 60.00 %"]) == ("2 of 2", "5.0 ± 1.4")
    assert (cells["Seeds at 99.00 %"], cells["s to 99.00 %"]) == ("0 of 2", "–")
    assert "60.00 %: asked for" in table.note


@pytest.mark.parametrize(
    ("asked_for", "shown"),
    [
        ((0.6, 0.60001), ["55.000", "49.500", "60.000", "60.001"]),
        ((0.55, 0.6), ["55.00", "49.50", "60.00"]),  # what the first variant reached: one column
        ((0.5500001,), ["55.00000", "49.50000", "55.00001"]),
    ],
)
def test_heads_of_targets_that_round_alike_differ(two_seeds, asked_for, shown):
    scope = with_accuracies(two_seeds, "baseline", [0.1, 0.4], [0.1, 0.7])
    scope = with_accuracies(scope, "dropout", [0.2], [0.1])
    table = pace_table(scope, asked_for)
    assert [name for name in table.head if name.startswith("s to")] == [f"s to {one} %" for one in shown]
    assert len({*table.head}) == len(table.head) == len(table.cells[0])
    assert all(f"at_{one}_s" in table.values[0] for one in asked_for)
