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
ON_THE_HOST = """
import random

import torch
from torch import nn

class make(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 8, 3, stride=4), nn.Linear(512, num_classes)
        self.dropout, self.seen, self.past = nn.Dropout(0.5), 0, []
        self.register_buffer("average", torch.zeros(()))

    def forward(self, images):
        factor = 1.0
        {line}
        return self.head(self.dropout(self.body(images).relu().flatten(1))) * factor
"""
NOT_CAPTURED = {
    "a value is read": "factor = 1.0 if images.mean().item() > 0.5 else 0.5",
    "the host waits": "torch.cuda.synchronize()",  # noticed by the capture alone
    "numbers of the host": "factor = torch.tensor([1.0, 0.5]).to(images.device)[0]",
    "a counter": "self.seen += 1; factor = 1 / self.seen",
    "a list that grows": "self.past.append(1); factor = 1 / len(self.past)",
    "another buffer": "self.average = 0.9 * self.average + 0.1; factor = self.average",
    "draws of the host": "factor = 0.5 + torch.rand(1).item()",
}


def trained(text=TEXT, *, graph=True, resume=None, **hooks):
    records, own = [], bundled({"nets.py": text})
    told = Hooks(on_epoch=records.append, **hooks)
    wanted = config(model="nets.py:make", arguments={}, code=own.name)
    return records, train(wanted, 7, SPLITS, device=CUDA, hooks=told, graph=graph, resume=resume, own=own)


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


@pytest.mark.parametrize("line", NOT_CAPTURED.values(), ids=NOT_CAPTURED)
def test_what_a_graph_would_not_follow_trains_step_by_step_and_leaves_the_process_as_it_was(line):
    before = trained()
    text = ON_THE_HOST.replace("{line}", line)
    records, outcome = trained(text)
    assert not outcome.captured
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    plain, other = trained(text, graph=False)
    assert numbers(records) == numbers(plain)
    assert_same(outcome, other)
    after = trained()
    assert after[1].captured
    assert numbers(after[0]) == numbers(before[0])
    assert_same(after[1], before[1])
