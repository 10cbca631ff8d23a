"""How much memory a job is expected to need, of a card or of a host: by what jobs like it took, else by its network."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.policy import USUAL_CPU_MIB
from db.records import NetworkSize
from db.store import Store
from scheduler.config import network_key, picture_of
from scheduler.datasets import published_images
from worker.own_code import sizes_of

CONTEXT_MIB = 1024.0
"""Of a CUDA context and the libraries' own memory, which no measured peak holds."""
_USUAL_PICTURE, _USUAL_IMAGES = 32 * 32 * 3, 50_000  # bytes; images where the data set's name does not tell
_MOMENTS = 8  # times all parameters, with gradients and optimizer
_EVALUATED = 256  # images at once, however small the batches of the training are


@dataclass(frozen=True, slots=True, kw_only=True)
class _Margins:
    """How far above what is known an expectation lies; the guesses above what built-in networks took, operations.md."""

    context_mib: float  # what no peak holds
    same_config: float  # times the peak: the allocator keeps more than its tensors hold
    same_network: float  # with another optimizer, augmentation or number of classes
    # where nothing like it was measured
    libraries_mib: float  # in which they work, and a data set of usual pictures
    copies: float  # of all activations, forwards and backwards
    unknown_mib: float | None  # of a network whose size this worker does not know


_MARGINS = {
    "cuda": _Margins(
        context_mib=CONTEXT_MIB, same_config=1.5, same_network=2.0, libraries_mib=4096.0, copies=4, unknown_mib=None
    ),
    # a peak is that of the whole process there, and differs by a quarter from run to run
    "cpu": _Margins(
        context_mib=0.0, same_config=1.25, same_network=1.5, libraries_mib=1024.0, copies=1, unknown_mib=USUAL_CPU_MIB
    ),
}


def expect_memory(store: Store, device: str, *, after: int = 0) -> int:
    """Note it for all queued jobs of which more is known than was noted: the store admits by it.

    Only for those whose ids come after one; gives the last of them, or that one.
    """
    waiting = store.queued_memory(device, after=after)
    if not waiting:
        return after
    texts = {text for _, text, _ in waiting}
    sizes = sizes_of(store, map(json.loads, texts))
    known = expectations(texts, store.peak_memory(device), sizes, device)
    changed = {job: known[text] for job, text, noted in waiting if text in known and known[text] != noted}
    store.set_memory(device, changed)
    return waiting[-1][0]


def expectations(
    configs: set[str], peaks: Mapping[str, float], sizes: Mapping[str, NetworkSize], device: str
) -> dict[str, float]:
    """MiB by config, as text like those of the measured `peaks`; without configs of which nothing is known."""
    margins = _MARGINS[device]
    alike: dict[tuple[Any, ...], float] = {}
    for text, peak in peaks.items():
        network = _network(text)
        alike[network] = max(peak, alike.get(network, 0.0))
    known = {}
    for text in configs:
        if text in peaks:
            known[text] = margins.same_config * peaks[text] + margins.context_mib
        elif (network := _network(text)) in alike:
            known[text] = margins.same_network * alike[network] + margins.context_mib
        elif (estimate := _estimate(network, json.loads(text), sizes, margins)) is not None:
            known[text] = estimate + margins.context_mib
        elif margins.unknown_mib is not None:
            known[text] = margins.unknown_mib
    return known


def _estimate(
    network: tuple[Any, ...],
    config: Mapping[str, Any],
    sizes: Mapping[str, NetworkSize],
    margins: _Margins,
) -> float | None:
    """MiB, by what a network and its data are made of; None for one that this worker does not know."""
    size = sizes.get(network_key(config))
    if size is None:
        return None
    side, channels, images = (int(number) for number in network[-3:])
    at_once = max(config["batch_size"], _EVALUATED)
    values: float = margins.copies * size.activations * at_once + _MOMENTS * size.parameters
    larger = max(0, side * side * channels - _USUAL_PICTURE) * images
    return margins.libraries_mib + (4 * values + larger) / 2**20


def _network(text: str) -> tuple[Any, ...]:
    """What the memory depends on most. Of pictures of the usual size their number does not count."""
    config = json.loads(text)
    arguments, picture = json.dumps(config["arguments"], sort_keys=True), picture_of(config)
    side, channels = picture["side"], picture["channels"]
    large = side * side * channels > _USUAL_PICTURE
    images = (published_images(config["dataset"]) or _USUAL_IMAGES) if large else 0
    network = config["model"], config.get("code"), arguments, config["batch_size"], config.get("precision", "float32")
    return *network, side, channels, images
