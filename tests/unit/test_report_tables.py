"""Every cell of every table against the results in the store, and against the study's printed pages."""

import statistics
from dataclasses import replace

import pytest
from filled_store import CASES, accuracy_interval_of, filled, histories_of, results_of

from report.cost import cost_table
from report.printed import printed_tables
from report.scope import read_scope
from report.statistics import over_seeds, summarise, wilson
from report.tables import build_tables
from scheduler.suite import load_suite

SUITE = load_suite()
TUNED = {"tuning_conv_depths": "conv_depths", "tuning_hidden_units": "hidden_units", "tuning_depth": "depth"}
RESULTS = ("table_2_improvements", "table_3_augmentation", "table_4_comparison")
NETWORKS = ("baseline", "dropout", "batchnorm", "both", "both_augmented", "advanced", "resnet")

# tables 2 to 4 of the study, and the sentences of its section 7; a config has them under each of its labels
PRINTED = {
    "baseline": ("54.70", "1.8410", "546,388"),
    "dropout": ("52.70", "1.5841", "546,388"),
    "batchnorm": ("59.15", "1.7590", "546,836"),
    "both": ("56.25", "1.4328", "546,836"),
    "both_augmented": ("57.65", "1.3916", "1,127,572"),
    "advanced": ("69.05", "0.9266", "3,382,868"),
    "resnet": ("79.25", "0.7322", "4,330,324"),
    "conv_depths=64x128": ("55.95", "–", "–"),
    "depth=three_conv": ("54.55", "–", "–"),
}
PRINTED |= dict.fromkeys(("conv_depths=32x64", "hidden_units=128", "depth=two_conv"), PRINTED["baseline"])
STATES = {
    "gaps": {
        "dropout": "2 done, 1 failed: diverged",
        "resnet": "3 failed: diverged",
        "hidden_units=64": "3 failed: diverged",
        "advanced": "not submitted",
        "conv_depths=128x256": "not submitted",
    },
    "one seed": {},
}


def every(scope):
    return [*build_tables(scope), *printed_tables(scope), cost_table(scope)]


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    """A store, what the report reads of it, and its tables by name."""
    with filled(tmp_path_factory.mktemp("store"), **CASES[request.param]) as store:
        scope = read_scope(store, None)
        yield request.param, store, scope, {table.name: table for table in every(scope)}


def mean(values, text, factor=1):
    """`values` as a table shows them."""
    values = [factor * value for value in values]
    if not values:
        return "–"
    shown = f"{statistics.mean(values):{text}}"
    return shown if len(values) == 1 else f"{shown} ± {statistics.stdev(values):{text}}"


def percent(values):
    return mean(values, ".2f", 100)


def interval(store, label):
    found = accuracy_interval_of(store, label)
    return f"[{100 * found[0]:.2f}, {100 * found[1]:.2f}]" if found else "–"


def state(case, label):
    return STATES[case].get(label, "3 done" if case == "gaps" else "1 done")


def columns(case, store, label):
    """Every column that a table of results or of tuning may have, for this variant."""
    printed, results = PRINTED.get(label, ("–",) * 3), results_of(store, label)
    return {
        "Variant": SUITE.variants[label].title,
        "n": str(len(results)),
        "Val. acc. %": percent([one.best.val_accuracy for one in results]),
        "Test acc. %, best": percent([one.best.test_accuracy for one in results]),
        "95 % interval": interval(store, label),
        "Test acc. %, last": percent([one.last.test_accuracy for one in results]),
        "Printed acc. %": printed[0],
        "Test loss, best": mean([one.best.test_loss for one in results], ".4f"),
        "Test loss, last": mean([one.last.test_loss for one in results], ".4f"),
        "Printed loss": printed[1],
        "Parameters": f"{results[0].parameters:,}" if results else "–",
        "Printed parameters": printed[2],
        "State": state(case, label),
    }


