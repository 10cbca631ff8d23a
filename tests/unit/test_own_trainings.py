"""The engine with networks of a user's own: their draws, layouts, frozen and tied weights, and going on bit for bit."""

import pytest
import torch
from small_trainings import CPU, SPLITS, assert_same, assert_same_tensors, config, numbers

from db.records import Cause
from models import OwnNetworkError, build_own, bundled
from models._own import loaded
from worker import engine, steps
from worker.attempt import classify
from worker.checkpoints import Checkpoints
from worker.engine import Hooks, Stopped, fits, train

HEAD = "import torch\nfrom torch import nn\n\n"
DROPPED = (
    HEAD
    + """
class MyNet(nn.Module):
    def __init__(self, num_classes, rate=0.5):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3), nn.Dropout(rate))
        self.head = nn.LazyLinear(num_classes)

    def forward(self, images):
        noise = 0.1 * torch.rand(len(images), 1)
        return self.head(self.body(images).view(len(images), -1)) + noise
"""
)
TIED = (
    HEAD
    + """
class MyNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.first, self.second = nn.Linear(3 * 32 * 32, 8), nn.Linear(8, 8, bias=False)
        self.third, self.head = nn.Linear(8, 8, bias=False), nn.Linear(8, num_classes)
        self.third.weight = self.second.weight
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, images):
        self.steps += self.training
        hidden = self.first(images.flatten(1)).relu()
        return self.head(self.third(self.second(hidden).relu()).relu())
"""
)
FROZEN = (
    DROPPED
    + """
class Frozen(MyNet):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.body[0].requires_grad_(False)
        self.unused = nn.Linear(2, 2)
"""
)
SEVERAL = {
    "dropout": (DROPPED, "MyNet", {}),
    "tied": (TIED, "MyNet", {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.01}),
    "frozen": (FROZEN, "Frozen", {"weight_decay": 0.01}),
}


def of(text, name="MyNet", **fields):
    own = bundled({"nets.py": text})
    return config(model=f"nets.py:{name}", arguments={}, code=own.name, **fields), own


def trained(text, name="MyNet", seed=7, resume=None, fields=None, **hooks):
    records = []
    wanted, own = of(text, name, **(fields or {}))
    outcome = train(
        wanted, seed, SPLITS, device=CPU, hooks=Hooks(on_epoch=records.append, **hooks), resume=resume, own=own
    )
    return records, outcome


@pytest.mark.parametrize(("text", "name", "fields"), SEVERAL.values(), ids=SEVERAL)
@pytest.mark.parametrize("stop_at", [2, 5, 8])
def test_an_interrupted_training_of_an_own_network_goes_on_bit_for_bit(text, name, fields, stop_at, tmp_path):
    ends, asked = [], iter(range(1, 1000))
    records, outcome = trained(text, name, fields=fields, save=ends.append, save_at_end=True)
    checkpoints = Checkpoints(str(tmp_path / "c"), key="k")
    torch.manual_seed(stop_at)  # whatever this process drew before
    with pytest.raises(Stopped):
        trained(text, name, fields=fields, should_stop=lambda: next(asked) >= stop_at, save=checkpoints.save)
    wanted, own = of(text, name, **fields)
    snapshot, warning = checkpoints.load(lambda found: fits(wanted, 3, found, own=own))
    assert (warning, snapshot.step + snapshot.epoch > 0) == ("", True)
    torch.manual_seed(1)
    after, resumed = trained(text, name, fields=fields, resume=snapshot, save=ends.append, save_at_end=True)
    assert numbers(after) == numbers(records)[snapshot.epoch :]
    assert_same(resumed, outcome)
    assert_same_tensors(*(end.tensors for end in ends))


