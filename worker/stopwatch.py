"""Seconds of work, the device's included."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import torch


class Stopwatch:
    """Runs within `with`; at both ends and around a pause the host waits until the device has done its work.

    `elapsed_s` is what it has measured so far, on top of the seconds it was given to start from.
    """

    def __init__(self, device: torch.device, *, elapsed_s: float = 0.0) -> None:
        self.elapsed_s = elapsed_s
        self._device = device
        self._running_from = 0.0

    def __enter__(self) -> "Stopwatch":
        self._running_from = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        self.elapsed_s += self._now() - self._running_from

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens in here does not count."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return perf_counter()
