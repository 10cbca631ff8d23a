"""`bench metrics`: the store's state for Prometheus."""

from cli import _options as options


def metrics() -> None:
    """Print metrics for Prometheus once.

    `bench worker --metrics` serves them.
    """
    from worker.metrics import metrics_text

    here = options.settings()
    store = options.opened(here, create=False)
    options.put(metrics_text(store, here))
