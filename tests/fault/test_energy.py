"""The energy of a training whose attempts were interrupted, by the counter of a card that only these tests have."""

import sys

import pytest
from fake_nvml import FakeNvml
from real_worker import attempt_here, job, outcomes, submit_digits

from db.records import JobState
from worker import steps

CARD = "GPU-aaaa-1"
STEP_J = 100.0


@pytest.fixture
def nvml(monkeypatch):
    """Each training step adds to the card's counter, and to `steps`."""
    fake = FakeNvml({CARD: (81_000, 80_000)})
    fake.used_mj[CARD], fake.steps = 7_000_000, 0
    real = steps.train_step

    def costly(*words, **named):
        fake.used_mj[CARD] += round(STEP_J * 1000)
        fake.steps += 1
        return real(*words, **named)

    monkeypatch.setattr(steps, "train_step", costly)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    yield fake
    assert fake.opened == 0


@pytest.mark.parametrize("here", ["sqlite", "postgres"], indirect=True)
def test_energy_is_carried_over_a_stop_and_what_others_used_meanwhile_is_not_counted(store, here, nvml):
    submit_digits(store, here, "baseline", epochs=4)
    assert attempt_here(store, here, stopping=lambda: job(store).epoch >= 2, card=CARD) is JobState.QUEUED
    before = nvml.steps
    assert before > 0
    nvml.used_mj[CARD] += 123_456_000
    assert attempt_here(store, here, card=CARD) is JobState.DONE
    assert nvml.steps > before
    assert store.results([1])[1].energy_j == nvml.steps * STEP_J
    assert outcomes(store) == ["preempted", "done"]


def test_an_attempt_on_a_cpu_leaves_the_energy_of_the_whole_unknown(store, here, nvml):
    submit_digits(store, here, "baseline", epochs=2)
    assert attempt_here(store, here, stopping=lambda: job(store).epoch >= 1) is JobState.QUEUED
    assert attempt_here(store, here, card=CARD) is JobState.DONE
    assert store.results([1])[1].energy_j is None
