"""Which device a slot uses, found without starting CUDA in a process that will fork."""

import os

from db.errors import ConfigError


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
    """One-thread slots on each core that this process may use; one on each card until packing is measured there."""
    if device == "cuda":
        return max(1, count_cuda())
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
