"""Networks of a user's own that do something on the host in each step, which a captured graph would not follow."""

import logging
import random
from collections import OrderedDict

import numpy as np
import pytest
import torch
from small_trainings import CPU, SPLITS, assert_same, config, numbers

from models import bundled
from models._own import loaded
from worker import steps
from worker.engine import Hooks, Training, train
from worker.host_state import change, host_state, kept_tensors

TEXT = """
import random
from collections import deque

import numpy as np
import torch
from torch import nn

class Count:
    def __init__(self):
        self.steps = 0

class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3), nn.Dropout(0.5))
        self.head = nn.Linear(400, num_classes)
        self.seen, self.shift, self.ready, self.moving = 0, None, False, torch.zeros(3)
        self.expanded, self.sparse = torch.ones(1).expand(3), torch.eye(3).to_sparse()
        self.register_buffer("average", torch.zeros(()))
        self.register_buffer("mask", None, persistent=False)
        self.by_name, self.past, self.recent, self.met = {"steps": 0}, [], deque([1, 2], maxlen=2), {0}
        self.within, self.table, self.number, self.own = ({"a": [0.0]},), np.zeros(2), np.int64(1), Count()
        self.long, self.cached, self.held, self.once = [0] * 20_000, {}, [torch.zeros(3)], torch.ones(1)

    def forward(self, images):
        factor = 1.0
        if self.training:
            pass
        return self.head(self.body(images).flatten(1)) * factor
"""
NOTICED = {
    "a counter": ("self.seen += 1; factor = 1 / self.seen", "changes its own seen from step"),
    "a counter within": (
        "self.body[0].seen = getattr(self.body[0], 'seen', 0) + 1; factor = 1 / self.body[0].seen",
        "its own body.0.seen from",
    ),
    "a flag of the first step": ("factor, self.ready = 2.0 - self.ready, True", "changes its own ready from step"),
    "another tensor each time": ("self.shift = images.mean(); factor = self.shift", "changes its own shift from step"),
    "another buffer": (
        "self.average = 0.9 * self.average + 0.1; factor = self.average",
        "changes its own average from",
    ),
    "a tensor made in the first step and written to": (
        "self.shift = (torch.ones(3) if self.shift is None else self.shift).mul_(0.9); factor = self.shift",
        "changes its own shift from step",
    ),
    "a buffer made in the first step and written to": (
        "self.mask = (torch.ones(3) if self.mask is None else self.mask).mul_(0.9); factor = self.mask",
        "changes its own mask from step",
    ),
    "a count in a dictionary": (
        "self.by_name['steps'] += 1; factor = 1 / self.by_name['steps']",
        "its own by_name from",
    ),
    "a list that grows": ("self.past.append(1); factor = 1 / len(self.past)", "its own past from"),
    "a long list that grows": ("self.long.append(1); factor = 1 / (len(self.long) - 20_000)", "its own long from"),
    "the last ones": ("self.recent.append(sum(self.recent)); factor = 1 / self.recent[-1]", "its own recent from"),
    "a set": ("self.met.add(len(self.met)); factor = 1 / len(self.met)", "its own met from"),
    "a list in a dictionary in a tuple": (
        "self.within[0]['a'][0] += 1.0; factor = 1 / self.within[0]['a'][0]",
        "its own within from",
    ),
    "an array": ("self.table[0] += 1; factor = 1 / float(self.table[0])", "its own table from"),
    "a number of NumPy's": ("self.number = self.number + 1; factor = 1 / float(self.number)", "its own number from"),
    "an object": ("self.own.steps += 1; factor = 1 / self.own.steps", "its own own from"),
    "another tensor in a dictionary each time": (
        "self.cached['mean'] = images.mean(); factor = self.cached['mean']",
        "its own cached from",
    ),
    "a tensor made in a dictionary in the first step and written to": (
        "factor = self.cached.setdefault('shift', torch.ones(3)).mul_(0.9)",
        "its own cached from",
    ),
    "an attribute that goes in the first step": (
        "factor = 1.0 + hasattr(self, 'once'); self.__dict__.pop('once', None)",
        "its own once from",
    ),
    "Python's draws": ("factor = random.random()", "draws from Python's random, on the host"),
    "NumPy's draws": ("factor = np.random.rand()", "draws from numpy.random, on the host"),
}
FOLLOWED = {
    "dropout": "pass",
    "a buffer in place": "self.average.mul_(0.9).add_(0.1); factor = self.average",
    "a tensor in place": "self.moving.mul_(0.9).add_(0.1); factor = self.moving",
    "a tensor without a place for each value": "factor = self.expanded + self.sparse.to_dense()[0]",
    "a tensor made once": "self.shift = torch.ones(3) if self.shift is None else self.shift; factor = self.shift",
    "a buffer made once": "self.mask = torch.ones(3) if self.mask is None else self.mask; factor = self.mask",
    "a tensor in a list, in place": "self.held[0].mul_(0.9).add_(0.1); factor = self.held[0]",
    "a tensor made once in a dictionary": "factor = self.cached.setdefault(images.shape[2:], torch.ones(3))",
    "a list of the same made anew": "self.past = [images.shape[-1]]; factor = self.past[0] / 32",
    "what it only reads": "factor = 2.0 / (sum(self.recent) + len(self.long) + self.own.steps + float(self.table[0]))",
    "a number of the shape": "self.side = images.shape[-1]; factor = self.side / 32",
}


