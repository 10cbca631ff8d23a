"""Learning rates over epochs and steps, each against torch's own scheduler or one written by hand."""

import json

import pytest
import torch
from small_trainings import SMALL, SPLITS, assert_same, assert_same_tensors, config, numbers, run
from torch.optim import lr_scheduler

from worker.batches import batch_bounds
from worker.engine import Stopped
from worker.optimizers import make_optimizer
from worker.schedules import Schedule
from worker.snapshot import Snapshot

STEPS = 7  # of an epoch


def rates(chosen, *, losses=()):
    """The learning rate of each step that the optimizer really holds."""
    optimizer = make_optimizer(chosen, torch.nn.Linear(1, 1))
    schedule = Schedule(chosen, optimizer, steps=STEPS)
    found = []
    for epoch in range(1, chosen.epochs + 1):
        for step in range(STEPS):
            if schedule.moves_within(epoch):
                schedule.move(epoch, step)
            assert schedule.learning_rate == optimizer.param_groups[0]["lr"]
            found.append(schedule.learning_rate)
        schedule.end_epoch(epoch, losses[epoch - 1] if losses else 1.0)
    return found


def theirs(make, *, epochs, each=STEPS):
    """The same of a scheduler of torch's, which is told after `each` steps that they are done."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler, found = make(optimizer), []
    for done in range(1, epochs * STEPS + 1):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if done % each == 0 and done < epochs * STEPS:  # one cycle has no rate for a step after the last
            scheduler.step()
    return found


@pytest.mark.parametrize(
    ("fields", "make"),
    [
        ({"step_epochs": 2, "step_factor": 0.3}, lambda of: lr_scheduler.StepLR(of, 2, gamma=0.3)),
        ({}, lambda of: lr_scheduler.StepLR(of, 30)),
        ({"step_milestones": [1, 4, 5]}, lambda of: lr_scheduler.MultiStepLR(of, [1, 4, 5])),
    ],
    ids=["every other epoch", "defaults", "milestones"],
)
def test_steps_fall_when_torchs_do(fields, make):
    found = rates(config(epochs=6, learning_rate=0.1, schedule="step", **fields))
    assert found == pytest.approx(theirs(make, epochs=6))


@pytest.mark.parametrize("epochs", [1, 2, 9])
@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        ({}, {}),
        (
            {"one_cycle_warmup": 0.15, "one_cycle_start": 4, "one_cycle_end": 20},
            {"pct_start": 0.15, "div_factor": 4, "final_div_factor": 20},
        ),
    ],
    ids=["defaults", "others"],
)
def test_one_cycle_is_torchs(fields, arguments, epochs):
    found = rates(config(epochs=epochs, learning_rate=0.1, schedule="one_cycle", **fields))

    def make(optimizer):
        steps = epochs * STEPS
        return lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps, cycle_momentum=False, **arguments)

    assert found == pytest.approx(theirs(make, epochs=epochs, each=1))
    assert max(found) <= 0.1


def test_a_cycle_of_so_few_steps_that_none_is_left_to_warm_up_begins_at_its_height():
    chosen = config(epochs=1, learning_rate=0.1, schedule="one_cycle", one_cycle_warmup=1 / STEPS)
    assert rates(chosen)[0] == pytest.approx(0.1)


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_warm_up_grows_as_torchs_linear_one(epochs):
    found = rates(config(epochs=4, learning_rate=0.1, schedule="constant", warmup_epochs=epochs))

    def make(optimizer):
        return lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=epochs * STEPS)

    assert found == pytest.approx(theirs(make, epochs=4, each=1))


@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_after_a_warm_up_the_schedule_begins_and_has_the_epochs_that_are_left(schedule):
    fields = {"learning_rate": 0.1, "schedule": schedule, "step_epochs": 2}
    found = rates(config(epochs=6, warmup_epochs=2, **fields))
    alone = rates(config(epochs=4, **fields))
    assert found[2 * STEPS :] == pytest.approx(alone)
    assert found[: 2 * STEPS] == pytest.approx([0.1 * (0.01 + 0.99 * step / 14) for step in range(14)])


def test_the_epoch_in_which_a_warm_up_ends_is_the_schedules_first():
    fields = {"learning_rate": 0.1, "schedule": "step", "step_epochs": 1, "step_factor": 0.5}
    found = rates(config(epochs=4, warmup_epochs=1.5, **fields))
    assert round(1.5 * STEPS) == 10
    by_epoch = [found[epoch * STEPS : (epoch + 1) * STEPS] for epoch in range(4)]
    assert by_epoch[1] == pytest.approx([0.1 * (0.01 + 0.99 * step / 10) for step in (7, 8, 9)] + [0.1] * 4)
    assert by_epoch[2:] == [pytest.approx([0.05] * STEPS), pytest.approx([0.025] * STEPS)]


def test_a_plateau_does_not_see_the_losses_of_the_warm_up():
    fields = {"learning_rate": 1.0, "plateau_patience": 0, "plateau_factor": 0.5, "warmup_epochs": 2}
    found = rates(config(epochs=5, **fields), losses=[0.1, 0.2, 5.0, 4.0, 4.0])
    assert found[2 * STEPS :: STEPS] == pytest.approx([1.0, 1.0, 1.0])
    found = rates(config(epochs=5, **fields), losses=[0.1, 0.2, 5.0, 5.0, 4.0])
    assert found[2 * STEPS :: STEPS] == pytest.approx([1.0, 1.0, 0.5])


def test_a_warm_up_may_be_longer_than_the_training():
    found = rates(config(epochs=2, learning_rate=1.0, schedule="cosine", warmup_epochs=4))
    assert found == pytest.approx([0.01 + 0.99 * step / (4 * STEPS) for step in range(2 * STEPS)])


def test_the_history_has_the_rate_of_an_epochs_last_step():
    steps = len(batch_bounds(len(SPLITS.train.labels), 16))
    records, _ = run({"schedule": "constant", "learning_rate": 0.01, "warmup_epochs": 2})
    assert steps == 3
    factors = [0.01 + 0.99 * 2 / 6, 0.01 + 0.99 * 5 / 6, 1.0]
    assert [record.learning_rate for record in records] == pytest.approx([0.01 * factor for factor in factors])


PER_STEP = {
    "one-cycle": {"schedule": "one_cycle", "learning_rate": 0.01},
    "warm-up, cosine": {"schedule": "cosine", "warmup_epochs": 1.5},
    "warm-up, plateau": {"schedule": "plateau", "plateau_patience": 0, "warmup_epochs": 0.5},
    "steps": {"schedule": "step", "step_milestones": [1, 2]},
    "warm-up, steps": {"schedule": "step", "step_epochs": 1, "warmup_epochs": 1},
}


@pytest.mark.parametrize("fields", PER_STEP.values(), ids=PER_STEP)
@pytest.mark.parametrize("stop_at", [1, 3, 5, 8])
def test_an_interrupted_training_goes_on_bit_for_bit(fields, stop_at):
    fields = {**fields, "arguments": {**SMALL, "batch_norm": True}, "optimizer": "sgd", "momentum": 0.9}
    ends, saved, before, asked = [], [], [], iter(range(1, 1000))
    records, outcome = run(fields, save=ends.append, save_at_end=True)
    with pytest.raises(Stopped):
        run(fields, should_stop=lambda: next(asked) >= stop_at, save=saved.append, on_epoch=before.append)
    snapshot = Snapshot(saved[-1].tensors, json.loads(json.dumps(saved[-1].state)))  # as a file has it
    after, resumed = run(fields, resume=snapshot, save=ends.append, save_at_end=True)
    assert numbers([*before, *after]) == numbers(records)
    assert_same(resumed, outcome)
    assert_same_tensors(*(end.tensors for end in ends))
