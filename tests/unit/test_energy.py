"""What a training is taken to have used of its card's energy: by a counter of these tests, never a real card's."""

import sys

import pytest
from fake_nvml import FakeNvml
from small_trainings import run

from worker import energy, steps
from worker.checkpoints import Checkpoints
from worker.devices import energy_counter
from worker.energy import EnergyShare
from worker.engine import Stopped
from worker.snapshot import Progress

CARD = "GPU-aaaa-1"
STEP_J = 100.0
STEPS = 3  # of an epoch
WHOLE_J = 3 * STEPS * STEP_J


@pytest.fixture
def nvml(monkeypatch):
    """A machine with one card, whose counter has run for a while; each training step adds to it."""
    fake = FakeNvml({CARD: (81_000, 80_000)})
    fake.used_mj[CARD] = 5_000_000
    real = steps.train_step

    def costly(*words, **named):
        fake.used_mj[CARD] += round(STEP_J * 1000)
        return real(*words, **named)

    monkeypatch.setattr(steps, "train_step", costly)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    yield fake
    assert fake.opened == 0


def trained(**how):
    """The outcome of a training whose energy is counted on the card."""
    with energy_counter(CARD) as counter:
        return run({}, used_j=EnergyShare(counter).used_j, **how)[1]


def stopped_after(number, folder, used_j):
    """A checkpoint of a training that was stopped after so many steps."""
    asked, checkpoints = iter(range(100)), Checkpoints(str(folder), key="k")
    with pytest.raises(Stopped):
        run({}, used_j=used_j, should_stop=lambda: next(asked) == number, save=checkpoints.save)
    return checkpoints.load()[0]


def test_a_training_used_what_its_card_did_meanwhile(nvml):
    assert trained().energy_j == WHOLE_J


@pytest.mark.parametrize("number", [0, 2, 3, 7, 8])
def test_energy_before_a_stop_is_counted_once_and_what_the_card_does_between_is_not(nvml, tmp_path, number):
    with energy_counter(CARD) as counter:
        snapshot = stopped_after(number, tmp_path, EnergyShare(counter).used_j)
    assert snapshot.state["progress"]["energy_j"] == number * STEP_J
    nvml.used_mj[CARD] += 9_999_000  # the job waits in the queue
    assert trained(resume=snapshot).energy_j == WHOLE_J


def test_a_checkpoint_that_says_nothing_of_energy_is_gone_on_from_and_the_whole_is_unknown(nvml, tmp_path):
    snapshot = stopped_after(4, tmp_path, lambda: 0.0)
    del snapshot.state["progress"]["energy_j"]
    assert Progress.from_plain(snapshot.state["progress"]).energy_j is None
    outcome = trained(resume=snapshot)
    assert (outcome.epochs, outcome.energy_j) == (3, None)


def test_a_part_without_a_counter_makes_the_whole_unknown(nvml, tmp_path):
    assert trained(resume=stopped_after(4, tmp_path, lambda: None)).energy_j is None


def test_a_piece_is_shared_among_the_trainings_at_its_end(monkeypatch):
    used, beside, clock = [1000.0], [1], [0.0]
    monkeypatch.setattr(energy.time, "monotonic", lambda: clock[0])
    share = EnergyShare(lambda: used[0], lambda: beside[0])
    for seconds, joules, trainings in ((2.0, 60.0, 1), (2.0, 60.0, 3), (0.5, 12.0, 1), (0.6, 12.0, 2)):
        clock[0] += seconds
        used[0] += joules
        beside[0] = trainings
        share.look()
    assert share.used_j() == 60 + 60 / 3 + 24 / 2  # the third look came too soon: its piece went on
    assert share.used_j() == 0


@pytest.mark.parametrize("then", [None, 999.0])
def test_a_counter_that_falls_silent_or_runs_backwards_is_asked_no_more(then):
    answers = iter([1000.0, then])
    share = EnergyShare(lambda: next(answers))
    assert [share.used_j(), share.used_j()] == [None, None]


@pytest.mark.parametrize("card", ["", "GPU-gone", "MIG-dddd-4", CARD])
def test_without_a_counter_nothing_is_known_and_nothing_fails(nvml, card):
    nvml.used_mj.clear()
    with energy_counter(card) as counter:
        share = EnergyShare(counter)
        share.look()
        assert (counter(), share.used_j()) == (None, None)


def test_without_a_driver_nothing_is_known(nvml, monkeypatch):
    def no_driver():
        raise nvml.NVMLError("Driver Not Loaded")

    monkeypatch.setattr(nvml, "nvmlInit", no_driver)
    with energy_counter(CARD) as counter:
        assert counter() is None