@pytest.mark.parametrize("name", RESULTS)
def test_every_cell_of_a_table_of_results_is_the_stores(case, name):
    which, store, _, tables = case
    labels = next(one for one in SUITE.tables if one["name"] == name)["variants"]
    for label, cells in zip(labels, tables[name].cells, strict=True):
        expected = columns(which, store, label)
        assert dict(zip(tables[name].head, cells, strict=True)) == {head: expected[head] for head in tables[name].head}
    assert {"n", "95 % interval", "Printed acc. %", "Printed loss", "State"} < set(tables[name].head)
    assert ("Printed parameters" in tables[name].head) is (name == "table_4_comparison")


@pytest.mark.parametrize("name", TUNED)
def test_every_cell_of_a_tuning_table_is_the_stores(case, name):
    which, store, _, tables = case
    sweep = SUITE.sweeps[TUNED[name]]
    best = {label: [one.best.val_accuracy for one in results_of(store, label)] for label in sweep["points"]}
    complete = all(values and state(which, label).endswith(" done") for label, values in best.items())
    chosen = max(best, key=lambda label: statistics.mean(best[label])) if complete else None
    assert len(tables[name].cells) == len(sweep["points"])
    for label, cells in zip(sweep["points"], tables[name].cells, strict=True):
        expected = columns(which, store, label) | {sweep["title"]: sweep["points"][label]}
        expected["Chosen"] = f"best of {len(sweep['points'])}, by validation" if label == chosen else ""
        expected["Printed choice"] = "best" if label in ("conv_depths=64x128", "hidden_units=128") else ""
        assert dict(zip(tables[name].head, cells, strict=True)) == {head: expected[head] for head in tables[name].head}
    assert ("Printed choice" in tables[name].head) is (name != "tuning_depth")
    assert {"Val. acc. %", "Test acc. %, best", "Printed acc. %", "Chosen", "State"} < set(tables[name].head)


def test_a_choice_is_made_for_every_sweep_that_is_done(case):
    which, _, _, tables = case
    marks = {name: [row[-2 if name == "tuning_depth" else -3] for row in tables[name].cells] for name in TUNED}
    made = {name for name in TUNED if any(marks[name])}
    assert made == ({"tuning_depth"} if which == "gaps" else set(TUNED))
    for name in TUNED:
        number = len(marks[name])
        assert f"chosen: the best of {number} by validation".lower() in tables[name].note.lower()
        assert [row["chosen"] for row in tables[name].values] == [bool(mark) for mark in marks[name]]
        assert {row["chosen_of"] for row in tables[name].values} == {number}


def training(scope, labels):
    wanted = {"name": "training", "kind": "training", "title": "", "variants": labels}
    return build_tables(
        replace(scope, submission=replace(scope.submission, layout={**scope.submission.layout, "tables": [wanted]}))
    )[0]


# printed loss and accuracy of the training, of the validation set, and the gap
PRINTED_TRAINING = {
    "baseline": ("0.4213", "87.66", "1.9478", "54.10", "33.56"),
    "both": ("–", "–", "–", "–", "1.31"),
    "both_augmented": ("–", "42.15", "–", "–", "−14.20"),
    "advanced": ("–", "–", "–", "–", "7.00"),
    "resnet": ("–", "–", "–", "76.05", "–"),
}


@pytest.mark.parametrize("label", NETWORKS)
def test_every_cell_of_a_training_table_is_the_stores(case, label):
    which, store, scope, _ = case
    last, best = ([getattr(r, w) for r in results_of(store, label)] for w in ("last", "best"))
    printed = PRINTED_TRAINING.get(label, ("–",) * 5)
    expected = []
    for name, part, own in (("Training", "train", printed[:2]), ("Validation", "val", printed[2:4])):
        cells = [name]
        for scores in (last, best):
            cells.append(mean([getattr(score, f"{part}_loss") for score in scores], ".4f"))
            cells.append(percent([getattr(score, f"{part}_accuracy") for score in scores]))
        expected.append((*cells, *own))
    gaps = [percent([score.train_accuracy - score.val_accuracy for score in scores]) for scores in (last, best)]
    expected.append(("Gap", "", gaps[0], "", gaps[1], "", printed[4]))
    around = (SUITE.variants[label].title, str(len(last))), (state(which, label),)
    table = training(scope, [label])
    assert table.cells == tuple((*around[0], *line, *around[1]) for line in expected)
    head = ("Variant", "n", "Data", "Loss, last", "Acc. %, last", "Loss, best", "Acc. %, best")
    assert table.head == (*head, "Printed loss", "Printed acc. %", "State")


