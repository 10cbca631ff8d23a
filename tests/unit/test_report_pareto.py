"""Which variants have more for less, against a comparison of every two by hand."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from filled_store import CASES, accuracy_interval_of, fill, filled, results_of

from db import open_store
from report.pareto import rows
from report.scope import read_scope

COSTS = ("parameters", "flops", "train_s")


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), **CASES[request.param]) as store:
        scope = read_scope(store, None)
        yield store, scope, rows(scope)


def test_each_config_with_results_has_a_row_with_the_means_of_its_results(case):
    store, scope, found = case
    first = {variant.job_ids: label for label, variant in reversed(scope.variants.items()) if variant.done}
    assert [row["variant"] for row in found] == [label for label in scope.variants if label in first.values()]
    for row in found:
        results = results_of(store, row["variant"])
        means = {name: np.mean([getattr(one, name) for one in results]) for name in ("train_s", "peak_mib")}
        means["test_accuracy"] = np.mean([one.best.test_accuracy for one in results])
        means["epoch_s"] = np.mean([(one.train_s + one.eval_s) / one.epochs for one in results])
        means |= dict(zip(("low", "high"), accuracy_interval_of(store, row["variant"]), strict=True))
        assert {name: row[name] for name in means} == pytest.approx(means)
        assert (row["title"], row["n"], row["energy_j"]) == (scope.name(row["variant"]), len(results), None)
        assert (row["parameters"], row["flops"]) == (results[0].parameters, results[0].flops)


def test_a_point_of_a_sweep_is_named_with_its_sweep(case):
    titles = {row["variant"]: row["title"] for row in case[2]}
    assert titles["hidden_units=256"] == "Hidden units: 256"


def dominated_by_hand(points):
    """By name, of {name: (accuracy, cost)}: the most accurate one that has both, of several the cheapest, or None."""
    found = dict.fromkeys(points)
    for one, other in permutations(points, 2):
        (accuracy, cost), (its, price) = points[one], points[other]
        above = its >= accuracy and price <= cost and (its > accuracy or price < cost)
        if above and (found[one] is None or (its, -price) > (points[found[one]][0], -points[found[one]][1])):
            found[one] = other
    return found


@pytest.mark.parametrize("cost", COSTS)
def test_a_variant_is_dominated_by_one_that_is_as_accurate_and_as_cheap_and_better_in_one(case, cost):
    found = case[2]
    points = {row["variant"]: (row["test_accuracy"], row[cost]) for row in found}
    named = {row["variant"]: row[f"dominated_{cost}"] for row in found}
    assert named == dominated_by_hand(points)
    assert all(named[label] is None for label in named.values() if label)


def with_results(scope, accuracies, **costs):
    """The scope with these accuracies, and values of other fields, in the order of its labels with results."""
    variants = dict(scope.variants)
    for place, label in enumerate([label for label, one in scope.variants.items() if one.done]):
        changed = {name: values[place] for name, values in costs.items()}
        variants[label] = replace(variants[label], measured={}, results={
            job_id: replace(one, best=replace(one.best, test_accuracy=accuracies[place]), **changed)
            for job_id, one in variants[label].results.items()
        })  # fmt: skip
    return replace(scope, variants=variants)


LABELS = ("baseline", "dropout", "batchnorm", "both")


@pytest.mark.parametrize(
    ("accuracies", "parameters", "dominators"),
    [
        ((0.5, 0.6, 0.7, 0.8), (1, 2, 3, 4), (None, None, None, None)),
        ((0.5, 0.5, 0.5, 0.5), (1, 1, 1, 1), (None, None, None, None)),
        ((0.5, 0.5, 0.6, 0.6), (1, 2, 3, 3), (None, "baseline", None, None)),
        ((0.5, 0.6, 0.7, 0.6), (4, 3, 2, 3), ("batchnorm", "batchnorm", None, "batchnorm")),
        ((0.5, 0.7, 0.7, 0.4), (2, 2, 1, 9), ("batchnorm", "batchnorm", None, "batchnorm")),
    ],
    ids=["a front", "all alike", "equal accuracy", "the most accurate is named", "of equals the cheapest"],
)
def test_ties_are_no_domination_and_the_most_accurate_is_named(tmp_path, accuracies, parameters, dominators):
    with filled(tmp_path, seeds=(42,), only=LABELS) as store:
        scope = read_scope(store, None)
    # the sweeps' points that are the baseline's jobs come after it, and share its row
    only = replace(scope, variants={label: scope.variants[label] for label in LABELS})
    found = rows(with_results(only, accuracies, parameters=parameters))
    assert [row["dominated_parameters"] for row in found] == list(dominators)


def test_seconds_are_compared_on_one_kind_of_device_only(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)
    fill(store, seeds=(42,), only=("baseline", "dropout"))
    fill(store, seeds=(42,), only=("batchnorm", "both"), device="cuda")
    scope = read_scope(store, None)
    store.close()
    only = replace(scope, variants={label: scope.variants[label] for label in LABELS})
    costs = {"train_s": (30.0, 20.0, 3.0, 2.0), "flops": (4, 3, 2, 1)}
    found = {row["variant"]: row for row in rows(with_results(only, (0.5, 0.6, 0.7, 0.8), **costs))}
    assert [found[label]["dominated_train_s"] for label in LABELS] == ["dropout", None, "both", None]
    assert [found[label]["dominated_flops"] for label in LABELS] == ["both", "both", "both", None]


def test_energy_is_the_mean_of_the_seeds_that_have_it(tmp_path):
    with filled(tmp_path, seeds=(42, 43, 44), only=("baseline",)) as store:
        scope = read_scope(store, None)
    variant = scope.variants["baseline"]
    results = dict(zip(variant.results, (None, 200.0, 500.0), strict=True))
    counted = {job_id: replace(one, energy_j=results[job_id]) for job_id, one in variant.results.items()}
    (row,) = rows(replace(scope, variants={"baseline": replace(variant, results=counted)}))
    assert row["energy_j"] == 350
