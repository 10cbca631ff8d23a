"""Which jobs, printed values and data a report covers."""

import statistics
from dataclasses import replace

import pytest
from filled_store import CLASSES, FINGERPRINT, SPLIT, dataset, fill, filled, results_of

from db import open_store
from db.records import JobState, NewJob, NewSubmission
from report.figure_data import figure_rows
from report.html import html_page
from report.page import markdown_page
from report.scope import measured_of, read_scope
from report.tables import build_tables
from report.variant import ranked
from scheduler.suite import load_suite

SAME_AS_BASELINE = ("conv_depths=32x64", "hidden_units=128", "depth=two_conv")


@pytest.fixture
def store(tmp_path):
    opened = open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)
    yield opened
    opened.close()


def seeds_of(scope, label):
    return [job.seed for job in scope.variant(label).jobs]


@pytest.fixture(scope="module")
def only_baseline(tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), seeds=(42,), only=("baseline",)) as store:
        yield read_scope(store, None)


@pytest.mark.parametrize("label", SAME_AS_BASELINE)
def test_a_job_counts_under_every_label_of_its_config(only_baseline, label):
    variant = only_baseline.variant(label)
    assert (len(variant.done), variant.state) == (1, "1 done")
    rows = [row for table in build_tables(only_baseline) for row in table.values if row.get("variant") == label]
    assert {row["n"] for row in rows} == {1}


def test_points_of_other_configs_stay_not_submitted(only_baseline):
    states = {label: variant.state for label, variant in only_baseline.variants.items()}
    done = {label for label, state in states.items() if state == "1 done"}
    assert done == {"baseline", *SAME_AS_BASELINE}
    assert set(states.values()) == {"1 done", "not submitted"}


def test_submissions_of_one_scope_are_pooled_and_no_others(store):
    fill(store, seeds=(42,), only=("baseline",))
    fill(store, seeds=(43,), only=("dropout",))
    fill(store, seeds=(44,), only=("baseline", "dropout"), epochs=3, scope="another protocol", reference={})
    first, newest = read_scope(store, 1), read_scope(store, None)
    assert (seeds_of(first, "baseline"), seeds_of(first, "dropout")) == ([42], [43])
    assert (seeds_of(newest, "baseline"), seeds_of(newest, "dropout")) == ([44], [44])
    assert {job.epochs for job in newest.jobs()} == {3}
    assert newest.reference("baseline") == {}


def test_a_foreign_scope_with_equal_configs_is_left_out(store):
    fill(store, seeds=(42,), only=("baseline",))
    fill(store, seeds=(43,), only=("baseline",), scope="other data")
    assert seeds_of(read_scope(store, 1), "baseline") == [42]
    assert seeds_of(read_scope(store, 2), "baseline") == [43]


def test_only_done_jobs_have_results_and_histories(store):
    fill(store, seeds=(42, 43, 44), only=("baseline", "dropout"), failed=(("dropout", 43),))
    dropout = read_scope(store, None).variant("dropout")
    assert [job.state for job in dropout.jobs] == [JobState.DONE, JobState.FAILED, JobState.DONE]
    assert set(dropout.results) == set(dropout.histories) == {dropout.jobs[0].id, dropout.jobs[2].id}
    assert dropout.state == "2 done, 1 failed: diverged"
    assert not dropout.complete


@pytest.mark.parametrize("label", SAME_AS_BASELINE)
def test_printed_values_belong_to_the_config_but_a_choice_to_its_point(only_baseline, label):
    printed = only_baseline.reference(label)
    assert printed["test_accuracy"] == 0.5470
    assert printed["epochs"] == 16
    assert ("chosen" in printed) is (label == "hidden_units=128")


def test_the_printed_values_are_those_of_the_study():
    found = load_suite().reference["variants"]
    assert found["baseline"] == {
        "test_accuracy": 0.5470,
        "test_loss": 1.8410,
        "train_accuracy": 0.8766,
        "val_accuracy": 0.5410,
        "train_loss": 0.4213,
        "val_loss": 1.9478,
        "gap": 0.3356,
        "epochs": 16,
        "parameters": 546388,
    }
    assert found["both"]["gap"] == 0.0131
    assert (found["both_augmented"]["train_accuracy"], found["both_augmented"]["gap"]) == (0.4215, -0.1420)
    assert found["advanced"]["gap"] == 0.07
    assert found["resnet"]["val_accuracy"] == 0.7605
    assert found["conv_depths=64x128"] == {"test_accuracy": 0.5595, "chosen": True}
    assert found["hidden_units=128"] == {"chosen": True}
    assert found["depth=three_conv"] == {"test_accuracy": 0.5455}