def test_table_1_is_the_baselines(case):
    _, _, scope, tables = case
    assert tables["table_1_baseline"].cells == training(scope, ["baseline"]).cells


def test_without_printed_values_no_column_speaks_of_them(case):
    _, _, scope, _ = case
    tables = every(replace(scope, submission=replace(scope.submission, reference={})))
    assert not [head for table in tables for head in table.head if "rinted" in head]
    assert all(len(line) == len(table.head) for table in tables for line in table.cells)
    assert "printed_values" not in {table.name for table in tables}


def test_every_cell_of_the_cost_table_is_the_stores(case):
    which, store, scope, tables = case
    cells = {row["variant"]: line for row, line in zip(tables["cost"].values, tables["cost"].cells, strict=True)}
    same = {label for label in SUITE.variants if SUITE.variants[label].config == SUITE.variants["baseline"].config}
    assert len(same) == 4
    assert list(cells) == [label for label in SUITE.variants if label == "baseline" or label not in same]
    for label, line in cells.items():
        found = results_of(store, label)
        epochs = [one.epochs for one in found]
        assert line == (
            ", ".join(
                scope.name(one) for one in SUITE.variants if one == label or (label == "baseline" and one in same)
            ),
            str(len(found)),
            f"{found[0].flops / 1e6:,.1f}" if found else "–",
            " ± ".join(part.removesuffix(".0") for part in mean(epochs, ".1f").split(" ± ")),
            "16" if PRINTED.get(label) is PRINTED["baseline"] else "–",
            mean([one.train_s for one in found], ",.1f"),
            mean([one.eval_s for one in found], ",.1f"),
            mean([(one.train_s + one.eval_s) / one.epochs for one in found], ",.2f"),
            mean([one.peak_mib for one in found], ",.0f"),
            dominators(scope, tables["cost"], label) if found else "–",
            "cpu float32" if found else "–",
            state(which, label),
        )
    head = ("Variant", "n", "MFLOP/image", "Epochs", "Printed epochs", "Training s", "Evaluation s", "s per epoch")
    assert tables["cost"].head == (*head, "Peak MiB", "Dominated by", "Device", "State")


def dominators(scope, cost, label):
    """The words of a row for the labels among its values, which tests/unit/test_report_pareto.py looks at."""
    (row,) = (row for row in cost.values if row["variant"] == label)
    by = {}
    for name, word in (("parameters", "parameters"), ("flops", "FLOPs of an image"), ("train_s", "training seconds")):
        if row[f"dominated_{name}"]:
            by.setdefault(row[f"dominated_{name}"], []).append(word)
    return "; ".join(f"{scope.name(one)} ({', '.join(words)})" for one, words in by.items()) or "none"


def test_energy_is_a_column_where_a_result_has_it_and_says_that_it_is_an_estimate(case):
    _, _, scope, tables = case
    assert not [name for name in tables["cost"].head if "Energy" in name]
    variant = scope.variant("baseline")
    used = {job_id: 1000.0 * number for number, job_id in enumerate(variant.results, start=2)}
    counted = {job_id: replace(result, energy_j=used[job_id]) for job_id, result in variant.results.items()}
    cost = cost_table(replace(scope, variants=scope.variants | {"baseline": replace(variant, results=counted)}))
    shown = {line[0]: line[cost.head.index("Energy kJ, estimate")] for line in cost.cells}
    assert shown.pop(cost.cells[0][0]) == mean([joules / 1000 for joules in used.values()], ",.1f")
    assert set(shown.values()) == {"–"}
    assert "energy: an estimate" in cost.note
    assert_summary(cost.values[0], "energy_j", list(used.values()))
    first, *others = used
    some = {job_id: replace(one, energy_j=None if job_id == first else 1.0) for job_id, one in counted.items()}
    partly = cost_table(replace(scope, variants=scope.variants | {"baseline": replace(variant, results=some)}))
    assert ("not every seed has an energy: Baseline" in partly.note) is bool(others)


