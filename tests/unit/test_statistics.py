"""The statistics against other computations of the same, and against tables worked by hand."""

import numpy as np
import pytest
from anova import interval_by_anova, mean_squares
from scipy import stats

from report.statistics import accuracy, difference, equivalence, holm, mcnemar, seeds_needed, summarise, wins


@pytest.fixture
def random():
    return np.random.default_rng(7)


def table(random, seeds, images=200, level=0.6):
    hard = random.normal(0, 1, images)
    return level + random.normal(0, 0.2, (seeds, 1)) - hard + random.normal(size=(seeds, images)) > 0


@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_the_interval_of_an_accuracy_is_that_of_an_analysis_of_variance(random, seeds):
    hits = table(random, seeds)
    low, high = interval_by_anova(hits)
    assert accuracy(hits).interval() == pytest.approx((low, min(high, 1.0)))
    assert accuracy(hits).seed_noise


def test_the_error_of_a_difference_is_that_of_two_analyses_of_variance(random):
    ours, theirs = table(random, 3), table(random, 5)
    apart = ours.mean(0) - theirs.mean(0)
    (seeds, _), _, (left, _) = mean_squares(ours)
    (other_seeds, _), _, (other_left, _) = mean_squares(theirs)
    variance = apart.var(ddof=1) / 200 + (seeds - left) / 600 + (other_seeds - other_left) / 1000
    found = difference(ours, theirs)
    assert found.value == pytest.approx(ours.mean() - theirs.mean())
    assert found.noises[0].error == pytest.approx(variance**0.5)
    welch = stats.ttest_ind(ours.mean(1), theirs.mean(1), equal_var=False)
    assert found.noises[1].df == pytest.approx(welch.df)
    assert found.noises[1].error == pytest.approx(abs(ours.mean() - theirs.mean()) / abs(welch.statistic))
    assert found.p_value() >= welch.pvalue
    turned = difference(theirs, ours)
    assert turned.interval() == pytest.approx(tuple(-value for value in reversed(found.interval())))
    assert turned.p_value() == pytest.approx(found.p_value())


def test_an_interval_and_its_p_value_agree(random):
    found = difference(table(random, 4), table(random, 4, level=0.9))
    low, high = found.interval()
    assert found.p_value(low) == pytest.approx(0.05)
    assert found.p_value(high) == pytest.approx(0.05)
    assert equivalence(found, max(abs(low), abs(high))) < 0.05


def test_p_values_are_students_for_the_noise_that_counts_most(random):
    found = difference(table(random, 3), table(random, 5, level=0.7))
    tails = [2 * stats.t.sf(abs(found.value) / noise.error, noise.df) for noise in found.noises]
    assert found.p_value() == pytest.approx(max(tails), rel=1e-12)


def test_of_one_seed_each_only_the_images_are_in_the_error(random):
    ours = table(random, 1)
    found, apart = difference(ours, ours[:, ::-1]), (ours - ours[:, ::-1].astype(int)).mean(0)
    assert not found.seed_noise
    assert found.interval() == pytest.approx(stats.t.interval(0.95, 199, apart.mean(), stats.sem(apart)))


def test_of_one_seed_and_several_the_noise_of_the_several_is_in_the_error(random):
    ours, theirs = table(random, 1), table(random, 4)
    (seeds, _), _, (left, _) = mean_squares(theirs)
    apart = ours.mean(0) - theirs.mean(0)
    for found in (difference(ours, theirs), difference(theirs, ours)):
        assert not found.seed_noise
        assert found.noises[0].error ** 2 == pytest.approx(apart.var(ddof=1) / 200 + (seeds - left) / 800)
        assert (found.noises[1].error ** 2, found.noises[1].df) == pytest.approx((seeds / 800, 3))


def test_a_copy_of_a_result_is_no_difference_and_no_evidence(random):
    hits = table(random, 3)
    same = difference(hits, hits)
    assert (same.value, same.p_value()) == (0.0, 1.0)


def test_what_never_differs_is_not_certain(random):
    always, never = np.ones((3, 300), bool), np.zeros((3, 300), bool)
    low, high = accuracy(always).interval()
    assert (1 - low, high) == (pytest.approx(0.01, rel=0.02), 1.0)  # the rule of three
    assert difference(always, always).p_value() == 1.0
    assert equivalence(difference(always, always), 0.005) > 0.05 > equivalence(difference(always, always), 0.01)
    assert difference(always, never).p_value() < 1e-9
    few = difference(always[:, :2], never[:, :2])
    assert few.p_value() > 0.05
    assert few.interval() == (-1.0, 1.0)


def test_degrees_of_freedom_are_never_fewer_than_those_of_the_seeds(random):
    ours = table(random, 3)
    shared = np.concatenate([ours[:2], table(random, 1)])  # two of three are the same trainings
    for found in (difference(ours, shared), difference(ours, ours), accuracy(ours[:1].repeat(3, axis=0))):
        assert all(noise.df >= 2 for noise in found.noises)


def test_mcnemar_counts_what_only_one_got_right():
    ours, theirs = np.zeros(50, bool), np.zeros(50, bool)
    ours[:12], theirs[10:13] = True, True
    assert mcnemar(ours, theirs) == pytest.approx(stats.binomtest(10, 11).pvalue)
    assert mcnemar(ours, ours) == 1.0


def test_holms_p_values_are_those_of_his_paper_worked_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_wins_are_mann_and_whitneys_statistic(random):
    ours, theirs = random.integers(0, 9, 7) / 9, random.integers(0, 9, 5) / 9
    expected = stats.mannwhitneyu(ours, theirs, method="asymptotic").statistic / 35
    assert wins(ours, theirs) == pytest.approx(expected, rel=1e-12)


def test_wins_are_counted_in_pairs_of_seeds_with_ties_as_halves():
    assert wins([0.5, 0.6], [0.4, 0.6]) == pytest.approx((1 + 0 + 1 + 0.5) / 4)


def test_the_smallest_difference_is_found_as_often_as_it_says(random):
    found = difference(table(random, 5), table(random, 5))
    smallest = found.smallest_difference(0.8)
    assert smallest == pytest.approx(
        max(noise.error * (stats.t.ppf(0.975, noise.df) + stats.t.ppf(0.8, noise.df)) for noise in found.noises)
    )
    assert found.smallest_difference(0.9) > smallest


def test_a_larger_difference_needs_fewer_seeds(random):
    ours, theirs = table(random, 5, images=5000), table(random, 5, images=5000)
    needed = [seeds_needed(ours, theirs, wanted) for wanted in (0.05, 0.1, 0.3)]
    assert needed == sorted(needed, reverse=True)
    assert needed[0] > needed[-1] >= 2
    assert seeds_needed(ours, theirs, 0.0) is None


@pytest.mark.parametrize("value", [0.05, 0.1, 0.2, 1 / 3])
def test_equal_values_have_no_deviation_not_even_a_rounding_error(value):
    assert summarise([value] * 3).deviation == 0
