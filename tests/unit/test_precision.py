"""Precision of a config: what each name switches on, and bfloat16 for real on a CPU."""

import dataclasses

import numpy as np
import pytest
import torch
from small_trainings import CPU, SMALL, assert_same, assert_same_tensors, numbers, run

from db import open_store
from db.errors import TrainingError
from db.records import JobState, Weights
from models import build_model
from scheduler.config import Config, job_key
from scheduler.planning import make_plan
from scheduler.queue import submit
from scheduler.settings import load_settings
from scheduler.suite import load_suite
from worker.attempt import Slot, run_attempt
from worker.engine import Stopped
from worker.precision import compute_in, logits_of

CUDA = torch.device("cuda")  # only its name: the switches are there without a card
NETWORKS = {
    "small, dropout": {
        "arguments": {**SMALL, "batch_norm": True, "dropout": 0.3},
        "augmentation": ["flip", "crop"],
    },
    "advanced": {"model": "advanced_cnn", "arguments": {"block_depths": [4, 8], "hidden_units": [16]}},
    "resnet": {
        "model": "resnet",
        "arguments": {"stage_depths": [16], "blocks": 1},
        "optimizer": "sgd",
        "learning_rate": 0.05,
        "momentum": 0.9,
        "label_smoothing": 0.1,
    },
}
EACH = pytest.mark.parametrize("fields", NETWORKS.values(), ids=NETWORKS)


@pytest.fixture(autouse=True)
def _switches_as_before():
    yield
    compute_in("float32", CPU)


def tf32_is_on():
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def test_keys_of_float32_are_those_from_before_there_was_a_choice(monkeypatch):
    monkeypatch.setattr("scheduler.config.ENGINE_REVISION", 2)  # as it was then
    assert job_key(Config.parse({}), 42) == "b244f34343d2a693"
    assert job_key(load_suite().variants["both_augmented"].config, 42) == "933deb407eaf3b14"


def test_a_precision_is_part_of_the_key():
    keys = {job_key(Config.parse({"precision": name}), 42) for name in ("float32", "tf32", "bfloat16")}
    assert len(keys) == 3


@pytest.mark.parametrize("following", ["float32", "bfloat16"])
def test_tf32_is_on_for_its_own_training_alone(following):
    compute_in("tf32", CUDA)
    assert tf32_is_on() == (True, True)
    compute_in(following, CUDA)
    assert tf32_is_on() == (False, False)
    compute_in("tf32", CUDA)
    run({"epochs": 1, "precision": following})  # a training sets them by itself, whatever the job before it left
    assert tf32_is_on() == (False, False)


NEWER = {
    "all": torch.backends,
    "cudnn": torch.backends.cudnn,
    "matmul": torch.backends.cuda.matmul,
    "conv": torch.backends.cudnn.conv,
    "rnn": torch.backends.cudnn.rnn,
    "conv on cpu": torch.backends.mkldnn.conv,
}


@pytest.mark.parametrize("left", ["tf32", "ieee"])
@pytest.mark.parametrize("switch", NEWER.values(), ids=NEWER)
def test_what_torchs_newer_switches_were_left_at_holds_for_no_training(switch, left):
    switch.fp32_precision = left
    compute_in("float32", CPU)
    assert {NEWER[name].fp32_precision for name in ("matmul", "conv", "rnn", "conv on cpu")} == {"ieee"}
    assert (tf32_is_on(), torch.get_float32_matmul_precision()) == ((False, False), "highest")
    switch.fp32_precision = left
    compute_in("tf32", CUDA)
    assert {NEWER[name].fp32_precision for name in ("matmul", "conv", "rnn")} == {"tf32"}
    assert (tf32_is_on(), torch.get_float32_matmul_precision()) == ((True, True), "high")


def test_tf32_on_a_cpu_is_refused_and_never_trained_as_something_else():
    with pytest.raises(TrainingError, match="precision tf32 needs CUDA, and this worker trains on cpu") as refused:
        run({"precision": "tf32"})
    assert "--precision float32" in refused.value.fix


