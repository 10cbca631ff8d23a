"""How much of a card's memory a job is expected to need: by what jobs like it took, else by the size of its network."""

import json
from collections.abc import Mapping
from typing import Any

from db.records import NetworkSize
from db.store import Store
from scheduler.config import network_key, picture_of
from scheduler.datasets import published_images
from worker.own_code import sizes_of

CONTEXT_MIB = 1024.0
"""Of a CUDA context and the libraries' own memory, which no measured peak holds."""
_SAME_CONFIG = 1.5  # times the peak: the allocator keeps more than its tensors hold
_SAME_NETWORK = 2.0  # with another optimizer, augmentation or number of classes
# where nothing like it was measured: far above what the built-in networks took (docs/operations.md)
_LIBRARIES_MIB = 4096.0  # in which cuDNN and cuBLAS work, and a data set of usual pictures
_USUAL_PICTURE, _USUAL_IMAGES = 32 * 32 * 3, 50_000  # bytes; images where the data set's name does not tell
_COPIES, _MOMENTS = 4, 8  # of all activations, forwards and backwards; of all parameters, with gradients and optimizer
_EVALUATED = 256  # images at once, however small the batches of the training are


def expect_memory(store: Store) -> None:
    """Note it for all queued jobs of which more is known than was noted: the store admits by it."""
    waiting = store.queued_memory()
    if not waiting:
        return
    peaks = store.peak_memory("cuda")
    texts = {text for _, text, _ in waiting}
    known = expectations(texts, peaks, sizes_of(store, map(json.loads, texts)))
    store.set_memory({job: known[text] for job, text, noted in waiting if text in known and known[text] != noted})


def expectations(configs: set[str], peaks: Mapping[str, float], sizes: Mapping[str, NetworkSize]) -> dict[str, float]:
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
        elif (estimate := _estimate(network, json.loads(text), sizes)) is not None:
            known[text] = estimate + CONTEXT_MIB
    return known


def _estimate(
    network: tuple[Any, ...],
    config: Mapping[str, Any],
    sizes: Mapping[str, NetworkSize],
) -> float | None:
    """MiB, by what a network and its data are made of; None for one that this worker does not know."""
    size = sizes.get(network_key(config))
    if size is None:
        return None
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
