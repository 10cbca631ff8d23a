"""The grammar of selectors: what a condition may say, what it is true of, and which jobs of a store are meant."""

from contextlib import closing
from dataclasses import replace

import pytest
from filled_store import fill
from hypothesis import given, settings
from hypothesis import strategies as st

from db import open_store
from db.errors import ConfigError, NotFoundError
from scheduler.selection import Selection, condition, selection


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Three variants and a sweep, seeds 42 and 43, `both` failed; in another submission `resnet` alone, which runs."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'bench.db'}"
    sweep = ["conv_depths=32x64", "conv_depths=64x128"]
    with closing(open_store(url, create=True)) as opened:
        fill(opened, seeds=(42, 43), only=["baseline", "batchnorm", "both", *sweep], failed=("both",))
        fill(opened, seeds=(42,), only=["resnet"], waiting=("resnet",))
        yield opened


def chosen(store, *ids, **given):
    return {(job.label, job.seed) for job in selection(ids, **given).jobs(store)}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("val_accuracy>0.5", ("val_accuracy", ">", "0.5")),
        (" epoch <= 7 ", ("epoch", "<=", "7")),
        ("lr=1e-3", ("learning_rate", "=", "1e-3")),
        ("config.batch_size!=32", ("batch_size", "!=", "32")),
        ("cause==oom", ("cause", "=", "oom")),
        ("arguments.conv_depths.0>=64", ("arguments.conv_depths.0", ">=", "64")),
        ("dataset=folder:/a b=c", ("dataset", "=", "folder:/a b=c")),
        ("val_accuracy=none", ("val_accuracy", "=", "none")),
    ],
)
def test_a_condition_is_a_field_an_operator_and_a_value(text, parts):
    found = condition(text)
    assert (found.field, found.sign, found.text) == parts


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "this is no condition"),
        ("epoch", "this is no condition"),
        ("epoch>", "this is no condition"),
        ("=3", "this is no condition"),
        ("epoch=>3", "epoch is a number"),
        ("epoch>many", "epoch is a number"),
        ("val_accuracy>nan", "val_accuracy is a number"),
        ("val_accuracy>none", "val_accuracy can only be = or != none"),
        ("variant>a", "variant has no order"),
        ("cause=luck", "cause is oom, diverged"),
        ("state=don", "state is queued, running"),
    ],
)
def test_a_bad_condition_is_refused_with_the_fields_and_an_example(text, why):
    with pytest.raises(ConfigError, match=why) as refused:
        condition(text)
    assert repr(text) in str(refused.value)
    for word in ("val_accuracy>0.5", "!= > >= < <=", "cause", "test_accuracy", "learning_rate (lr)"):
        assert word in refused.value.fix


@settings(max_examples=50)
@given(st.floats(allow_nan=False, allow_infinity=False), st.integers() | st.floats(allow_nan=False))
def test_numbers_have_the_order_of_numbers(wanted, value):
    signs = {sign: condition(f"seed{sign}{wanted!r}").holds(value) for sign in ("=", "!=", "<", "<=", ">", ">=")}
    assert signs["="] is (value == wanted) is not signs["!="]
    assert signs["<"] is (value < wanted) is not signs[">="]
    assert signs[">"] is (value > wanted) is not signs["<="]


_PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@settings(max_examples=50)
@given(st.sampled_from(["=", "!=", "<", ">", ""]), st.text(max_size=5), _PLAIN | st.lists(_PLAIN, max_size=2))
def test_any_text_is_refused_or_can_be_asked_of_any_value(sign, text, value):
    try:
        found = condition(f"anything{sign}{text}")
    except ConfigError:
        return
    equal = replace(found, sign="=").holds(value)
    assert replace(found, sign="!=").holds(value) is not equal
    assert type(found.holds(value)) is bool


@pytest.mark.parametrize(
    ("text", "value", "true"),
    [
        ("x=none", None, True),
        ("x!=none", None, False),
        ("x!=oom", None, True),
        ("x<3", None, False),
        ("x=none", [], True),
        ("x!=none", [{"name": "flip"}], True),
        ("x=true", True, True),
        ("x=1", True, False),
        ("x=1.0", 1, True),
        ("x=1", "1", True),
        ("x>1", "2", False),
    ],
)
def test_what_is_no_number_is_compared_as_it_is_spelled(text, value, true):
    assert condition(text).holds(value) is true


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        ({"variant": ["baseline"]}, ["baseline"]),
        ({"variant": ["baseline", "resnet"]}, ["baseline", "resnet"]),
        ({"variant": ["conv_depths=64x128"]}, ["conv_depths=64x128"]),
        ({"state": ["failed"]}, ["both"]),
        ({"state": ["failed", "running"]}, ["both", "resnet"]),
        ({"submission": 2}, ["resnet"]),
        ({"submission": 1, "variant": ["resnet"]}, []),
        ({"where": ["cause=diverged"]}, ["both"]),
        ({"where": ["arguments.batch_norm=true"]}, ["batchnorm", "both"]),
        ({"where": ["arguments.batch_norm=true", "state=done"]}, ["batchnorm"]),
        ({"where": ["lr>0.01"]}, ["resnet"]),
        ({"where": ["model=resnet"]}, ["resnet"]),
        ({"where": ["augmentation!=none"]}, ["resnet"]),
        ({"where": ["arguments.blocks=none"], "state": ["failed"]}, ["both"]),
        ({"where": ["test_accuracy=none"]}, ["both", "resnet"]),
    ],
    ids=str,
)
def test_a_job_has_to_meet_all_selectors_and_one_of_each_kind(store, given, labels):
    assert {label for label, _ in chosen(store, **given)} == {*labels}


