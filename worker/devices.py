"""Which device a slot uses, found without starting CUDA in a process that will fork."""

import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any, TypeVar

import psutil

from db.errors import ConfigError
from db.policy import USUAL_CPU_MIB
from worker.host import Memory, cpu_quota, host_memory

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
_MOST_SLOTS = 1024


def choose_device(wanted: str) -> str:
    """`auto` takes CUDA where there is a card. Raises ConfigError for one that this machine lacks."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"--device must be auto, cpu or cuda, not {wanted!r}", fix="give one of the three")
    if wanted == "cpu":
        return "cpu"
    if visible_cards():
        return "cuda"
    if wanted == "cuda":
        raise ConfigError("this machine has no CUDA device that bench can use", fix="use --device cpu or --device auto")
    return "cpu"


def visible_cards() -> list[str]:
    """UUIDs of the cards that NVML shows and CUDA_VISIBLE_DEVICES leaves, in its order.

    Names there are indices, UUIDs or beginnings of UUIDs. As CUDA has it, a name that fits no card, or several, hides
    what comes after it, and a card that is named twice hides all. Indices are those of nvidia-smi, by PCI bus. Torch is
    not asked: that may start CUDA, which no fork survives.

    Of a card that is divided (MIG) each part is a card here, and its name or index stands for all of them; CUDA shows a
    process only some of them, with most drivers one, so a slot is given its own.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        return []
    cards: dict[str, list[str]] = _ask_nvml(_all_cards, {})
    return list(chain(*cards.values())) if visible is None else _named(visible.split(","), cards)


def card_memory(uuid: str) -> Memory | None:
    """All that a card or a part of one has, and what no process of anybody holds now; None when no driver tells."""

    def look(nvml: Any) -> Memory | None:
        memory = nvml.nvmlDeviceGetMemoryInfo(nvml.nvmlDeviceGetHandleByUUID(uuid))
        return Memory(memory.total / 2**20, memory.free / 2**20)

    return _ask_nvml(look, None)


def driver() -> str | None:
    """The version of NVIDIA's driver; None where there is none that answers."""

    def look(nvml: Any) -> str | None:
        return str(nvml.nvmlSystemGetDriverVersion())

    return _ask_nvml(look, None)


@contextmanager
def energy_counter(card: str) -> Iterator[Callable[[], float | None]]:
    """Gives a look at a card's own counter: joules since its driver was loaded; None where nobody counts them.

    That is on a CPU, where no card is named, on cards older than Volta, for a part of a card (MIG), and where it is not
    allowed. NVML stays open to the end, so that a look has nothing to open.
    """
    if not card.startswith("GPU-"):
        yield lambda: None
        return
    import pynvml

    def look() -> float | None:
        try:
            handle = pynvml.nvmlDeviceGetHandleByUUID(card)
            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000
        except pynvml.NVMLError as error:
            log.info("the card %s does not tell its energy: %s", card, error)
            return None

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield lambda: None
        return
    try:
        yield look
    finally:
        pynvml.nvmlShutdown()


def parts_of(nvml: Any, card: Any) -> dict[int, Any] | None:
    """NVML's handles of the parts that a card is divided into (MIG), by their index on it; None where it is whole."""
    try:
        divided, _ = nvml.nvmlDeviceGetMigMode(card)
    except nvml.NVMLError:  # the card, or its driver, knows no parts
        return None
    if not divided:
        return None
    parts = {}
    for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(card)):
        with suppress(nvml.NVMLError):  # there is none of this index, or not for this container
            parts[index] = nvml.nvmlDeviceGetMigDeviceHandleByIndex(card, index)
    return parts


def _all_cards(nvml: Any) -> dict[str, list[str]]:
    """UUIDs of what CUDA can use of each card, by the card's own: itself, or its parts; of one that is lost none."""
    found: dict[str, list[str]] = {}
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            card = nvml.nvmlDeviceGetHandleByIndex(index)
            parts = parts_of(nvml, card)
            usable = [card] if parts is None else parts.values()
            found[str(nvml.nvmlDeviceGetUUID(card))] = [str(nvml.nvmlDeviceGetUUID(one)) for one in usable]
        except nvml.NVMLError as error:
            log.warning("the card %d does not answer, and is left out: %s", index, error)
            found[f"lost {index}"] = []  # so that the others keep their numbers
    return found


def _named(names: Sequence[str], cards: Mapping[str, Sequence[str]]) -> list[str]:
    uuids, chosen = [*cards], list[str]()
    for name in (name.strip() for name in names):
        if name.startswith("MIG-") and cards:
            chosen.append(name)  # as it is: older drivers also know a form that NVML does not give
            continue
        if name.isascii() and name.isdigit():
            found = uuids[int(name) : int(name) + 1]
        else:
            found = [uuid for uuid in uuids if name.startswith("GPU-") and uuid.startswith(name)]
        if len(found) != 1:
            break
        chosen += cards[found[0]]
    return chosen if len(set(chosen)) == len(chosen) else []


def _ask_nvml(question: Callable[[Any], Answer], otherwise: Answer) -> Answer:
    """What the driver's library answers; `otherwise` where there is no driver, or it fails."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return otherwise
    try:
        return question(pynvml)
    except pynvml.NVMLError as error:
        log.warning("the cards of this machine did not answer: %s", error)
        return otherwise
    finally:
        pynvml.nvmlShutdown()


def chosen_slots(wanted: int | str | None) -> int | None:
    """The number that is asked for; None, which stands for `auto_slots`, for `auto`. Raises ConfigError for others."""
    if wanted is None or wanted == "auto":
        return None
    text = str(wanted)
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= _MOST_SLOTS):
        fix = "give a number, or auto for one slot on each real core that has memory, or on each card"
        raise ConfigError(f"--slots must be 1 to {_MOST_SLOTS} or auto, not {wanted!r:.40}", fix=fix)
    return int(text)


def auto_slots(device: str) -> int:
    """How many jobs at once: one on each card, as more were not measured; on CPUs one thread for each real core.

    A second thread of a core shares its arithmetic units, which a training keeps busy. Fewer where a container may not
    use all cores, or where the memory that is free now is too small for as many usual jobs.
    """
    if device == "cuda":
        return max(1, len(visible_cards()))
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    everywhere = psutil.cpu_count() or 1
    a_core = max(1, everywhere // (psutil.cpu_count(logical=False) or everywhere))
    room = int(host_memory().free_mib // USUAL_CPU_MIB)
    return max(1, min(threads // a_core, math.floor(min(cpu_quota(), _MOST_SLOTS)), room))