def test_dropout_of_an_own_network_draws_by_the_seed_alone():
    torch.manual_seed(1)
    first = numbers(trained(DROPPED)[0])
    torch.manual_seed(2)
    assert numbers(trained(DROPPED)[0]) == first
    assert numbers(trained(DROPPED, seed=8)[0]) != first
    assert numbers(trained(DROPPED.replace("rate=0.5", "rate=0.0"))[0]) != first


def test_each_step_draws_another_mask():
    text = DROPPED.replace("    def forward", "    seen = []\n\n    def forward")
    text = text.replace("        noise", "        self.seen.append(torch.rand(1).item())\n        noise", 1)
    trained(text)
    make = loaded("nets.py:MyNet", bundled({"nets.py": text}))
    # of three epochs' nine steps and three validations, and of one test set, seen twice after the same epoch
    assert len(set(make.seen[-14:])) == 13


def test_frozen_weights_stay_as_they_were():
    ends = []
    _, outcome = trained(FROZEN, "Frozen", save=ends.append, save_at_end=True)
    wanted, own = of(FROZEN, "Frozen")
    initial = engine.new_network(wanted, 7, 3, own).state_dict()
    last = ends[0].tensors
    assert torch.equal(last["model.body.0.weight"], initial["body.0.weight"])
    assert not torch.equal(last["model.head.weight"], initial["head.weight"])
    assert outcome.parameters == sum(
        weight.numel() for weight in engine.new_network(wanted, 7, 3, own).parameters() if weight.requires_grad
    )


def test_a_training_of_an_own_network_gives_its_own_size():
    _, outcome = trained(TIED)
    assert outcome.parameters == 3 * 32 * 32 * 8 + 8 + 64 + 8 * 3 + 3
    assert outcome.flops == 2 * (3 * 32 * 32 * 8 + 2 * 64 + 24)


def test_a_builtin_network_written_down_as_an_own_one_gives_the_same_numbers():
    """The same layers in the same order, drawn from the same seed: the engine treats both alike."""
    text = HEAD + (
        "def MyNet(num_classes):\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(),\n"
        "        nn.Linear(1024, 16), nn.ReLU(), nn.Linear(16, num_classes))\n"
    )
    records, outcome = trained(text)
    built_in = config(arguments={"conv_depths": [4], "hidden_units": 16})
    others = []
    other = train(built_in, 7, SPLITS, device=CPU, hooks=Hooks(on_epoch=others.append))
    assert numbers(records) == numbers(others)
    assert_same(outcome, other)


@pytest.mark.parametrize("raised", ["MemoryError", "RuntimeError('CUDA out of memory. Tried to allocate')"])
def test_a_network_for_which_there_is_no_memory_is_out_of_memory_and_no_error_of_code(raised):
    own = bundled({"nets.py": f"def MyNet():\n    raise {raised}\n"})
    with pytest.raises(OwnNetworkError) as caught:
        build_own("nets.py:MyNet", own, classes=3, arguments={})
    assert classify(caught.value, None)[0] is Cause.OOM


def test_captured_steps_of_an_own_network_give_the_numbers_of_plain_ones(monkeypatch):
    plain, _ = trained(DROPPED)
    real, replays = steps.Steps.__init__, []

    def capture(step, generator):
        for _ in range(4):  # three to warm up, and one that is captured
            step()
        return lambda: (replays.append(1), step())

    monkeypatch.setattr(
        steps.Steps, "__init__", lambda self, *given, graph, **more: real(self, *given, graph=True, **more)
    )
    monkeypatch.setattr(steps, "_capture", capture)
    assert numbers(trained(DROPPED)[0]) == numbers(plain)
    assert len(replays) == 6


def test_a_network_that_changes_its_arguments_changes_not_those_of_its_config():
    wanted, own = of(HEAD + "def MyNet(num_classes, widths):\n    widths.append(9)\n    return nn.Linear(2, 2)\n")
    given = {"widths": [8]}
    engine.new_network(wanted.model_copy(update={"arguments": given}), 7, 3, own)
    assert given == {"widths": [8]}
