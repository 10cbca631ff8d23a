"""The engine on a CUDA device: the CPU's numbers within float32's tolerance, and the same promises."""

import math
import warnings

import numpy as np
import pytest
import torch
from small_trainings import EVERY_AUGMENTATION, SMALL, assert_same, numbers, run

from db.records import Weights
from scheduler.config import Config
from scheduler.suite import load_suite
from worker.checkpoints import Checkpoints
from worker.datasets import load_splits
from worker.engine import Hooks, Stopped, train
from worker.stopwatch import Stopwatch

pytestmark = pytest.mark.gpu

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SLEEP_CYCLES = 300_000_000  # 0.1 s and more on any card
DROPPED = {"arguments": {**SMALL, "batch_norm": True, "dropout": 0.5}, "augmentation": ["flip", "crop"]}
AUGMENTED = {"arguments": SMALL, "augmentation": EVERY_AUGMENTATION, "label_smoothing": 0.1}
RESIDUAL = {
    "model": "resnet",
    "arguments": {"stage_depths": [16, 32], "blocks": 1},
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "momentum": 0.9,
    "nesterov": True,
    "schedule": "cosine",
    "label_smoothing": 0.1,
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    return load_splits(Config.parse({"dataset": "digits"}), data_dir=folder / "data", cache_dir=folder / "cache")


def trained_on_digits(variant, digits, device, epochs):
    given = load_suite().variants[variant].config
    records = []
    outcome = train(
        given.model_copy(update={"dataset": "digits", "epochs": epochs}),
        42,
        digits,
        device=device,
        hooks=Hooks(on_epoch=records.append),
    )
    return records, outcome


def test_cpu_and_cuda_give_the_same_losses_within_tolerance(digits):
    on_cpu, _ = trained_on_digits("baseline", digits, CPU, epochs=2)
    on_cuda, _ = trained_on_digits("baseline", digits, CUDA, epochs=2)
    for ours, theirs in zip(on_cuda, on_cpu, strict=True):
        # 72 steps of Adam let rounding grow: it divides small gradients by their own size
        assert (ours.train_loss, ours.val_loss) == pytest.approx((theirs.train_loss, theirs.val_loss), rel=0.02)


@pytest.mark.parametrize("fields", [DROPPED, RESIDUAL, AUGMENTED], ids=["dropout", "resnet", "every augmentation"])
@pytest.mark.parametrize("stop_at", [2, 4, 6])
def test_an_interrupted_training_goes_on_bit_for_bit(fields, stop_at, tmp_path):
    records, outcome = run(fields, device=CUDA)
    asked, checkpoints, before = iter(range(1, 1000)), Checkpoints(str(tmp_path / "c"), key="k"), []
    with pytest.raises(Stopped):
        run(
            fields,
            device=CUDA,
            on_epoch=before.append,
            should_stop=lambda: next(asked) >= stop_at,
            save=checkpoints.save,
        )
    snapshot, _ = checkpoints.load()
    after, resumed = run(fields, device=CUDA, resume=snapshot)
    assert numbers([*before, *after]) == numbers(records)
    assert_same(resumed, outcome)


def test_a_checkpoint_of_one_kind_of_device_goes_on_on_the_other():
    saved, asked = [], iter(range(1, 1000))
    with pytest.raises(Stopped):
        run(DROPPED, device=CUDA, should_stop=lambda: next(asked) >= 5, save=saved.append)
    records, _ = run(DROPPED, device=CPU, resume=saved[-1])
    assert [record.epoch for record in records] == [2, 3]
    assert all(math.isfinite(record.train_loss) for record in records)


def test_the_peak_is_that_of_the_device_and_of_this_training_only():
    large = 16 * 2**30  # more than what any library takes to work in

    def take_and_give_back(record):
        torch.empty(large, dtype=torch.uint8, device=CUDA)

    _, outcome = run({"epochs": 1}, device=CUDA, on_epoch=take_and_give_back)
    _, after = run({"epochs": 1}, device=CUDA)
    assert 0 < after.peak_mib < large / 2**20 < outcome.peak_mib < 2 * large / 2**20


def test_the_suites_resnet_trains_on_the_device(digits):
    (record,), outcome = trained_on_digits("resnet", digits, CUDA, epochs=1)
    probabilities = outcome.predictions[Weights.LAST].probabilities
    assert math.isfinite(record.train_loss)
    assert probabilities.shape == (len(digits.test.labels), 10)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-4)


@pytest.mark.parametrize("graph", [True, False], ids=["captured", "step by step"])
@pytest.mark.parametrize("augmentation", [DROPPED["augmentation"], EVERY_AUGMENTATION], ids=["plain", "every"])
def test_a_step_never_waits_for_the_device(augmentation, graph):
    asked = []

    def watch_the_steps_between():
        # the first step may load kernels, the epoch's ends have to meet the device
        asked.append(1)
        torch.cuda.set_sync_debug_mode("error" if len(asked) in (2, 3) else "default")
        return False

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Synchronization debug mode")
            fields = {**DROPPED, "augmentation": augmentation, "epochs": 1, "batch_size": 12}
            run(fields, device=CUDA, should_stop=watch_the_steps_between, graph=graph)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(asked) == 5  # four steps, the tail of one image joined to the last, and the end


def test_a_stopwatch_counts_the_devices_work_and_none_that_was_queued_before():
    with Stopwatch(CUDA):
        torch.cuda._sleep(1)  # the kernel is loaded
    torch.cuda._sleep(SLEEP_CYCLES)
    with Stopwatch(CUDA) as idle:
        pass
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    with Stopwatch(CUDA) as busy:
        begin.record()
        torch.cuda._sleep(SLEEP_CYCLES)
        end.record()
    assert busy.elapsed_s >= begin.elapsed_time(end) / 1000 > 0.05
    assert idle.elapsed_s < 0.05
