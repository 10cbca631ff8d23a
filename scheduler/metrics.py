"""What the store and the broker say of themselves as a whole, in Prometheus' words; docs/operations.md lists them."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

from db.errors import BrokerError, StoreError

if TYPE_CHECKING:
    from db.store import Store

log = logging.getLogger(__name__)

_DEVICES = ("cpu", "cuda")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview(Collector):
    """Looks anew each time that it is asked; a store or a broker that is away is a 0, never an error.

    `looking` gives the store for one look, `depth` how many messages wait (None: the broker cannot tell). Workers
    count as alive when they were heard of in the last `seen_within_s` seconds.
    """

    looking: Callable[[], AbstractContextManager["Store"]]
    depth: Callable[[], int | None]
    seen_within_s: float

    def collect(self) -> Iterator[Metric]:
        yield from self._broker()
        yield from self._of_store()

    def _broker(self) -> Iterator[Metric]:
        up, messages = 1.0, None
        try:
            messages = self.depth()
        except BrokerError as error:
            log.debug("%s", error)
            up = 0.0
        yield GaugeMetricFamily("bench_broker_up", "Whether the broker answers.", value=up)
        if messages is not None:
            yield GaugeMetricFamily("bench_broker_messages", "Messages that wait in the broker.", value=messages)

    def _of_store(self) -> Iterator[Metric]:
        try:
            with self.looking() as store, store.one_moment():
                found = [*_jobs(store), *_attempts(store), *_workers(store, self.seen_within_s)]
        except StoreError as error:
            log.warning("no metrics: %s", error)
            found = []
        yield GaugeMetricFamily("bench_store_up", "Whether the store answers.", value=float(bool(found)))
        yield from found


def _jobs(store: "Store") -> Iterator[Metric]:
    jobs = GaugeMetricFamily("bench_jobs", "Jobs in each state.", labels=["state"])
    for state, number in store.counts().items():
        jobs.add_metric([state], number)
    yield jobs
    words = "For how long the job that waits longest could have been claimed; 0: none could be."
    yield GaugeMetricFamily("bench_oldest_queued_seconds", words, value=store.oldest_queued_s())


def _attempts(store: "Store") -> Iterator[Metric]:
    ended = CounterMetricFamily("bench_attempts", "Attempts that have ended, by how.", labels=["outcome"])
    for outcome, number in store.outcomes().items():
        ended.add_metric([outcome], number)
    yield ended
    yield CounterMetricFamily("bench_lease_expiries", "Leases that ran out.", value=store.lease_expiries())
    words = "How long epochs took, training and evaluation."
    epochs = SummaryMetricFamily("bench_epoch_seconds", words, labels=["network", "device"])
    for times in store.epoch_times():
        epochs.add_metric([times.network, times.device], times.epochs, times.total_s)
    yield epochs


def _workers(store: "Store", seen_within_s: float) -> Iterator[Metric]:
    number, slots = dict.fromkeys(_DEVICES, 0), dict.fromkeys(_DEVICES, 0)
    for worker in store.workers(seen_within_s=seen_within_s):
        number[worker.device] = number.get(worker.device, 0) + 1
        slots[worker.device] = slots.get(worker.device, 0) + worker.slots
    for name, words, values in (
        ("bench_workers", "Workers that were heard of within a lease.", number),
        ("bench_slots", "The slots of those workers.", slots),
    ):
        family = GaugeMetricFamily(name, words, labels=["device"])
        for device, value in values.items():
            family.add_metric([device], value)
        yield family
