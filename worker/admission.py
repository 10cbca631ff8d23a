"""How much of a card's memory a job is expected to need: by what jobs like it took, else by the size of its network."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from db.store import Store
from models import Description
from scheduler.config import picture_of
from scheduler.datasets import published_images
from worker.own_code import describe_queued

CONTEXT_MIB = 1024.0
"""Of a CUDA context and the libraries' own memory, which no measured peak holds."""
_SAME_CONFIG = 1.5  # times the peak: the allocator keeps more than its tensors hold
_SAME_NETWORK = 2.0  # with another optimizer, augmentation or number of classes
# where nothing like it was measured: far above what the built-in networks took (docs/operations.md)
_LIBRARIES_MIB = 4096.0  # in which cuDNN and cuBLAS work, and a data set of usual pictures
_USUAL_PICTURE, _USUAL_IMAGES = 32 * 32 * 3, 50_000  # bytes; images where the data set's name does not tell
_COPIES, _MOMENTS = 4, 8  # of all activations, forwards and backwards; of all parameters, with gradients and optimizer
_EVALUATED = 256  # images at once, however small the batches of the training are


def expect_memory(store: Store, *, own_code: bool = True) -> None:
    """Note it for all queued jobs of which more is known than was noted: the store admits by it.

    Networks that are not bench's have to be built to know their size, which is done only where `own_code` may run.
    """
    waiting = store.queued_memory()
    if not waiting:
        return
    peaks = store.peak_memory("cuda")
    size_of = partial(describe_queued, store, allowed=own_code)
    known = expectations({text for _, text, _ in waiting}, peaks, size_of)
    store.set_memory({job: known[text] for job, text, noted in waiting if text in known and known[text] != noted})


def expectations(
    configs: set[str], peaks: Mapping[str, float], size_of: Callable[[Mapping[str, Any]], Description | None]
) -> dict[str, float]:
    """MiB by config, as text like those of the measured `peaks`; without configs of which nothing is known."""
    alike: dict[tuple[Any, ...], float] = {}
    for text, peak in peaks.items():
        network = _network(text)
        alike[network] = max(peak, alike.get(network, 0.0))
    known = {}
    for text in configs:
        if text in peaks:
            known[text] = _SAME_CONFIG * peaks[text] + CONTEXT_MIB
        elif (network := _network(text)) in alike:
            known[text] = _SAME_NETWORK * alike[network] + CONTEXT_MIB
        elif (estimate := _estimate(network, json.loads(text), size_of)) is not None:
            known[text] = estimate + CONTEXT_MIB
    return known


_sizes: dict[tuple[Any, ...], Description] = {}


def _estimate(
    network: tuple[Any, ...],
    config: Mapping[str, Any],
    size_of: Callable[[Mapping[str, Any]], Description | None],
) -> float | None:
    """MiB, by what a network and its data are made of; None for one that this worker does not know."""
    size = _sizes.get(network) or size_of(config)
    if size is None:
        return None
    _sizes[network] = size
    side, channels, images = (int(number) for number in network[-3:])
    values: float = _COPIES * size.activations * max(config["batch_size"], _EVALUATED) + _MOMENTS * size.parameters
    larger = max(0, side * side * channels - _USUAL_PICTURE) * images
    return _LIBRARIES_MIB + (4 * values + larger) / 2**20


def _network(text: str) -> tuple[Any, ...]:
    """What the memory depends on most. Of pictures of the usual size their number does not count."""
    config = json.loads(text)
    arguments, picture = json.dumps(config["arguments"], sort_keys=True), picture_of(config)
    side, channels = picture["side"], picture["channels"]
    large = side * side * channels > _USUAL_PICTURE
    images = (published_images(config["dataset"]) or _USUAL_IMAGES) if large else 0
    network = config["model"], config.get("code"), arguments, config["batch_size"], config.get("precision", "float32")
    return *network, side, channels, images