@pytest.fixture
def captured(monkeypatch):
    """Steps that go the way of captured ones, called instead of replayed; the list has one for each."""
    real, found = steps.Steps.__init__, []

    def as_on_cuda(self, *given, graph, **more):
        real(self, *given, graph=True, **more)

    def capture(step, generator):
        for _ in range(4):  # three to warm up, and one that is captured
            step()
        replayed = step._step  # a graph knows nothing of who watched
        return lambda: (found.append(1), replayed())

    monkeypatch.setattr(steps.Steps, "__init__", as_on_cuda)
    monkeypatch.setattr(steps, "capture", capture)
    return found


def trained(line):
    own = bundled({"nets.py": TEXT.replace("pass", line)})
    wanted = config(model="nets.py:Net", arguments={}, code=own.name)
    Training(wanted, 7, SPLITS, CPU, Hooks(), own=own)  # the first time a network is tried, which draws too
    random.seed(1)
    np.random.seed(1)
    records = []
    return records, train(wanted, 7, SPLITS, device=CPU, hooks=Hooks(on_epoch=records.append), own=own)


@pytest.mark.parametrize(("line", "words"), NOTICED.values(), ids=NOTICED)
def test_what_a_graph_would_not_follow_trains_step_by_step(line, words, captured, monkeypatch, caplog):
    with caplog.at_level(logging.WARNING, logger="worker.steps"):
        records, outcome = trained(line)
    assert words in caplog.text
    assert caplog.text.count("no CUDA graph was captured") == 1
    assert (outcome.captured, captured) == (False, [])
    monkeypatch.undo()
    plain, other = trained(line)
    assert numbers(records) == numbers(plain)
    assert_same(outcome, other)


@pytest.mark.parametrize("line", FOLLOWED.values(), ids=FOLLOWED)
def test_what_stays_as_it_is_on_the_host_is_captured(line, captured, monkeypatch, caplog):
    records, outcome = trained(line)
    assert (outcome.captured, len(captured), caplog.text) == (True, 6, "")
    monkeypatch.undo()
    plain, other = trained(line)
    assert numbers(records) == numbers(plain)
    assert_same(outcome, other)


