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

from worker.contents import PLAIN, Contents, Place

_GONE = object()


@dataclass(frozen=True, slots=True)
class HostState:
    """Of one moment: what the modules hold, and where Python, NumPy and torch on the CPU are in their draws.

    A tensor is told by its place, not by its values: a graph writes into the one that it was captured with.
    """

    contents: Contents
    draws: dict[str, Any]
    writes: dict[Place, int]
    """How often each tensor was written to."""
    on_card: bool

    def put_back(self) -> None:
        """What modules hold as it was, and the draws but for torch's, which are seeded for every step."""
        self.contents.put_back()
        random.setstate(self.draws["Python's random"])
        np.random.set_state(self.draws["numpy.random"])


def host_state(model: nn.Module, device: torch.device) -> HostState:
    """Now. On a CPU torch's own draws are the device's."""
    contents, on_card = Contents(model), device.type != "cpu"
    draws: dict[str, Any] = {"Python's random": random.getstate(), "numpy.random": np.random.get_state()}
    if on_card:
        draws["torch's generator of the CPU"] = torch.get_rng_state().numpy().tobytes()
    tensors = {place: value for place, value in contents.values.items() if isinstance(value, Tensor)}
    writes = {place: value._version for place, value in tensors.items() if not value.is_inference()}
    return HostState(contents, draws, writes, on_card)


def kept_tensors(model: nn.Module) -> list[Tensor]:
    """What modules hold beside their parameters and buffers, in containers too, and can be written into."""
    own = {id(value) for value in (*model.parameters(), *model.buffers())}
    tensors = [value for value in Contents(model).values.values() if isinstance(value, Tensor)]
    return [value for value in tensors if id(value) not in own and _has_a_place_for_each(value)]


def _has_a_place_for_each(value: Tensor) -> bool:
    """Not so of a sparse tensor, nor of one that an `expand` made."""
    if value.layout != torch.strided or value.is_inference():
        return False
    return all(step or size < 2 for size, step in zip(value.shape, value.stride(), strict=True))


def change(before: HostState, warmed: HostState, after: HostState) -> str | None:
    """What steps do on the host, in words; None where nothing is seen.

    `warmed` is after the first step of all, in which a network may make tensors that it then keeps. What it writes into
    such a one cannot be taken back; those that it had before are a part of what a step changes, on the device.
    """
    states = (before, warmed, after)
    for place in dict.fromkeys(place for state in states for place in state.contents.values):
        first, second, value = (state.contents.values.get(place, _GONE) for state in states)
        on_host = after.on_card and isinstance(value, Tensor) and value.device.type == "cpu"
        written = after.writes.get(place) != warmed.writes.get(place) and (value is not first or on_host)
        decides = isinstance(first, PLAIN) and isinstance(value, PLAIN) if value is not _GONE else first is not _GONE
        if written or not (_same(value, second) and (_same(value, first) or not decides)):
            return f"the network changes its own {'.'.join(place[:2]).lstrip('.')} from step to step"
    for source, drawn in after.draws.items():
        if not _same(drawn, before.draws[source]):
            return f"the network draws from {source}, on the host"
    return None


def _same(value: Any, other: Any) -> bool:
    if isinstance(value, tuple) and isinstance(other, tuple):
        return len(value) == len(other) and all(map(_same, value, other))
    if isinstance(value, np.ndarray):
        return np.array_equal(value, other)
    if isinstance(value, Tensor) or isinstance(other, Tensor):
        return value is other
    return bool(value is other or (type(value) is type(other) and value == other))