@EACH
def test_float32_is_computed_without_autocast_and_bfloat16_with_it(fields):
    seen = []

    def look(module, given, given_back):
        seen.append(given_back.dtype)

    fields = {"model": "small_cnn", **fields}
    model = build_model(fields["model"], classes=3, **fields["arguments"]).eval()
    next(module for module in model.modules() if isinstance(module, torch.nn.Conv2d)).register_forward_hook(look)
    images = torch.rand(4, 3, 32, 32)
    assert logits_of(model, images, "float32").dtype == torch.float32
    assert logits_of(model, images, "bfloat16").dtype == torch.float32
    assert seen == [torch.float32, torch.bfloat16]


@EACH
def test_bfloat16_trains_with_float32_weights_and_optimizer_and_gives_other_numbers(fields):
    saved = []
    records, outcome = run({**fields, "precision": "bfloat16"}, save=saved.append, save_at_end=True)
    plain, _ = run(fields)
    floats = [value for value in saved[-1].tensors.values() if value.is_floating_point()]
    assert {value.dtype for value in floats} == {torch.float32}
    for ours, theirs in zip(records, plain, strict=True):
        assert (ours.train_loss, ours.val_loss) != (theirs.train_loss, theirs.val_loss)
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=0.2)
    probabilities = outcome.predictions[Weights.LAST].probabilities
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(1), 1, atol=1e-6)  # a softmax of bfloat16 would be off by 1e-3


@EACH
@pytest.mark.parametrize("stop_at", [2, 5])
def test_an_interrupted_bfloat16_training_goes_on_bit_for_bit(fields, stop_at):
    fields, ends, saved = {**fields, "precision": "bfloat16"}, [], []
    records, outcome = run(fields, save=ends.append, save_at_end=True)
    asked, before = iter(range(1, 1000)), []
    with pytest.raises(Stopped):
        run(fields, on_epoch=before.append, should_stop=lambda: next(asked) >= stop_at, save=saved.append)
    after, resumed = run(fields, resume=saved[-1], save=ends.append, save_at_end=True)
    assert numbers([*before, *after]) == numbers(records)
    assert_same(resumed, outcome)
    assert_same_tensors(*(end.tensors for end in ends))


TINY = """
[suite]
name = "tiny"
dataset = "digits"
[defaults]
precision = "{precision}"
[variants.tiny]
arguments = {{ conv_depths = [8, 8], hidden_units = 32 }}
learning_rate = 0.01
epochs = 2
"""


@pytest.fixture
def queued(bench_home, tmp_path):
    """Queues a tiny network on the digits, in the precision that is named; gives the store and the settings."""
    here = load_settings()
    store = open_store(here.database, create=True)

    def queue(precision):
        (tmp_path / "tiny.toml").write_text(TINY.format(precision=precision))
        submit(store, make_plan(load_suite(str(tmp_path / "tiny.toml")), ["tiny"], [42], data_dir=here.data))
        return store, here

    yield queue
    store.close()


def test_a_job_in_bfloat16_learns_the_digits_and_its_result_says_so(queued):
    store, here = queued("bfloat16")
    assert run_attempt(store, store.claim_next("w", lease_s=600), Slot(device="cpu", settings=here)) is JobState.DONE
    (result,) = store.results([1]).values()
    assert (result.device, result.precision) == ("cpu", "bfloat16")
    assert result.best.test_accuracy > 0.5  # ten classes


def test_a_job_in_tf32_ends_at_once_on_a_cpu_with_a_word_that_mends_it(queued):
    store, here = queued("tf32")
    assert run_attempt(store, store.claim_next("w", lease_s=600), Slot(device="cpu", settings=here)) is JobState.FAILED
    (job,) = store.jobs()
    assert job.cause == "code"
    assert "needs CUDA" in job.message
    assert "submit it with --precision float32" in job.message
    assert not list(here.cache.rglob("*.npz"))  # no data were loaded for nothing
    assert store.results([1]) == {}


def test_a_plan_takes_one_precision_for_all_and_leaves_the_printed_values_out(tmp_path):
    suite = load_suite()
    plans = {
        name: make_plan(suite, ["baseline"], [1], data_dir=tmp_path, precision=name)
        for name in (None, "float32", "bfloat16")
    }
    assert plans[None] == plans["float32"]
    assert plans["bfloat16"].overrides == {"precision": "bfloat16"}
    assert {config.precision for config in plans["bfloat16"].configs.values()} == {"bfloat16"}
    assert plans["bfloat16"].scope != plans[None].scope
    assert dataclasses.asdict(plans["bfloat16"].submission())["reference"] == {}
    assert plans[None].submission().reference
