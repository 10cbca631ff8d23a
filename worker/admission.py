"""How much of a card's memory a job is expected to need, by what jobs like it took."""

import json
from collections.abc import Mapping
from typing import Any

from db.store import Store

CONTEXT_MIB = 1024.0
"""Of a CUDA context and the libraries' own memory, which no measured peak holds."""
_SAME_CONFIG = 1.5  # times the peak: the allocator keeps more than its tensors hold
_SAME_NETWORK = 2.0  # with another optimizer, augmentation or number of classes


def expect_memory(store: Store) -> None:
    """Note it for all queued jobs of which more is known than was noted: the store admits by it."""
    waiting = store.queued_memory()
    peaks = store.peak_memory("cuda") if waiting else {}
    if not peaks:
        return
    known = expectations({text for _, text, _ in waiting}, peaks)
    store.set_memory({job: known[text] for job, text, noted in waiting if text in known and known[text] != noted})


def expectations(configs: set[str], peaks: Mapping[str, float]) -> dict[str, float]:
    """MiB by config, as text like those of the measured `peaks`; without configs like which nothing was measured."""
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
    return known


def _network(text: str) -> tuple[Any, ...]:
    config = json.loads(text)
    arguments = json.dumps(config["arguments"], sort_keys=True)
    return config["model"], arguments, config["batch_size"], config.get("precision", "float32")
