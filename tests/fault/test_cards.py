"""Real workers on cards that only their NVML has: the slots are placed as on cards, and train on the CPU."""

import os
import signal
from dataclasses import replace

import pytest
from fake_nvml import CARDS, on_cards
from real_worker import (
    job,
    pid_of,
    place_of,
    running_at,
    sabotaged,
    stop,
    submit_digits,
    submit_endless,
    until,
    worker,
)
from records import result

from db.records import JobState


def test_slots_are_spread_over_the_cards_and_a_child_that_replaces_another_has_its_card(store, here, tmp_path):
    first, second = submit_endless(store, here, tmp_path, seeds=(1, 2))
    with worker(tmp_path, slots=2, device="auto", PYTHONPATH=sabotaged(tmp_path / "own", on_cards(*CARDS))):
        until(lambda: running_at(store, 1, first) and running_at(store, 1, second))
        assert sorted(place_of(store, one).rpartition(":")[2] for one in (first, second)) == [*CARDS]
        before = place_of(store, first)
        os.kill(pid_of(store, first), signal.SIGKILL)
        until(lambda: job(store, first).attempt == 2 and job(store, first).state is JobState.RUNNING)
        assert place_of(store, first) == before
    starts = [line.split() for line in (tmp_path / "starts.txt").read_text().splitlines()]
    pinned = [card for _, card, _ in starts]
    assert (sorted(pinned[:2]), pinned[2:]) == ([*CARDS], [before.rpartition(":")[2]])
    assert {loaded for _, _, loaded in starts} == {"False"}


WATTS = 200
COUNTING = f"""
import time
FakeNvml.nvmlDeviceGetTotalEnergyConsumption = lambda self, card: round(time.monotonic() * {1000 * WATTS})
"""


def test_a_training_has_the_energy_of_its_slots_card(store, here, tmp_path):
    submit_digits(store, here, "baseline", epochs=2)
    own = sabotaged(tmp_path / "own", on_cards(*CARDS) + COUNTING)
    with worker(tmp_path, device="auto", PYTHONPATH=own):
        until(lambda: job(store).state is JobState.DONE)
    (done,), (attempt,) = store.results([1]).values(), store.attempts([1])[1]
    around_s = (attempt.ended_at - attempt.started_at).total_seconds()
    assert WATTS * (done.train_s + done.eval_s) <= done.energy_j < WATTS * around_s


@pytest.mark.long  # the store's side is in tests/contract/test_admission.py
def test_slots_of_one_card_train_at_once_only_what_has_room_together(store, here, tmp_path):
    submit_endless(store, here, tmp_path, seeds=(9,))
    measured = store.claim_next("w1", lease_s=60)
    store.finish(measured, replace(result(), device="cuda", peak_mib=1_500.0), {})  # of the others 3,274 MiB each
    waits = submit_endless(store, here, tmp_path, seeds=(1, 2, 3))
    with worker(tmp_path, slots=3, device="auto", PYTHONPATH=sabotaged(tmp_path / "own", on_cards(CARDS[0]))) as only:
        until(lambda: sum(running_at(store, 1, one) for one in waits) == 2)
        first, second = (one for one in waits if running_at(store, 1, one))
        reached = job(store, second).epoch
        until(lambda: running_at(store, reached + 3, second))
        (third,) = set(waits) - {first, second}
        assert job(store, third).state is JobState.QUEUED
        store.cancel([first])
        until(lambda: running_at(store, 1, third))
        stop(only)
