"""What this process may use of its host: memory and processors, in a container or a service no more than its limits."""

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_EVERYWHERE = Path("/proc/vmstat")
_RANK, _EARLY = Path("/proc/self/oom_score_adj"), "500"  # of 1,000; what a process starts with is 0


class Memory(NamedTuple):
    total_mib: float
    free_mib: float


def host_memory() -> Memory:
    """All that there is for the processes of this host or container, and what they could still get now."""
    now = psutil.virtual_memory()
    found = [Memory(now.total / 2**20, now.available / 2**20)]
    for group in _groups():
        with suppress(OSError, ValueError):  # no such file, or "max"
            limit, held = (int((group / f"memory.{name}").read_text()) for name in ("max", "current"))
            # pages of files go before anybody is refused memory; those of a host are free to psutil too
            files = sum(_number(group / "memory.stat", f"{state}_file") or 0 for state in ("inactive", "active"))
            found.append(Memory(limit / 2**20, max(limit - held + files, 0) / 2**20))
    return Memory(min(one.total_mib for one in found), min(one.free_mib for one in found))


def resident_mib(pid: int | None = None) -> float:
    """What a process, this one by default, holds of the host's memory now, libraries that it shares included.

    0 for one that is not there.
    """
    try:
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    except psutil.Error:
        return 0.0


def cpu_quota() -> float:
    """How many CPUs' time the container or service of this process may use; infinite without a limit."""
    least = math.inf
    for group in _groups():
        with suppress(OSError, ValueError):  # no such file, or "max"
            quota, period = (group / "cpu.max").read_text().split()
            least = min(least, float(quota) / float(period))
    return least


def be_killed_first() -> None:
    """This process rather than others, where the system has to kill one for want of memory: its job comes back."""
    with suppress(OSError):  # no Linux, or a container that does not allow it
        _RANK.write_text(_EARLY)


def memory_kills() -> int:
    """How many processes the system has killed for want of memory: of the own control group, or of the whole host.

    0 where nobody counts them.
    """
    for counts in (next(_groups()) / "memory.events", _EVERYWHERE):
        with suppress(OSError):  # no such file: another system, or control groups of version 1
            if (number := _number(counts, "oom_kill")) is not None:
                return number
    return 0


def _number(counts: Path, wanted: str) -> int | None:
    for line in counts.read_text().splitlines():
        name, _, number = line.partition(" ")
        if name == wanted:
            return int(number)
    return None


def _groups() -> Iterator[Path]:
    """Folders of the control groups (version 2) whose limits hold here: the own one and all above it."""
    own = Path()
    with suppress(OSError):  # no Linux
        lines = _OWN.read_text().splitlines()
        own = Path(next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), ""))
    yield from (_GROUPS / group for group in (own, *own.parents))