def test_the_data_shown_are_of_the_split_that_was_trained_on(store):
    fill(store, seeds=(42,), only=("baseline",))
    store.record_dataset(dataset(train_counts=(1,) * 20), split="0.5/7")
    assert read_scope(store, None).dataset.train_counts == dataset().train_counts
    assert store.dataset("cifar100-20", FINGERPRINT, split="0.5/7").train_counts == (1,) * 20
    assert store.dataset("cifar100-20", FINGERPRINT, split="0.3/1") is None


def test_several_copies_of_the_data_are_told_on_the_page(store):
    fill(store, seeds=(42,), only=("baseline", "dropout"))
    fill(store, seeds=(42,), only=("both",), fingerprint="e" * 64, classes=tuple("abcdefghijklmnopqrst"))
    scope = read_scope(store, None)
    assert scope.dataset.classes == CLASSES
    for page in (html_page(scope, build_tables(scope), []), markdown_page(scope, build_tables(scope), [])):
        assert "2 copies of the data" in page
        assert "eeeeeeeeeeee: both" in page


def test_several_splits_are_told_on_the_page(store):
    fill(store, seeds=(42,), only=("baseline", "dropout"))
    scope = read_scope(store, None)
    assert scope.warnings == ()
    described = {label: dict(one) for label, one in scope.submission.variants.items()}
    described["dropout"]["config"] = {**described["dropout"]["config"], "split_seed": 7}
    store.submit(replace_variants(scope.submission, described), [other_split(store, described["dropout"]["config"])])
    (warning,) = read_scope(store, None).warnings
    assert "2 splits" in warning
    assert f"those of {SPLIT}" in warning


def test_test_parts_that_are_drawn_by_different_seeds_are_different_images_though_their_labels_are_alike(store):
    fill(store, seeds=(42,), only=("baseline", "dropout"))
    jobs = store.jobs()
    results = store.results([job.id for job in jobs])

    def images(split_seed):
        others = [replace(jobs[0], config={**jobs[0].config, "split_seed": split_seed}), *jobs[1:]]
        return [one.images for one in measured_of(store, others, results)[0].values()]

    assert len(set(images(42))) == len(set(images(7))) == 1
    store.record_dataset(replace(dataset(), made=("test", "val")), split="0.2/7")
    assert (len(set(images(42))), len(set(images(7)))) == (1, 2)
    (other,) = [one for one in read_scope(store, None).test_labels if one.endswith(" 42")]
    assert other == images(42)[0]


def replace_variants(submission, variants):
    values = {name: getattr(submission, name) for name in NewSubmission.__dataclass_fields__}
    return NewSubmission(**values | {"variants": variants})


def other_split(store, config):
    return NewJob(key="other split", label="dropout", seed=42, config=config)


def test_of_two_jobs_of_one_config_and_seed_the_submissions_own_counts(store):
    fill(store, seeds=(42,), only=("baseline",))
    scope = read_scope(store, None)
    job = scope.variant("baseline").jobs[0]
    again = other_split(store, job.config)
    store.submit(replace_variants(scope.submission, scope.submission.variants), [replace(again, label="baseline")])
    assert [one.key for one in read_scope(store, 1).variant("baseline").jobs] == [job.key]
    assert [one.key for one in read_scope(store, None).variant("baseline").jobs] == ["other split"]


def test_each_point_of_a_sweep_has_a_row(only_baseline):
    for name, points in (("conv_depths", 3), ("hidden_units", 3), ("depth", 2)):
        rows = figure_rows(only_baseline, {"kind": "tuning", "sweeps": [name]})
        assert [row["variant"] for row in rows] == list(load_suite().sweeps[name]["points"])
        assert len(rows) == points


def test_variants_are_ranked_by_the_mean_test_accuracy_of_the_best_weights(tmp_path):
    with filled(tmp_path, seeds=(42, 43), only=("baseline", "dropout", "both"), waiting=("both",)) as store:
        scope = read_scope(store, None)
        expected = {
            label: statistics.fmean(one.best.test_accuracy for one in results_of(store, label))
            for label in ("baseline", "dropout")
        }
    assert scope.variant("both").accuracy is None
    assert {label: scope.variant(label).accuracy for label in expected} == expected
    one, other = (scope.variant(label) for label in expected)
    best, worst = (one, other) if expected["baseline"] > expected["dropout"] else (other, one)
    assert ranked([worst, scope.variant("both"), best]) == [best, worst]
    assert ranked([worst, worst, best])[1] is worst
