"""The most memory that a training needed: on CUDA what tensors held, on CPU the whole process."""

import contextlib
import resource
import sys
from pathlib import Path

import torch


class PeakMemory:
    """Between `with` and its end; a worker that stays alive starts each job from a fresh mark where Linux allows."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __enter__(self) -> "PeakMemory":
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            _reset_peak()
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def mib(self) -> float:
        """CUDA: `max_memory_allocated`; CPU: peak resident set, interpreter and torch included."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / 2**20
        return _peak_kib() / 2**10


def _reset_peak() -> None:
    # elsewhere than on Linux, or where it is not allowed, the mark is that of the process
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_kib() -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1024 if sys.platform == "darwin" else float(peak)
