"""What a result was made with: code revision, packages, host and device."""

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("bench", "torch", "torchvision", "numpy", "scikit-learn", "celery", "SQLAlchemy")


def environment(device: str) -> dict[str, Any]:
    """Plain values; `git` is None when bench does not run from a git checkout."""
    import torch

    cuda = _is_cuda(device)
    return {
        "git": git_revision(Path(__file__).parent),
        "packages": versions(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "host": platform.node(),
        "cpu": _cpu_name(),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),  # the same job has other bits with another one
        "cores": os.cpu_count(),
        "device": device,
        "device_name": _device_name(device),
        "cuda": torch.version.cuda if cuda else None,
        "cudnn": torch.backends.cudnn.version() if cuda else None,  # type: ignore[no-untyped-call] # torch has no types here
        "threads": torch.get_num_threads(),
    }


def computes_on(device: str) -> str:
    """All that decides the bits of a step beside the job itself, in words; two are compared by them."""
    import torch

    parts = (_device_name(device), torch.backends.cpu.get_cpu_capability(), f"torch {torch.__version__}")
    return f"{device.partition(':')[0]} ({', '.join(parts)})"


def versions() -> dict[str, str | None]:
    """Of the packages that decide what comes out; None for one that is not installed."""
    return {name: _version(name) for name in PACKAGES}


@cache
def git_revision(folder: Path) -> dict[str, Any] | None:
    """Commit and whether tracked files differ from it."""
    head = _git(folder, "rev-parse", "HEAD")
    # an installed copy may lie inside a repository of somebody else's
    if head is None or _git(folder, "ls-files", "--error-unmatch", str(Path(__file__).name)) is None:
        return None
    return {"revision": head, "dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _is_cuda(device: str) -> bool:
    import torch

    return torch.device(device).type == "cuda"


def _device_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if _is_cuda(device) else _cpu_name()


@cache
def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
