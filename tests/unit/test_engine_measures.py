"""What the engine says of its own cost, what it asks of its caller, and that trainings side by side keep apart."""

import mmap
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import torch
from small_trainings import SMALL, assert_same, config, numbers, run

from worker import augmentation, engine, randomness, steps
from worker.engine import Stopped, new_network
from worker.memory import PeakMemory
from worker.stopwatch import Stopwatch

# seconds that each part of an epoch takes on the clock of these tests; no two sums of them are equal
COSTS = {
    (randomness, "permutation"): 1,
    (augmentation, "draw"): 2,
    (augmentation, "apply"): 10,
    (steps, "train_step"): 100,
    (engine, "evaluate"): 10_000,
}
STEPS = 3
TRAIN_S, EVAL_S = 1 + 2 + STEPS * (10 + 100), 10_000
ELSEWHERE_S = 1_000_000  # takes far longer than all of them: it would show wherever it was counted


class Clock:
    """Stands still but for what `takes` lets pass."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s

    def takes(self, seconds, work=lambda *_: None):
        def timed(*words, **names):
            self.now_s += seconds
            return work(*words, **names)

        return timed


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("worker.stopwatch.perf_counter", clock)
    return clock


@pytest.fixture
def costly(clock, monkeypatch):
    """The real parts of an epoch, each with its price on the clock."""
    for (module, name), seconds in COSTS.items():
        monkeypatch.setattr(module, name, clock.takes(seconds, getattr(module, name)))
    return clock


def test_a_stopwatch_counts_what_happens_within_and_not_in_its_pauses(clock):
    with Stopwatch(torch.device("cpu"), elapsed_s=5.0) as watch:
        clock.takes(10)()
        with watch.paused():
            clock.takes(100)()
            assert watch.elapsed_s == 15
        clock.takes(1000)()
    clock.takes(10_000)()
    assert watch.elapsed_s == 1015


def test_a_stopwatch_counts_the_devices_work_and_none_that_was_queued_before(clock, monkeypatch):
    queued = [100]

    def synchronize(device):
        clock.now_s += sum(queued)
        queued.clear()

    monkeypatch.setattr("torch.cuda.synchronize", synchronize)
    with Stopwatch(torch.device("cuda")) as watch:
        queued.append(7)
    assert watch.elapsed_s == 7


def test_training_seconds_hold_order_draws_gather_augmentation_and_steps_and_nothing_else(costly):
    records, outcome = run(
        {"augmentation": ["flip"]},
        on_epoch=costly.takes(ELSEWHERE_S),
        save=costly.takes(ELSEWHERE_S),
        checkpoint_s=0,
    )
    assert [(record.train_s, record.eval_s, record.epoch_s) for record in records] == [
        (TRAIN_S, EVAL_S, TRAIN_S + EVAL_S)
    ] * 3
    assert (outcome.train_s, outcome.eval_s) == (3 * TRAIN_S, 3 * EVAL_S)


def test_seconds_before_a_stop_in_the_middle_of_an_epoch_are_counted_once(costly):
    asked, saved = iter(range(STEPS * 3 + 1)), []
    with pytest.raises(Stopped):
        run({}, should_stop=lambda: next(asked) == STEPS + 2, save=saved.append)
    costly.takes(ELSEWHERE_S)()  # the job waits in the queue
    records, outcome = run({}, resume=saved[-1])
    again = 1 + 2  # order and draws of the epoch in which it was stopped are made a second time
    assert [record.train_s for record in records] == [TRAIN_S + again, TRAIN_S]
    assert (outcome.train_s, outcome.eval_s) == (3 * TRAIN_S + again, 3 * EVAL_S)


def test_should_stop_is_asked_before_every_step_and_after_the_last():
    asked = []
    run({"epochs": 2}, should_stop=lambda: asked.append(1))
    assert len(asked) == 2 * STEPS + 1


def test_a_stop_before_the_first_step_trains_nothing():
    saved = []
    with pytest.raises(Stopped):
        run({}, should_stop=lambda: True, save=saved.append)
    (snapshot,) = saved
    initial = new_network(config(), 7, 3).state_dict()
    assert (snapshot.epoch, snapshot.step) == (0, 0)
    assert all(torch.equal(snapshot.tensors[f"model.{name}"], value) for name, value in initial.items())


def test_a_stop_after_the_last_step_is_saved_and_the_training_still_ends():
    asked, saved = iter(range(100)), []
    records, _ = run({}, should_stop=lambda: next(asked) == 3 * STEPS, save=saved.append)
    assert [(snapshot.epoch, snapshot.step) for snapshot in saved] == [(3, 0)]
    assert saved[0].history() == records


@pytest.mark.parametrize(("save_at_end", "saves"), [(True, 1), (False, 0)])
def test_the_last_weights_are_saved_at_the_end_only_when_asked_for(save_at_end, saves):
    saved = []
    run({}, save=saved.append, save_at_end=save_at_end)
    assert len(saved) == saves


def touch_and_give_back(mib):
    """Pages of the system's own: an allocator may give out what the process has held all along."""
    with mmap.mmap(-1, mib * 2**20) as pages:
        for start in range(0, len(pages), mmap.PAGESIZE):
            pages[start] = 1


def test_the_peak_of_memory_holds_what_was_taken_and_given_back_meanwhile():
    before_mib = psutil.Process().memory_info().rss / 2**20

    def take_and_give_back(record):
        touch_and_give_back(300)

    _, outcome = run({"epochs": 1}, on_epoch=take_and_give_back)
    assert before_mib + 250 < outcome.peak_mib < before_mib + 1000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the mark is that of the process")
def test_each_job_of_a_worker_has_a_peak_of_its_own():
    device = torch.device("cpu")
    with PeakMemory(device) as memory:
        touch_and_give_back(300)
        large_mib = memory.mib()
    with PeakMemory(device) as memory:
        small_mib = memory.mib()
    assert large_mib > small_mib + 250


DROPPED = {"arguments": {**SMALL, "dropout": 0.5, "batch_norm": True}, "augmentation": ["flip", "crop"], "epochs": 2}


def test_trainings_in_threads_of_one_process_do_not_disturb_each_other():
    alone = [run(DROPPED, seed=seed) for seed in range(4)]
    together = threading.Barrier(4)

    def beside_others(seed):
        together.wait()
        return run(DROPPED, seed=seed)

    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(beside_others, range(4)))
    for (records, outcome), (others, other) in zip(alone, beside, strict=True):
        assert numbers(others) == numbers(records)
        assert_same(other, outcome)


def test_initial_weights_belong_to_their_seed_however_many_networks_are_built_at_once():
    deep = config(model="resnet", arguments={"stage_depths": [16, 32], "blocks": 4})

    def weights(seed):
        return torch.nn.utils.parameters_to_vector(new_network(deep, seed, 10).parameters()).detach()

    alone = [weights(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(weights, list(range(4)) * 5))
    assert all(torch.equal(one, alone[place % 4]) for place, one in enumerate(beside))
    assert not torch.equal(alone[0], alone[1])
