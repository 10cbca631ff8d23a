"""Where the CPU seconds of training steps go: PyTorch's profiler, sorted by the kind of layer that caused them.

While steps run, a named range is open at each moment: of a layer without layers inside, by a word in its class's name;
between the update and the network: gather and augmentation, and the two sums; between the network and the update: the
loss, and what handing gradients on takes beside their operations. A backward operation belongs to the layer whose
forward operation it undoes, as autograd numbers them.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

_WORDS = {
    "conv": "convolution",
    "linear": "dense",
    "norm": "batch norm",
    "relu": "ReLU",
    "pool": "pooling",
    "dropout": "dropout",
}
_REST = "rest"
_BETWEEN = "gather, augmentation, sums"
GROUPS = (*_WORDS.values(), "loss", "optimizer", _BETWEEN, _REST)
_MARK = "bench: "
_BACKWARD = "autograd::engine::evaluate_function"


def seconds_by_group(model: nn.Module, optimizer: torch.optim.Optimizer, steps: Callable[[], None]) -> Counter[str]:
    """CPU seconds of `steps`, which train the model, for each of GROUPS; all that was seen is in one of them."""
    with profile(activities=[ProfilerActivity.CPU]) as seen, ranges(model, optimizer):
        steps()
    events = sorted(seen.events(), key=lambda event: event.time_range.start)
    forward = {event.sequence_nr: _forward_group(event) for event in events if _is_forward(event)}
    seconds: Counter[str] = Counter(dict.fromkeys(GROUPS, 0))
    for event in events:
        seconds[_group(event, forward)] += event.self_cpu_time_total / 1e6
    return seconds


@contextmanager
def ranges(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Meanwhile the profiler sees in which layer, or between what, the training is."""
    opened = _Between()
    handles: list[Any] = [
        model.register_forward_pre_hook(lambda *_: opened.turn(None), prepend=True),
        model.register_forward_hook(lambda *_: opened.turn("loss")),
        optimizer.register_step_pre_hook(lambda *_: opened.turn("optimizer")),
        optimizer.register_step_post_hook(lambda *_: opened.turn(_BETWEEN)),
    ]
    for layer in model.modules():
        if not any(True for _ in layer.children()):
            within = _Between()
            name = _by_word(type(layer).__name__)
            handles.append(layer.register_forward_pre_hook(lambda *_, w=within, n=name: w.turn(n)))
            handles.append(layer.register_forward_hook(lambda *_, w=within: w.turn(None)))
    opened.turn(_BETWEEN)
    try:
        yield
    finally:
        opened.turn(None)
        for handle in handles:
            handle.remove()


class _Between:
    """One range after the other."""

    def __init__(self) -> None:
        self._open: record_function | None = None

    def turn(self, name: str | None) -> None:
        """Close the range that is open, and open the next, if it has a name."""
        if self._open:
            self._open.__exit__(None, None, None)
        self._open = record_function(_MARK + name) if name else None
        if self._open:
            self._open.__enter__()


def _by_word(name: str) -> str:
    return next((group for word, group in _WORDS.items() if word in name.lower()), _REST)


def _ancestors(event: Any) -> Iterator[Any]:
    """The operation itself, then what it is part of, from the inside out."""
    while event is not None:
        yield event
        event = event.cpu_parent


def _is_forward(event: Any) -> bool:
    return event.sequence_nr >= 0 and not any(one.name.startswith(_BACKWARD) for one in _ancestors(event))


def _forward_group(event: Any) -> str:
    """That of the layer it is in; else, in the network, by the word in the name of the operation."""
    named = _REST
    for one in _ancestors(event):
        if one.name.startswith(_MARK):
            group = one.name.removeprefix(_MARK)
            return named if group == _REST else group
        named = _by_word(one.name) if named == _REST else named
    return named


def _group(event: Any, forward: dict[int, str]) -> str:
    for one in _ancestors(event):
        if one.name.startswith(_BACKWARD):
            return forward.get(one.sequence_nr, _REST)
        if one.name.startswith("Optimizer."):
            return "optimizer"
    return _forward_group(event)