def test_counts_that_are_all_equal_have_no_deviation(tmp_path):
    with filled(tmp_path, seeds=(42, 45), only=("baseline",)) as store:  # 4 epochs each
        cost = cost_table(read_scope(store, None))
    assert dict(zip(cost.head, cost.cells[0], strict=True))["Epochs"] == "4"


def test_the_numbers_of_the_cost_table_have_deviations(case):
    _, store, _, tables = case
    for row in tables["cost"].values:
        found = results_of(store, row["variant"])
        assert row["flops"] == (found[0].flops if found else None)
        for name in ("epochs", "train_s", "eval_s", "peak_mib"):
            assert_summary(row, name, [getattr(one, name) for one in found])
        assert_summary(row, "epoch_s", [(one.train_s + one.eval_s) / one.epochs for one in found])


def assert_summary(row, name, values):
    """`name` and `name_sd` of a row are mean and deviation; neither is invented."""
    assert row[name] == (pytest.approx(statistics.mean(values)) if values else None), name
    assert row[f"{name}_sd"] == (pytest.approx(statistics.stdev(values)) if len(values) > 1 else None), name


@pytest.mark.parametrize("name", ["table_1_baseline", *RESULTS, *TUNED])
def test_the_numbers_behind_a_table_are_the_stores(case, name):
    _, store, _, tables = case
    for row in tables[name].values:
        found = results_of(store, row["variant"])
        assert row["n"] == len(found)
        for weights in ("best", "last"):
            scores = [getattr(one, weights) for one in found]
            for field in ("test_accuracy", "test_loss", "val_accuracy", "val_loss", "train_accuracy", "train_loss"):
                assert_summary(row, f"{weights}_{field}", [getattr(score, field) for score in scores])
            assert_summary(row, f"{weights}_gap", [s.train_accuracy - s.val_accuracy for s in scores])
        assert row["parameters"] == (found[0].parameters if found else None)
        reference = SUITE.reference["variants"].get(row["variant"], {})
        assert {f"printed_{field}": value for field, value in reference.items()}.items() <= row.items()


def test_every_printed_value_stands_beside_ours_once(case):
    _, store, scope, tables = case
    rows = tables["printed_values"].values
    printed = SUITE.reference["variants"]
    assert [row["printed"] for row in rows] == [
        pytest.approx(printed[label][field])
        for label in SUITE.variants
        for field in ORDER
        if field in printed.get(label, {})
    ]
    for row in rows:
        if row["quantity"] != "Chosen of its experiment":
            ours = QUANTITIES[row["quantity"]]
            found = results_of(store, row["variant"])
            for weights in ("best", "last"):
                assert_summary(row, weights, [ours(one, getattr(one, weights)) for one in found])
            assert row["state"] == scope.variant(row["variant"]).state


ORDER = (
    *("test_accuracy", "test_loss", "train_accuracy", "train_loss", "val_accuracy", "val_loss", "gap"),
    *("epochs", "parameters", "chosen"),
)
QUANTITIES = {
    "Test acc. %": lambda result, scores: scores.test_accuracy,
    "Test loss": lambda result, scores: scores.test_loss,
    "Training acc. %": lambda result, scores: scores.train_accuracy,
    "Training loss": lambda result, scores: scores.train_loss,
    "Validation acc. %": lambda result, scores: scores.val_accuracy,
    "Validation loss": lambda result, scores: scores.val_loss,
    "Gap, training − validation, points": lambda result, scores: scores.train_accuracy - scores.val_accuracy,
    "Epoch": lambda result, scores: scores.epoch,
    "Parameters": lambda result, scores: result.parameters,
}


