"""Every pair of variants in the report against the hits in the store, and the sentence that is made of them."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from filled_store import CASES, filled, hits_of

from report import pairs as pairs_of
from report.finding import finding
from report.pairs import compare, pairs_table
from report.scope import read_scope
from report.statistics import difference, holm, mcnemar, seeds_needed

NETWORKS = ("baseline", "dropout", "batchnorm", "both", "both_augmented", "advanced", "resnet")


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), **CASES[request.param]) as store:
        scope = read_scope(store, None)
        hits = {label: hits_of(store, label) for label in NETWORKS}
        yield request.param, scope, {label: one for label, one in hits.items() if len(one)}, compare(scope)


def test_every_two_networks_with_results_are_a_pair_and_no_point_of_a_sweep_is(case):
    _, _, hits, pairs = case
    assert [(pair.ours.label, pair.theirs.label) for pair in pairs] == list(combinations(hits, 2))


def test_differences_tests_and_flips_are_those_of_the_stores_hits(case):
    which, _, hits, pairs = case
    p_values = []
    for pair in pairs:
        ours, theirs = hits[pair.ours.label], hits[pair.theirs.label]
        expected = difference(ours, theirs)
        assert pair.found == expected
        assert pair.single is (which == "one seed")
        p_values.append(mcnemar(ours[0], theirs[0]) if pair.single else expected.p_value())
        only_ours = [(one & ~other).sum() for one in ours for other in theirs]
        only_theirs = [(other & ~one).sum() for one in ours for other in theirs]
        assert pair.flips == pytest.approx((np.mean(only_ours), np.mean(only_theirs)))
        ahead = [(one.mean() > other.mean()) + (one.mean() == other.mean()) / 2 for one in ours for other in theirs]
        assert pair.chance == (None if pair.single else pytest.approx(np.mean(ahead)))
    assert [pair.p_value for pair in pairs] == pytest.approx(p_values)
    assert [pair.different for pair in pairs] == pytest.approx(holm(p_values))


def test_a_verdict_follows_the_adjusted_p_value(case):
    which, _, _, pairs = case
    for pair in pairs:
        if pair.different < 0.05:
            better = pair.ours if pair.found.value > 0 else pair.theirs
            run = "one run: " if which == "one seed" else ""
            assert (pair.ahead, pair.verdict) == (better, f"{run}{better.title} is ahead")
        else:
            assert pair.ahead is None
            equal = pair.equal < 0.05 and which != "one seed"
            assert pair.verdict == ("equal within 1 point" if equal else "cannot be told apart")
    assert len({pair.ahead is None for pair in pairs}) == 2


def test_every_cell_is_the_pairs(case):
    which, scope, hits, pairs = case
    table = pairs_table(scope, pairs)
    for pair, row, values in zip(pairs, table.cells, table.values, strict=True):
        cells = dict(zip(table.head, row, strict=True))
        low, high = pair.found.interval()
        assert cells["Pair"] == f"{pair.ours.title} − {pair.theirs.title}"
        assert cells["Difference, points"] == f"{100 * pair.found.value:+.2f}".replace("-", "−")
        assert cells["95 % interval"] == f"[{100 * low:.2f}, {100 * high:.2f}]".replace("-", "−")
        assert cells["Verdict"] == pair.verdict
        assert (values["ours"], values["theirs"]) == (pair.ours.label, pair.theirs.label)
        assert (values["difference_low"], values["difference_high"]) == (low, high)
        assert values["seeds_needed"] == pair.needed
        # of one test among so many: the verdict goes by all of them together
        level = 1 - 0.05 / len(pairs)
        assert values["would_have_been_found"] == pair.found.smallest_difference(level=level)
        ours, theirs = hits[pair.ours.label], hits[pair.theirs.label]
        assert pair.needed == seeds_needed(ours, theirs, pair.found.value, level=level)
        assert values["test"] == ("mcnemar" if which == "one seed" else "t")
    assert ("McNemar" in table.note) is (which == "one seed")
    assert ("the noise of seeds and of test images" in table.note) is (which == "gaps")
    assert ("the interval holds the noise of the test images alone" in table.note) is (which == "one seed")
    assert "all pairs together (Holm)" in table.note


def test_the_finding_names_each_other_network_once_and_the_best_first(case):
    which, scope, hits, pairs = case
    said = finding(pairs)
    best = max(hits, key=lambda label: hits[label].mean())
    title, accuracy = scope.variant(best).title, f"{100 * hits[best].mean():.2f} %"
    assert said.startswith(f"{title} has the highest test accuracy of the {len(hits)} variants compared, {accuracy} [")
    parts = said.removesuffix(".").split("; ")
    (ahead,) = (part for part in parts if part.startswith("it is ahead of "))
    (unsure,) = (part for part in parts if part.startswith("it cannot be told apart from "))
    others = {ahead: [], unsure: []}
    for pair in pairs:
        if best in (pair.ours.label, pair.theirs.label):
            other = pair.theirs if pair.ours.label == best else pair.ours
            won = pair.ahead is not None and pair.ahead.label == best
            others[ahead if won else unsure].append(other.title)
    for part, titles in others.items():
        assert all(title in part for title in titles) or f" {len(titles)} others" in part
    assert ("holds for that run alone" in said) is (which == "one seed")
    assert finding([]) == ""


def test_the_finding_tells_by_how_much_the_best_is_ahead_of_the_nearest(case):
    _, _, hits, pairs = case
    best = max(hits, key=lambda label: hits[label].mean())
    won = {}
    for pair in pairs:
        if pair.ahead is not None and pair.ahead.label == best:
            turned = pair.ours.label != best
            low, high = sorted(-end if turned else end for end in pair.found.interval())
            won[(pair.ours if turned else pair.theirs).title] = (abs(pair.found.value), low, high)
    nearest = min(won, key=lambda title: won[title][0])
    value, low, high = (f"{100 * number:.2f}" for number in won.pop(nearest))
    told = f"it is ahead of {nearest} by {value} points [{low}, {high}]"
    assert f"{told}, and of " in finding(pairs) if won else f"{told};" in finding(pairs)


def test_copies_of_a_seed_are_counted_once_and_told(tmp_path):
    with filled(tmp_path, seeds=(42, 43, 44), only=("baseline", "both")) as store:
        scope = read_scope(store, None)
        (before,) = compare(scope)
        copied = scope.variant("baseline")
        first = copied.measured[copied.jobs[0].id]
        only_one = replace(copied, measured=dict.fromkeys(copied.measured, first))
        (after,) = compare(replace(scope, variants={**scope.variants, "baseline": only_one}))
    assert before.found.seed_noise
    assert len(only_one.hits) == 1
    assert not after.found.seed_noise
    assert after.found.interval() == difference(only_one.hits, scope.variant("both").hits).interval()


def test_a_store_with_copied_predictions_is_warned_of(tmp_path, monkeypatch):
    import filled_store

    monkeypatch.setattr(filled_store, "predictions", always_the_same(filled_store.predictions))
    with filled(tmp_path, seeds=(42, 43), only=("baseline", "both")) as store:
        scope = read_scope(store, None)
    assert any("baseline: 2 seeds, 1 of them different" in warning for warning in scope.warnings)
    assert [len(scope.variant(label).done) for label in ("baseline", "both")] == [1, 1]  # n of every table
    assert scope.variant("baseline").complete
    (pair,) = compare(scope)
    assert pair.single
    assert pair.verdict == "cannot be told apart"  # not “equal”: nobody knows what another seed would give


def always_the_same(make):
    return lambda level, random: make(0.5, np.random.default_rng(1))


def test_equal_variants_of_several_seeds_are_said_to_be_equal_and_a_mixed_pair_names_the_single_seed(tmp_path):
    with filled(tmp_path, seeds=(42, 43, 44), only=("baseline", "dropout", "both")) as store:
        scope = read_scope(store, None)
    random = np.random.default_rng(2)
    hard = random.random(20_000) < 0.5
    variants = dict(scope.variants)
    for label, more in (("baseline", 0.0), ("dropout", 0.0), ("both", 0.2)):
        measured = {
            job: replace(one, right=hard | (random.random(20_000) < 0.002 + more))
            for job, one in variants[label].measured.items()
        }
        variants[label] = replace(variants[label], measured=measured)
    first = variants["both"].jobs[0].id
    variants["both"] = replace(
        variants["both"],
        results={first: variants["both"].results[first]},
        measured={first: variants["both"].measured[first]},
    )
    pairs = compare(replace(scope, variants=variants))
    assert [pair.verdict for pair in pairs] == [
        "equal within 1 point",
        *["Both improvements is ahead; one side has one seed"] * 2,
    ]
    assert "; Baseline and Dropout only are equal within 1 point; " in finding(pairs)
    mixed = next(pair for pair in pairs if pair.theirs.label == "both")
    assert len(mixed.found.noises) == 2  # that of the three seeds is known
    assert (
        "its noise is unknown, and the interval holds that of the other side's seeds" in pairs_table(scope, pairs).note
    )
    assert [values["equal"] for values in pairs_table(scope, pairs).values] == [True, False, False]
    said = finding(pairs[:1])
    assert "it equals Dropout only within 1 point" in said or "it equals Baseline within 1 point" in said


@pytest.mark.parametrize(
    ("claims", "with_all", "claimed"),
    [
        ((), set(), set()),
        (("dropout > batchnorm by 0.01", "baseline > no_such_row"), set(), {"dropout", "batchnorm"}),
        (("best = batchnorm",), {"batchnorm"}, set()),
    ],
)
def test_of_many_variants_pairs_are_those_with_the_first_with_the_best_and_those_of_claims(
    case, monkeypatch, claims, with_all, claimed
):
    _, scope, hits, _ = case
    monkeypatch.setattr(pairs_of, "_MOST", 3)
    pairs = compare(replace(scope, submission=replace(scope.submission, claims=claims)))
    wanted = {"baseline", max(hits, key=lambda label: hits[label].mean()), *with_all}
    expected = [{*pair} for pair in combinations(hits, 2) if wanted & {*pair} or {*pair} == claimed]
    assert [{pair.ours.label, pair.theirs.label} for pair in pairs] == expected
    number = len(hits) * (len(hits) - 1) // 2
    assert len(pairs) < number
    # chosen by their outcome: each p value counts for all pairs
    assert [pair.different for pair in pairs] == [min(1, number * pair.p_value) for pair in pairs]
    note = pairs_table(scope, pairs).note
    assert f"Bonferroni: each counts for all {number} pairs, of which {len(pairs)} are shown" in note
    assert "Holm" not in note


def test_variants_of_other_test_images_are_no_pair(tmp_path):
    with filled(tmp_path, seeds=(42,), only=("baseline", "both")) as store:
        scope = read_scope(store, None)
    other = scope.variant("both")
    moved = {job: replace(one, images="others") for job, one in other.measured.items()}
    scope = replace(scope, variants={**scope.variants, "both": replace(other, measured=moved)})
    assert compare(scope) == []
    assert not pairs_table(scope, []).shown