def test_a_tensor_that_a_graph_reads_lives_as_long_as_the_graph(captured):
    """A card's memory of a dropped tensor is soon another's, and the graph would read that."""
    made_once = "self.shift = self.made_once() if self.shift is None else self.shift; factor = self.shift"
    dropped = "\n        else:\n            self.shift = None"
    text = TEXT.replace("pass", made_once + dropped)
    text += """
    made = []

    def made_once(self):
        tensor = torch.ones(3)
        self.made.append(weakref.ref(tensor))
        return tensor
"""
    own = bundled({"nets.py": "import weakref\n" + text})
    made, alive = loaded("nets.py:Net", own).made, []
    wanted = config(model="nets.py:Net", arguments={}, code=own.name)

    def look(record):
        alive.append([one() is not None for one in made[of_training:]])

    Training(wanted, 7, SPLITS, CPU, Hooks(), own=own)  # the first time a network is tried
    of_training = len(made)
    train(wanted, 7, SPLITS, device=CPU, hooks=Hooks(on_epoch=look), own=own)
    # one for each epoch, and that of the warm-up is the first
    assert alive == [[True], [True, False], [True, False, False]]


def test_what_steps_did_to_containers_and_attributes_is_put_back_into_the_same_objects():
    model = torch.nn.Linear(1, 1)
    model.past, model.by_name, model.table, model.once = [1, [2]], {"a": 1, "b": 2}, np.zeros(2), 1
    inner, held = model.past[1], dict(vars(model))
    before = host_state(model, CPU)
    model.past.insert(0, 3)
    inner.append(3)
    del model.by_name["a"], model.once
    model.by_name |= {"c": 3}
    model.table += 1
    model.past, model.new = model.past[:], 5
    before.put_back()
    assert [*vars(model)] == [*held]
    assert all(vars(model)[name] is value for name, value in held.items())
    assert (model.past, [*model.by_name.items()], model.once) == ([1, [2]], [("a", 1), ("b", 2)], 1)
    assert model.past[1] is inner
    assert (model.table == 0).all()


def raises(*_words):
    raise RuntimeError("not like this")


class NotRead(dict):
    keys = __iter__ = raises


class NotChanged(dict):
    clear = update = raises


class Named:
    def __init__(self):
        self.first = 1


class NotKnown:
    """As a proxy is whose object is gone."""

    __class__ = property(raises)


class NotOpened:
    __dict__ = property(raises)


class OfNoModule:
    __module__ = None


def test_no_step_fails_because_of_what_a_network_holds():
    model = torch.nn.Linear(1, 1)
    held = [NotRead(a=1), NotKnown(), NotOpened(), OfNoModule()]
    model.held, model.after = held, [1]
    before = host_state(model, CPU)
    assert change(before, before, host_state(model, CPU)) is None
    assert kept_tensors(model) == []
    model.held, model.after = [], [*model.after, 2]
    before.put_back()
    assert (model.held, model.after) == (held, [1])


def test_containers_of_any_class_are_put_back():
    model = torch.nn.Linear(1, 1)
    a, b = torch.ones(2), torch.zeros(2)
    model.kept, model.by_tensor, model.refuses = {a}, {a: 1}, NotChanged(a=1)
    model.ordered, model.own, model.long = OrderedDict(a=1, b=2), Named(), [*range(1000)]
    before = host_state(model, CPU)
    model.kept |= {b}
    del model.by_tensor[a]
    model.by_tensor[b] = 1
    dict.update(model.refuses, b=2)
    model.ordered.move_to_end("a")
    model.own.second = vars(model.own).pop("first")
    before.put_back()
    assert [[*map(id, of)] for of in (model.kept, model.by_tensor)] == [[id(a)]] * 2
    assert (model.refuses, [*model.ordered], vars(model.own)) == ({"a": 1}, ["a", "b"], {"first": 1})


def test_on_a_card_a_tensor_of_the_host_is_not_written_to():
    found, model = [], torch.nn.Linear(1, 1)
    model.count = torch.zeros(1)
    for device in (torch.device("cuda"), CPU):
        before = host_state(model, device)
        model.count += 1
        found.append(change(before, before, host_state(model, device)))
    assert found == ["the network changes its own count from step to step", None]


def test_on_a_card_draws_of_the_cpu_are_of_the_host():
    cards, model = [], torch.nn.Linear(1, 1)
    for device in (torch.device("cuda"), CPU):
        before = host_state(model, device)
        torch.rand(1)
        cards.append(change(before, before, host_state(model, device)))
    assert cards == ["the network draws from torch's generator of the CPU, on the host", None]
