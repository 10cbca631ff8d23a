"""All that the modules of a network hold at one moment, containers and what lies in them too; how to put it back."""

import sys
from collections import OrderedDict, deque
from contextlib import suppress
from operator import is_
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor, nn

PLAIN = (bool, int, float, complex, str, bytes, type(None))
OTHER = object()  # what is neither plain, a tensor nor anything that can be looked into is not compared
_KINDS = (list, deque, OrderedDict, dict, set)
_NOT_OWN = {*sys.stdlib_module_names, "torch"}
# what goes beyond is told by its identity and its length alone: nobody waits for the whole of a vocabulary
_MOST_ITEMS, _DEEPEST, _MOST_BYTES = 10_000, 8, 2**22

Place: TypeAlias = tuple[Any, ...]
"""Of a value: the module's name, the attribute's, and the keys below it."""


class Contents:
    """`values` has a plain value, a tensor or a module as it is, an array as bytes, of a container its kind and length.

    What lies in a container has places of its own.
    """

    def __init__(self, model: nn.Module) -> None:
        self.values: dict[Place, Any] = {}
        self._containers: list[tuple[Any, Any]] = []  # each with what was in it; so their ids are nobody else's
        self._known: set[int] = set()
        self._left, self._bytes_left = _MOST_ITEMS, _MOST_BYTES
        for owner, module in model.named_modules():
            parts = (vars(module), module._parameters, module._buffers)
            self._known |= {id(part) for part in parts}
            self._containers += [(part, dict(part)) for part in parts]
            for part in parts:
                for name, value in part.items():
                    self._look((owner, name), value)

    def put_back(self) -> None:
        """The same objects with the same in them, but for what tensors and large arrays hold."""
        for container, inside in self._containers:
            with suppress(Exception):  # of a class that no longer lets itself be looked into
                _refill(container, inside)

    def _look(self, place: Place, value: Any) -> None:
        try:
            self._note(place, value)
        except Exception:  # each class may raise what it likes when it is asked what it holds
            self.values[place] = OTHER

    def _note(self, place: Place, value: Any) -> None:
        if isinstance(value, (*PLAIN, Tensor, nn.Module)):
            self.values[place] = value
        elif isinstance(value, np.ndarray | np.generic):
            small = value.nbytes <= self._bytes_left
            self._bytes_left -= value.nbytes if small else 0
            self.values[place] = f"{value.dtype}{value.shape}".encode() + value.tobytes() if small else id(value)
            self._containers.append((value, value.copy() if small else value))
        elif (inside := _inside(value)) is None or id(value) in self._known:
            self.values[place] = OTHER
        else:
            self._known.add(id(value))
            self._containers.append((value, inside))
            self._look_into(place, value, inside)

    def _look_into(self, place: Place, container: Any, inside: dict[Any, Any]) -> None:
        if len(inside) > self._left or len(place) > _DEEPEST:
            self.values[place] = (id(container), len(inside))
            return
        self._left -= len(inside)
        self.values[place] = (type(container), len(inside))
        for key, item in inside.items():
            self._look((*place, key), item)


def _inside(value: Any) -> dict[Any, Any] | None:
    """What lies in a container, or in an object of somebody's own class; None for anything else."""
    if isinstance(value, list | tuple | deque):
        return dict(enumerate(value))
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, set | frozenset):
        return dict.fromkeys(value)
    own = type(value).__module__.partition(".")[0] not in _NOT_OWN or isinstance(value, SimpleNamespace)
    found = getattr(value, "__dict__", None) if own else None
    return dict(found) if isinstance(found, dict) else None


def _refill(container: Any, inside: Any) -> None:
    if isinstance(container, np.ndarray):
        if container.flags.writeable and container.shape == inside.shape:
            container[...] = inside
        return
    now = _inside(container)
    if now is None or _are_same(container, now, inside):
        return
    # by the words of its kind: a class of somebody's own may change what its own do, or refuse
    kind: Any = next((kind for kind in _KINDS if isinstance(container, kind)), None)
    into, kind = (container, kind) if kind else (vars(container), dict)
    kind.clear(into)
    if kind in (list, deque):
        kind.extend(into, inside.values())
    else:
        kind.update(into, inside)


def _are_same(container: Any, now: dict[Any, Any], inside: dict[Any, Any]) -> bool:
    """Whether the very same objects lie in it, in the same order: tensors give no yes or no when they are compared."""
    counted = isinstance(container, list | tuple | deque)
    objects, others = ([*of.values(), *(() if counted else of)] for of in (now, inside))
    return len(objects) == len(others) and all(map(is_, objects, others))
