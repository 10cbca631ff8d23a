"""A user's own network on a card: its dropout, drawn from torch's own generator, in captured steps."""

import pytest
import torch
from small_trainings import SPLITS, assert_same, config, numbers

from models import bundled
from worker.engine import Hooks, Stopped, train

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda")
TEXT = """
from torch import nn

def make(num_classes):
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(512, num_classes))
"""
OWN = bundled({"nets.py": TEXT})
CONFIG = config(model="nets.py:make", arguments={}, code=OWN.name)


def trained(*, graph=True, resume=None, **hooks):
    records = []
    told = Hooks(on_epoch=records.append, **hooks)
    return records, train(CONFIG, 7, SPLITS, device=CUDA, hooks=told, graph=graph, resume=resume, own=OWN)


def test_captured_steps_of_an_own_network_give_the_same_numbers_each_time():
    torch.manual_seed(1)
    records, outcome = trained()
    torch.manual_seed(2)
    again, other = trained()
    assert outcome.captured
    assert numbers(again) == numbers(records)
    assert_same(outcome, other)


def test_captured_steps_of_an_own_network_drop_what_plain_ones_drop():
    records, _ = trained()
    plain, _ = trained(graph=False)
    for ours, theirs in zip(records, plain, strict=True):
        assert (ours.train_loss, ours.val_loss) == pytest.approx((theirs.train_loss, theirs.val_loss), rel=1e-3)


@pytest.mark.parametrize("stop_at", [2, 5])
def test_an_own_network_on_a_card_goes_on_bit_for_bit(stop_at):
    records, outcome = trained()
    saved, asked = [], iter(range(1, 1000))
    with pytest.raises(Stopped):
        trained(should_stop=lambda: next(asked) >= stop_at, save=saved.append)
    after, resumed = trained(resume=saved[-1])
    assert numbers(after) == numbers(records)[saved[-1].epoch :]
    assert_same(resumed, outcome)