@pytest.mark.parametrize(
    ("condition", "all_of_them"),
    [
        ("image_size=32", True),
        ("image_size!=32", False),
        ("warmup_epochs<1", True),
        ("warmup_epochs!=0", False),
        ("optimizer_arguments.eps>1e-8", False),
        ("optimizer_arguments=none", True),
        ("step_milestones=none", True),
        ("code=none", True),
        ("train_budget_s!=none", False),
    ],
)
def test_a_field_that_is_not_stored_at_its_default_has_that_value(store, condition, all_of_them):
    assert len(selection(where=[condition]).jobs(store)) == (len(store.jobs()) if all_of_them else 0)


def test_an_optimizers_own_defaults_are_those_of_jobs_that_have_it(store):
    adam = chosen(store, where=["optimizer=adam"])
    assert chosen(store, where=["optimizer_arguments.betas.1=0.999"]) == adam != chosen(store)


def test_a_sweep_means_all_its_points_under_whatever_label_a_job_was_first_submitted(store):
    points = store.submission(1).layout["sweeps"]["conv_depths"]["points"]
    asked = {job.job_id for job in store.submitted_jobs(1) if job.label in points}
    assert {job.id for job in selection(variant=["conv_depths"]).jobs(store)} == asked
    assert len(asked) == 4


def test_ids_and_conditions_on_results_narrow_together(store):
    done = {job.id: store.results([job.id])[job.id].best.test_accuracy for job in selection(state=["done"]).jobs(store)}
    level = sorted(done.values())[len(done) // 2]
    found = [job.id for job in selection([*done], where=[f"test_accuracy>={level!r}"]).jobs(store)]
    assert found == sorted(job_id for job_id, accuracy in done.items() if accuracy >= level)
    assert 0 < len(found) < len(done)


@pytest.mark.parametrize(
    ("ids", "given", "error", "what", "fix"),
    [
        ([1, 999], {}, NotFoundError, "no job 999", "bench status"),
        ([], {"submission": 9}, NotFoundError, "no submission 9", "choose among 2, 1"),
        ([], {"variant": ["batchnrm"]}, NotFoundError, "no variant 'batchnrm'", "did you mean batchnorm"),
        ([], {"variant": ["zzz"]}, NotFoundError, "no variant 'zzz'", "choose among baseline"),
        ([], {"state": ["gone"]}, ConfigError, "unknown state 'gone'", "queued, running, done, failed, cancelled"),
        ([], {"where": ["gamma>1"]}, ConfigError, "no job has a field 'gamma'", "arguments.hidden_units"),
        ([], {"where": ["model>a"]}, ConfigError, "model has no order", "val_accuracy>0.5"),
        ([], {"where": ["nesterov=1"]}, ConfigError, "nesterov is true, false or none", "val_accuracy>0.5"),
        ([], {"where": ["image_size=large"]}, ConfigError, "image_size is a number", "val_accuracy>0.5"),
        ([], {"where": ["momentum=much"]}, ConfigError, "momentum is a number", "val_accuracy>0.5"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(store, ids, given, error, what, fix):
    with pytest.raises(error, match=what) as refused:
        selection(ids, **given).jobs(store)
    assert fix in refused.value.fix


def test_a_field_that_only_other_jobs_have_selects_none_and_is_no_error(store):
    assert chosen(store, variant=["baseline"], where=["arguments.blocks>1"]) == set()


def test_exactly_keeps_the_order_of_ids_and_refuses_another_number(store):
    assert [job.id for job in selection([3, 1]).exactly(store, 2, "diff")] == [3, 1]
    with pytest.raises(ConfigError, match=r"`bench logs` takes 1 job, not 2 \(1, 3\)"):
        selection([1, 3]).exactly(store, 1, "logs")
    with pytest.raises(ConfigError, match="say which jobs"):
        selection().exactly(store, 2, "diff")


def test_a_selection_of_nothing_is_false_and_any_part_makes_it_true():
    assert not selection()
    assert selection() == Selection()
    for part in ({"ids": [1]}, {"submission": 1}, {"variant": ["a"]}, {"state": ["done"]}, {"where": ["seed=1"]}):
        assert selection(**part)
