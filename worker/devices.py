"""Which device a slot uses, found without starting CUDA in a process that will fork."""

import os
import sys
from pathlib import Path

import psutil

from db.errors import ConfigError

_SLOT_BYTES = 3 * 2**29  # 1.5 GiB: interpreter, PyTorch, and what the built-in networks need at their batch sizes


def choose_device(wanted: str) -> str:
    """`auto` takes CUDA where there is a card. Raises ConfigError for one that this machine lacks."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"--device must be auto, cpu or cuda, not {wanted!r}", fix="give one of the three")
    if wanted == "cpu":
        return "cpu"
    if count_cuda() > 0:
        return "cuda"
    if wanted == "cuda":
        raise ConfigError("this machine has no CUDA device that bench can use", fix="use --device cpu or --device auto")
    return "cpu"


def count_cuda() -> int:
    """Cards that NVML shows and CUDA_VISIBLE_DEVICES leaves; asking torch may start CUDA, which no fork survives."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        return 0
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return 0
    try:
        found = int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return 0
    finally:
        pynvml.nvmlShutdown()
    return min(found, len(visible.split(","))) if visible is not None else found


def visible_cards(number: int) -> list[str]:
    """The names by which CUDA_VISIBLE_DEVICES knows the cards."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return [name.strip() for name in visible.split(",")] if visible else [str(card) for card in range(number)]


def auto_slots(device: str) -> int:
    """How many jobs at once: one on each card until packing is measured there; on CPUs one thread for each real core.

    A second thread of a core shares its arithmetic units, which a training keeps busy. Fewer where a container may not
    use all cores, or where the memory that is free now is too small.
    """
    if device == "cuda":
        return max(1, count_cuda())
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    everywhere = psutil.cpu_count() or 1
    a_core = max(1, everywhere // (psutil.cpu_count(logical=False) or everywhere))
    room = psutil.virtual_memory().available // _SLOT_BYTES
    return max(1, min(threads // a_core, int(_cpu_quota()), room))


def _cpu_quota() -> float:
    """How many CPUs' time the container of this process may use (cgroup v2); infinite without a limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return float(quota) / float(period)
    except (OSError, ValueError):  # no such file, or "max"
        return sys.maxsize
