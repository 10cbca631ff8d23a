"""Trainings that take turns: each in a process of its own, set up as a slot, an epoch for each word it is sent."""

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import perf_counter, process_time
from types import MappingProxyType, TracebackType
from typing import Self

import torch

from benchmarks.trainings import as_slot, config_of, made_up, to_train_on
from db.records import EpochRecord
from worker.engine import Hooks, Stopped, train

_MANY = 100_000  # epochs: a training ends when it is told to


@dataclass(frozen=True, slots=True)
class Lap:
    """Seconds of one epoch: by the clock on the wall, and those in which its process had a core.

    Of a training by our engine the latter hold the validation of two images and a copy of the best weights too.
    """

    wall_s: float
    cpu_s: float


class Stopwatch:
    """Since it was made: the time on the wall, and of a core."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = perf_counter(), process_time()

    def lap(self) -> Lap:
        return Lap(perf_counter() - self._wall_s, process_time() - self._cpu_s)


class InTurns:
    """Trainings of some variants, one after the other in one process, between `with` and its end.

    Of each the first epoch, which warms up, is trained at once. A name of `BARE` is no variant: an epoch of it is that
    many calls of a piece of work.
    """

    def __init__(
        self, *given: tuple[str, int], device: str = "cpu", environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`given` are variants and how many images each trains on."""
        self._words, theirs = multiprocessing.Pipe()
        # not forked: it must not have what was set and loaded here
        spawning = multiprocessing.get_context("spawn")
        told = (theirs, given, device, dict(environment))
        self._process = spawning.Process(target=_serve, args=told, daemon=True)
        self._process.start()
        theirs.close()  # so that its end is noticed here

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._words.send(False)
        else:
            self._process.kill()
        self._process.join()

    def next(self) -> None:
        """Go on to the next variant."""
        self._words.send(False)

    def begin(self) -> None:
        """Train an epoch, while the caller goes on."""
        self._words.send(True)

    def ended(self) -> Lap:
        """Of the epoch that was begun, or of the first one, once it is over."""
        lap: Lap = self._words.recv()
        return lap


def together(trainings: Sequence[InTurns]) -> list[Lap]:
    """An epoch of each, all at the same time."""
    for training in trainings:
        training.begin()
    return [training.ended() for training in trainings]


def warm(trainings: Sequence[InTurns]) -> None:
    """Wait until each has trained its first epoch."""
    for training in trainings:
        training.ended()


def _serve(
    words: "Connection[Lap, bool]", given: Sequence[tuple[str, int]], device: str, environment: dict[str, str]
) -> None:
    os.environ.update(environment)
    as_slot()
    for variant, images in given:
        if variant in BARE:
            _call_in_turns(words, BARE[variant](), images)
        else:
            train_in_turns(words, variant, images, torch.device(device))


def _call_in_turns(words: "Connection[Lap, bool]", work: Callable[[], object], calls: int) -> None:
    """As `train_in_turns`."""
    while True:
        watch = Stopwatch()
        for _ in range(calls):
            work()
        words.send(watch.lap())
        if not words.recv():
            return


def _products() -> Callable[[], object]:
    left, right, out = (torch.randn(192, 192) for _ in range(3))  # all three fit into a core's own cache
    return lambda: torch.mm(left, right, out=out)


def _copies() -> Callable[[], object]:
    given = torch.randn(2**24)  # 64 MiB, more than any cache
    out = torch.empty_like(given)
    return lambda: out.copy_(given)


BARE: Mapping[str, Callable[[], Callable[[], object]]] = {"products": _products, "copies": _copies}
"""What a machine's cores do beside each other: products of matrices in a core's own cache, copies through memory."""


def train_in_turns(words: "Connection[Lap, bool]", variant: str, images: int, device: torch.device) -> None:
    """Train a first epoch, then one for each word, until there is none; says how long each took."""
    watch = Stopwatch()

    def wait(record: EpochRecord) -> None:
        nonlocal watch
        words.send(Lap(record.train_s, watch.lap().cpu_s))
        if not words.recv():
            raise Stopped
        watch = Stopwatch()

    try:
        splits = to_train_on(made_up(images, 1))
        train(config_of(variant, epochs=_MANY), 1, splits, device=device, hooks=Hooks(on_epoch=wait))
    except Stopped:
        pass
