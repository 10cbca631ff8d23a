"""Where metrics are asked for: an HTTP endpoint in a worker's parent process, or once as text."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Metric, generate_latest, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from db.errors import ConfigError
from scheduler.metrics import Overview
from worker.devices import parts_of

if TYPE_CHECKING:
    from db.store import Store
    from scheduler.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards(Collector):
    """Memory of this machine's GPUs by NVML; nothing where there is none."""

    quiet: Callable[[], AbstractContextManager[Any]] = nullcontext
    """Around a look: in a parent that forks, no child may be made while NVML holds locks of its own."""

    def collect(self) -> Iterator[Metric]:
        used = GaugeMetricFamily("bench_gpu_memory_used_bytes", "Memory in use on a card.", labels=["card"])
        total = GaugeMetricFamily("bench_gpu_memory_total_bytes", "Memory of a card.", labels=["card"])
        with self.quiet():
            for card, memory in _memory_of_cards():
                used.add_metric([card], memory.used)
                total.add_metric([card], memory.total)
        yield from (used, total)


def _memory_of_cards() -> Iterator[tuple[str, Any]]:
    """By a card's index, and of one that is divided (MIG) by `card:part`: not every user may ask for the whole then."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return
    try:
        for index in range(pynvml.nvmlDeviceGetCount()):
            card = pynvml.nvmlDeviceGetHandleByIndex(index)
            parts = parts_of(pynvml, card)
            named = {str(index): card} if parts is None else {f"{index}:{part}": one for part, one in parts.items()}
            for name, handle in named.items():
                yield name, pynvml.nvmlDeviceGetMemoryInfo(handle)
    except pynvml.NVMLError as error:
        log.warning("the cards' memory is not known: %s", error)
    finally:
        pynvml.nvmlShutdown()


def metrics_text(store: "Store", settings: "Settings") -> str:
    """All metrics of this moment in Prometheus' text format."""
    from scheduler.app import doorbells

    registry = CollectorRegistry()
    depth = doorbells(settings).depth
    registry.register(Overview(looking=lambda: nullcontext(store), depth=depth, seen_within_s=settings.lease_s))
    registry.register(Cards())
    return generate_latest(registry).decode()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # a reader who is slow must not keep the worker from stopping


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 10  # seconds of silence in a request

    def log_message(self, *_: object) -> None:
        """Whoever scrapes does so for ever."""


class Endpoint:
    """Listens at once, so that a port that is taken is said before anything is started; answers from `start` on."""

    def __init__(self, address: str) -> None:
        """`PORT` of this machine only, or `HOST:PORT`. Raises ConfigError."""
        self._registry = CollectorRegistry()
        host, port = _parse(address)
        server = _ServerV6 if ":" in host else _Server
        try:
            self._server = make_server(host, port, make_wsgi_app(self._registry), server, _Handler)
        except OSError as error:
            message = f"cannot listen on {address} for metrics: {error.strerror or error}"
            raise ConfigError(message, fix="give --metrics another port, or another host of this machine") from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        # a pool child that outlives its parent would keep the port
        os.register_at_fork(after_in_child=self._server.socket.close)

    @property
    def place(self) -> tuple[str, int]:
        """Host and port, as the system gave them."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self, settings: "Settings", looking: Callable[[], AbstractContextManager["Store"]]) -> None:
        """Answer; `looking` gives the store for one look, while which no child may be forked."""
        from scheduler.app import doorbells

        if self._thread.is_alive():
            return
        depth = doorbells(settings).depth
        self._registry.register(Overview(looking=looking, depth=depth, seen_within_s=settings.lease_s))
        self._registry.register(Cards(quiet=looking))
        self._thread.start()
        host, port = self.place
        log.info("metrics are at http://%s:%d/metrics", f"[{host}]" if ":" in host else host, port)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


def _parse(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"--metrics must be PORT or HOST:PORT, not {address!r}", fix="give 9400, say")
    return host.strip("[]") or "127.0.0.1", int(port)
