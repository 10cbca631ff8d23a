"""`bench metrics`: the store's state for Prometheus."""

from typing import TYPE_CHECKING, NoReturn

from cli import _options as options
from db.errors import StoreError

if TYPE_CHECKING:
    from scheduler.settings import Settings


def metrics() -> None:
    """Print metrics for Prometheus once.

    `bench worker --metrics` serves them.
    """
    from worker.metrics import metrics_text

    here = options.settings()
    try:
        store = options.opened(here, create=False)
    except StoreError as error:
        options.put(_without_store(here, error))
        raise
    options.put(metrics_text(store, here))


def _without_store(here: "Settings", error: StoreError) -> str:
    """Whether store and broker answer: one does not."""
    import logging

    from prometheus_client import CollectorRegistry, generate_latest

    from scheduler.app import doorbells
    from scheduler.metrics import Overview

    def looking() -> NoReturn:
        raise error

    logging.getLogger("scheduler.metrics").addHandler(logging.NullHandler())  # the error is told at the end
    registry = CollectorRegistry()
    registry.register(Overview(looking=looking, depth=doorbells(here).depth, seen_within_s=here.lease_s))
    return generate_latest(registry).decode()
