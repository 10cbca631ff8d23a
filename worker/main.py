"""The worker: a Celery parent that stays responsive, and a pool child for each slot that trains."""

import logging
import os
import socket
import threading
import uuid
from typing import Any

from celery import Celery, signals
from celery.worker import state as worker_state

from db.errors import BenchError, BrokerError, StoreError
from db.records import WAITING
from db.store import Store
from scheduler.app import QUEUE, TASK, doorbells, make_app
from scheduler.broker import ensure_broker
from scheduler.queue import reconcile
from scheduler.settings import Settings
from worker.child import Child
from worker.devices import auto_slots, choose_device
from worker.stopping import StopPipe

log = logging.getLogger(__name__)


def run_worker(settings: Settings, *, slots: int | None, device: str, drain: bool) -> int:
    """Work until asked to stop, or with `drain` until nothing is left to do; gives the exit code.

    Raises ConfigError, StoreError or BrokerError before anything is started.
    """
    from db import open_store

    chosen = choose_device(device)
    number = slots or auto_slots(chosen)
    store = open_store(settings.database, create=True)
    ensure_broker(settings)
    reconcile(store, doorbells(settings))
    host = socket.gethostname()
    worker_id = f"{host}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
    store.register_worker(worker_id, host=host, pid=os.getpid(), slots=number, device=chosen)
    pipe = StopPipe()
    app = make_app(settings)
    child = Child(settings=settings, worker_id=worker_id, device=chosen, pipe=pipe)
    _add_task(app, child)
    keeper = Keeper(store, settings, worker_id, drain=drain)

    def on_child(**_: Any) -> None:
        child.start()

    def on_ready(**_: Any) -> None:
        keeper.start()

    def on_stop(**_: Any) -> None:
        pipe.tell()

    # weak=False: these live as long as this call, which is as long as the process
    signals.worker_process_init.connect(on_child, weak=False)
    signals.worker_ready.connect(on_ready, weak=False)
    signals.worker_shutting_down.connect(on_stop, weak=False)
    store.close()  # the pool forks now, and connections must not be shared
    worker = app.Worker(
        hostname=f"bench-{worker_id}",
        pool="prefork",
        concurrency=number,
        queues=[QUEUE],
        loglevel=os.environ.get("BENCH_LOG_LEVEL", "WARNING").upper(),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    try:
        worker.start()
    finally:
        pipe.tell()
        keeper.stop()
    return int(worker.exitcode or 0)


def _add_task(app: Celery, child: Child) -> None:
    def work(job_id: object) -> None:
        if not isinstance(job_id, int):
            log.error("a message that is not a job id was thrown away: %.100r", job_id)
            return
        log.debug("doorbell for job %d", job_id)
        child.work()

    app.task(name=TASK)(work)


class Keeper:
    """The parent's timer: tells the store that the worker lives, reconciles, and ends a worker that drains."""

    def __init__(self, store: Store, settings: Settings, worker_id: str, *, drain: bool) -> None:
        self._store, self._settings, self._worker_id, self._drain = store, settings, worker_id, drain
        self._bells = doorbells(settings)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        if not self._thread.is_alive():
            self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        try:
            self._store.worker_seen(self._worker_id, stopped=True)
        except BenchError as error:
            log.warning("the store was not told that this worker stopped: %s", error)
        self._store.close()

    def _run(self) -> None:
        while not self._ended.wait(min(1.0, self._settings.heartbeat_s) if self._drain else self._settings.heartbeat_s):
            try:
                self._look()
            except (StoreError, BrokerError) as error:
                log.warning("%s", error)

    def _look(self) -> None:
        self._store.worker_seen(self._worker_id)
        reconcile(self._store, self._bells, actor=self._worker_id)
        if self._drain and self._nothing_left():
            worker_state.should_stop = 0

    def _nothing_left(self) -> bool:
        """No job waits and none runs: one that another worker holds comes back to the queue when that worker dies."""
        counts = self._store.counts()
        return not any(counts[state] for state in WAITING)