def test_the_cells_of_the_printed_values_are_their_numbers(case):
    which, store, _, tables = case
    told = ("Printed", "Ours, best", "Ours, last", "n", "State")
    places = [tables["printed_values"].head.index(name) for name in told]
    cells = {(line[0], line[1]): tuple(line[at] for at in places) for line in tables["printed_values"].cells}
    baseline = results_of(store, "baseline")
    n, word = str(len(baseline)), state(which, "baseline")
    ours = {w: [getattr(one, w) for one in baseline] for w in ("best", "last")}
    accuracies = [percent([score.test_accuracy for score in ours[w]]) for w in ("best", "last")]
    losses = [mean([score.val_loss for score in ours[w]], ".4f") for w in ("best", "last")]
    assert cells["Baseline", "Test acc. %"] == ("54.70", *accuracies, n, word)
    assert cells["Baseline", "Validation loss"] == ("1.9478", *losses, n, word)
    assert cells["Baseline", "Epoch"][0] == "16"
    assert cells["ResNet", "Parameters"][0] == "4,330,324"
    assert cells["Both + augmentation", "Gap, training − validation, points"][0] == "−14.20"
    choice = cells["Hidden units: 128", "Chosen of its experiment"]
    assert choice[0] == "yes"
    assert choice[1] == ("–" if which == "gaps" else "no")  # a larger point has the better made-up accuracy


def test_attempts_that_failed_are_listed_with_their_cause(case):
    which, store, _, tables = case
    rows = tables["attempts_without_result"].values
    failed = [job for job in store.jobs() if str(job.state) == "failed"]
    assert [(row["job"], row["variant"], row["seed"]) for row in rows] == [(j.id, j.label, j.seed) for j in failed]
    assert len(failed) == (7 if which == "gaps" else 0)
    for row, line in zip(rows, tables["attempts_without_result"].cells, strict=True):
        assert line == tuple(str(value) for name, value in row.items() if name != "variant")
        assert line[1] == case[2].name(row["variant"])
        assert (row["cause"], row["attempt"]) == ("diverged", 1)
        assert row["message"] == f"the loss of epoch 3 is not finite (seed {row['seed']})"


def test_notes_say_what_an_interval_holds(case):
    which, _, _, tables = case
    note = tables["table_4_comparison"].note
    assert ("the noise of seeds is unknown" in note) is (which == "one seed")
    assert ("holds the noise of seeds and of test images" in note) is (which == "gaps")
    assert ("mean ± one standard deviation over seeds" in note) is (which == "gaps")
    assert ("2 seeds: the interval is very wide" in note) is (which == "gaps")
    assert "trained on cpu float32" in note
    assert "interval" not in tables["table_1_baseline"].note  # it has no column of them
    assert "last: those" not in tables["tuning_depth"].note  # nor this one of last weights
    assert SUITE.reference["source"] in note


def test_no_two_fields_of_the_made_up_results_are_alike(case):
    _, store, _, _ = case
    results = [one for label in NETWORKS for one in results_of(store, label)]
    fields = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_loss")
    values = [getattr(scores, name) for one in results for scores in (one.best, one.last) for name in fields]
    values += [value for one in results for value in (one.train_s, one.eval_s, one.peak_mib)]
    assert len(set(values)) == len(values)
    assert all(one.best.confusion != one.last.confusion for one in results)
    assert all(
        len(history) == one.epochs
        for history, one in zip(histories_of(store, "baseline"), results_of(store, "baseline"), strict=True)
    )


def test_intervals_agree_with_published_figures():
    assert wilson(15, 50) == pytest.approx((0.1910, 0.4375), abs=1e-4)  # Newcombe 1998, method 3, by hand
    low, high = over_seeds([0.50, 0.52, 0.54])
    assert (low, high) == pytest.approx((0.52 - 4.302653 * 0.02 / 3**0.5, 0.52 + 4.302653 * 0.02 / 3**0.5))
    assert summarise([0.5]).deviation is None
    assert summarise([]) is None


@pytest.mark.parametrize(("cause", "listed"), [("preempted", 0), ("worker_lost", 1)])
def test_attempts_only_stopped_and_resumed_are_counted_not_listed(tmp_path, cause, listed):
    with filled(tmp_path, seeds=(42,), only=("baseline",)) as store:
        scope = read_scope(store, None)
    ended = {
        job: (replace(one[0], outcome=cause, message="asked to stop"), *one) for job, one in scope.attempts.items()
    }
    table = build_tables(replace(scope, attempts=ended))[-1]
    assert len(table.cells) == listed
    assert ("1 more was only stopped and resumed" in table.note) is (listed == 0)
