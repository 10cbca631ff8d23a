"""The checklist answers from the store: what it shows, what it does not, and what nobody but the authors knows."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from filled_store import CASES, FINGERPRINT, fill, filled, layout_with_figures, results_of

from report.checklist import ACL, DATA, MADE, NEURIPS_7, NEURIPS_8, WORDS, checklist
from report.pairs import compare, pairs_table
from report.scope import read_scope
from report.tables import build_tables

REVISION = "0123456789abcdef0123456789abcdef01234567"


def items(scope):
    tables = [*build_tables(scope), pairs_table(scope, compare(scope))]
    found = {one.item: one for one in checklist(scope, tables)}
    names = {table.name for table in tables}
    assert {one.where for one in found.values()} <= names | {"", DATA, MADE, WORDS}
    return found


@pytest.fixture(scope="module")
def gaps(tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), **CASES["gaps"]) as store:
        yield store


@pytest.fixture(scope="module")
def scope(gaps):
    return read_scope(gaps, None)


@pytest.fixture(scope="module")
def answers(scope):
    return {name: one.answer for name, one in items(scope).items()}


def read(tmp_path, **how):
    with filled(tmp_path, **{"only": ("baseline",), "seeds": (42,), "layout": layout_with_figures(0), **how}) as store:
        return read_scope(store, None)


def made_by(scope, *environments):
    made = dict(zip(scope.results(), itertools.cycle(environments), strict=False))
    variants = {
        label: replace(one, results={job: replace(r, environment=made[job]) for job, r in one.results.items()})
        for label, one in scope.variants.items()
    }
    return replace(scope, variants=variants)


def test_every_question_has_a_source_and_an_answer(scope):
    found = items(scope).values()
    assert {one.source for one in found} == {NEURIPS_7, NEURIPS_8, ACL, "NeurIPS, ACL"}
    assert all(one.answer for one in found)
    assert len(found) > 20


def test_error_bars_say_which_noise_they_hold(tmp_path, answers):
    told = "Which noise the error bars hold"
    assert "that of seeds and of test images where it has several (8)" in answers[told]
    assert "test images alone" not in answers[told]
    alone = items(read(tmp_path))
    assert "that of test images alone where a variant has one seed (1)" in alone[told].answer
    assert "of seeds and of" not in alone[told].answer
    assert alone["Standard deviation or standard error"].answer.startswith("neither is shown")
    assert "not a standard error" in answers["Standard deviation or standard error"]


def test_only_the_methods_in_use_are_named(tmp_path, answers):
    how = "How they are computed, and what is assumed"
    assert "Satterthwaite" in answers[how]
    assert "Wilson" not in answers[how]
    one = items(read(tmp_path))[how].answer
    assert "Wilson" in one
    assert "Satterthwaite" not in one


def test_intervals_are_pointed_at_in_the_comparison_of_all_networks(scope):
    assert items(scope)["Which noise the error bars hold"].where == "table_4_comparison"


@pytest.mark.parametrize("dirty", [True, False])
def test_local_changes_of_the_working_tree_show(tmp_path, dirty):
    git = {"git": {"revision": REVISION, "dirty": dirty}, "packages": {"bench": "0.1.0", "torch": "2.14"}}
    answer = items(made_by(read(tmp_path), git))["Code and its dependencies"].answer
    assert f"git {REVISION}" in answer
    assert ("local changes that no revision holds" in answer) is dirty
    assert "bench 0.1.0, torch 2.14" in answer


def test_without_a_checkout_no_revision_is_claimed(answers):
    assert "no revision is known" in answers["Code and its dependencies"]


def test_each_kind_of_machine_is_counted(tmp_path):
    cards = [{"device_name": name, "cpu": "EPYC", "cores": 16, "system": "Linux"} for name in ("H100", "H200")]
    answer = items(made_by(read(tmp_path, seeds=(42, 43, 44)), *cards))["Computing infrastructure (ACL, too)"].answer
    assert "2 of 3 results: cpu, H100, EPYC, 16 cores, Linux" in answer
    assert "1 of 3 results: cpu, H200" in answer


def test_processors_of_one_name_are_told_apart_by_their_instruction_set(tmp_path):
    before = {"device_name": "EPYC", "cpu": "EPYC", "cores": 2}
    sets = [before, *(before | {"instruction_set": name} for name in ("AVX2", "AVX512"))]
    answer = items(made_by(read(tmp_path, seeds=(42, 43, 44)), *sets))["Computing infrastructure (ACL, too)"].answer
    assert answer.split("; ") == [
        "1 of 3 results: cpu, EPYC, 2 cores",
        "1 of 3 results: cpu, EPYC, AVX2, 2 cores",
        "1 of 3 results: cpu, EPYC, AVX512, 2 cores",
    ]


def test_times_are_those_of_the_results_and_of_all_attempts(tmp_path):
    found = read(tmp_path, seeds=(42, 43))
    longer = {
        job: [replace(one, ended_at=one.started_at + timedelta(hours=1)) for one in attempts]
        for job, attempts in found.attempts.items()
    }
    answer = items(replace(found, attempts=longer))["Time in total, failed attempts included"].answer
    spent = sum(one.train_s + one.eval_s for one in found.results().values())
    assert answer.startswith(f"{spent:.1f} s of epochs in results; 2.0 h in 2 attempts")


def test_the_number_of_runs_is_exact(answers):
    assert answers["Exact number of runs"].startswith(
        "23 of 30 jobs done; seeds 42, 43, 44; different results: 3 of each of 7 configs, 2 of each of 1 configs, 0 of"
    )


def test_failures_and_missing_seeds_are_named(answers, tmp_path):
    answer = answers["Failed experiments"]
    assert answer.startswith("7 attempts ended without a result (7 diverged)")
    assert "dropout: 43 (failed)" in answer
    assert "not submitted: advanced, conv_depths=128x256" in answer
    with filled(tmp_path, seeds=(42, 43), only=("baseline",), layout=layout_with_figures(0)) as store:
        fill(store, seeds=(42,), only=("dropout",), layout=layout_with_figures(0))
        assert "dropout: 43 (not submitted)" in items(read_scope(store, None))["Failed experiments"].answer


def test_sweeps_have_bounds_points_and_a_choice(answers):
    assert (
        "Hidden units: arguments.hidden_units 64 to 256, 3 points, 2 of them done"
        in (answers["Bounds of each hyperparameter"])
    )
    assert "Number of convolutions: 3: (32, 64, 128)" in answers["Best hyperparameters"]
    assert "Hidden units: not every point is done" in answers["Best hyperparameters"]
    assert "lowest validation loss" in answers["Selection criterion"]


def test_sizes_are_those_of_the_networks(gaps, answers):
    assert f"from {results_of(gaps, 'baseline')[0].parameters:,} (Baseline)" in answers["Number of parameters"]


def test_data_have_counts_split_and_fingerprint(answers):
    assert answers["Examples and classes"].startswith("20 classes; 8,950 training images (400 to 495 of a class)")
    assert "0.2 of the training images of each class, split seed 42" in answers["Splits"]
    assert "Krizhevsky 2009" in answers["Where the data are"]
    assert FINGERPRINT in answers["Where the data are"]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ((), "validation: as given with the data; the same for every training seed"),
        (("test",), "validation: as given with the data; test: 0.2 of the images of each class, split seed 42"),
        (("test", "val"), "split seed 42; test: 0.2 of the images of each class, split seed 42"),
    ],
)
def test_parts_that_were_made_and_parts_that_were_given_are_told_apart(made, words, scope):
    own = replace(scope, dataset=replace(scope.dataset, made=made))
    assert words in items(own)["Splits"].answer


def test_where_files_of_ones_own_are_is_left_to_the_authors(tmp_path, scope):
    own = replace(scope, submission=replace(scope.submission, dataset="folder:/home/me/cats"))
    assert "left to the authors" in items(own)["Where the data are"].answer
    copies = {
        label: replace(one, jobs=tuple(replace(job, fingerprint="a" * 64) for job in one.jobs))
        for label, one in scope.variants.items()
    }
    assert "Krizhevsky" not in items(replace(scope, variants=copies))["Where the data are"].answer


def test_before_the_first_result_nothing_is_claimed(tmp_path):
    found = items(read(tmp_path, waiting=("baseline",)))
    for name in ("Which noise the error bars hold", "Number of parameters", "Code and its dependencies", "Memory"):
        assert found[name].answer == "no job has a result yet"
    assert found["Which noise the error bars hold"].where == "table_4_comparison"


def test_what_no_store_knows_is_left_to_the_authors(answers):
    for word in ("licences", "ethics", "broader impact", "left to the authors"):
        assert word in answers["Everything else"]
