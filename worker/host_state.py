"""What a user's network reads and writes on the host, which a captured step would not follow.

A CUDA graph repeats the work of the device as it was captured: a draw of Python's stays as it was then, and so does a
counter, without an error. Such a network is found out while its steps warm up, before it trains by a graph.
"""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_PLAIN = (bool, int, float, str, type(None))
_OTHER = object()  # what is neither plain nor a tensor is not compared: a list's items are not seen


@dataclass(frozen=True, slots=True)
class HostState:
    """Of one moment: the modules' attributes, and where Python, NumPy and torch on the CPU are in their draws.

    A tensor is told by its place, not by its values: a graph writes into the one that it was captured with.
    """

    attributes: dict[tuple[str, str], Any]
    draws: dict[str, Any]
    writes: dict[tuple[str, str], int]
    """How often each plain attribute that is a tensor was written to; parameters and buffers are not among them."""

    def put_back(self, model: nn.Module) -> None:
        """The attributes as they were, and the draws but for torch's, which are seeded for every step."""
        for owner, module in model.named_modules():
            for name, value in _held(module).items():
                before = self.attributes.get((owner, name))
                if (owner, name) not in self.attributes:
                    delattr(module, name)
                elif before is not _OTHER and not _same(value, before):
                    setattr(module, name, before)
        random.setstate(self.draws["Python's random"])
        np.random.set_state(self.draws["numpy.random"])


def host_state(model: nn.Module, device: torch.device) -> HostState:
    """Now. On a CPU torch's own draws are the device's."""
    attributes = {
        (owner, name): value if isinstance(value, (*_PLAIN, Tensor)) else _OTHER
        for owner, module in model.named_modules()
        for name, value in _held(module).items()
    }
    draws: dict[str, Any] = {"Python's random": random.getstate(), "numpy.random": np.random.get_state()}
    if device.type != "cpu":
        draws["torch's generator of the CPU"] = torch.get_rng_state().numpy().tobytes()
    writes = {place: value._version for place, value in _plain_tensors(model).items() if not value.is_inference()}
    return HostState(attributes, draws, writes)


def kept_tensors(model: nn.Module) -> list[Tensor]:
    """What modules hold as plain attributes, beside their parameters and buffers, and can be written into."""
    return [value for value in _plain_tensors(model).values() if _has_a_place_for_each(value)]


def _has_a_place_for_each(value: Tensor) -> bool:
    """Not so of a sparse tensor, nor of one that an `expand` made."""
    if value.layout != torch.strided or value.is_inference():
        return False
    return all(step or size < 2 for size, step in zip(value.shape, value.stride(), strict=True))


def _plain_tensors(model: nn.Module) -> dict[tuple[str, str], Tensor]:
    return {
        (owner, name): value
        for owner, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, Tensor)
    }


def change(before: HostState, warmed: HostState, after: HostState) -> str | None:
    """What steps do on the host, in words; None where nothing is seen.

    `warmed` is after the first step of all, in which a network may make tensors that it then keeps. What it writes into
    such a one cannot be taken back; those that it had before are a part of what a step changes.
    """
    for (owner, name), value in after.attributes.items():
        first, second = (state.attributes.get((owner, name), _OTHER) for state in (before, warmed))
        plain = isinstance(first, _PLAIN) and isinstance(value, _PLAIN)
        written = value is not first and after.writes.get((owner, name)) != warmed.writes.get((owner, name))
        if written or not (_same(value, second) and (_same(value, first) or not plain)):
            return f"the network changes its own {f'{owner}.{name}'.lstrip('.')} from step to step"
    for source, state in after.draws.items():
        if not _same(state, before.draws[source]):
            return f"the network draws from {source}, on the host"
    return None


def _held(module: nn.Module) -> dict[str, Any]:
    return {**vars(module), **module._parameters, **module._buffers}


def _same(value: Any, other: Any) -> bool:
    if isinstance(value, tuple) and isinstance(other, tuple):
        return len(value) == len(other) and all(map(_same, value, other))
    if isinstance(value, np.ndarray):
        return np.array_equal(value, other)
    if isinstance(value, Tensor) or isinstance(other, Tensor):
        return value is other
    return bool(value is other or (type(value) is type(other) and value == other))
