"""The worker: a Celery parent that stays responsive, and a pool child for each slot that trains."""

import gc
import logging
import os
import signal
import socket
import sys
import threading
import uuid
from typing import Any

from celery import Celery, signals

from db.records import JobState
from db.store import Store
from scheduler.app import QUEUE, TASK, doorbells, make_app
from scheduler.broker import ensure_broker
from scheduler.queue import reconcile
from scheduler.settings import Settings
from worker.card_check import FailedLooks
from worker.child import Child, set_threads
from worker.devices import auto_slots, choose_device, visible_cards
from worker.inbox import Inbox
from worker.keeper import STOP_S, Keeper, end_at_once
from worker.logs import start_logging
from worker.metrics import Endpoint
from worker.stopping import StopPipe

log = logging.getLogger(__name__)


def run_worker(
    settings: Settings,
    *,
    slots: int | None,
    device: str,
    drain: bool,
    closed: bool = False,
    graph: bool = True,
    metrics: str = "",
) -> int:
    """Work until asked to stop, or with `drain` until nothing is left to do; gives the exit code.

    A drained worker gives 1 when a job failed meanwhile, here or elsewhere. One that drains, or whose starter waits for
    its jobs (`closed`), also ends with 1 once none of its cards works; any other waits until one does again.

    Raises ConfigError, StoreError or BrokerError before anything is started. `metrics` is where they are served.
    """
    from db import open_store

    for ending in (signal.SIGTERM, signal.SIGQUIT):
        signal.signal(ending, lambda *_: sys.exit(os.EX_OK))  # until Celery has handlers of its own: nothing runs yet
    detached = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # by nohup
    start_logging(settings)
    chosen = choose_device(device)
    number = slots or auto_slots(chosen)
    endpoint = Endpoint(metrics) if metrics else None
    store = open_store(settings.database, create=True)
    ensure_broker(settings)
    reconcile(store, doorbells(settings))
    failed_before = _failed(store)
    if chosen == "cpu":
        load_torch()
    host = socket.gethostname()
    worker_id = f"{host}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
    store.register_worker(worker_id, host=host, pid=os.getpid(), slots=number, device=chosen)
    pipe = StopPipe()
    app = make_app(settings)
    cards = visible_cards() if chosen == "cuda" else []
    looks = FailedLooks(number)
    child = Child(
        settings=settings, worker_id=worker_id, device=chosen, pipe=pipe, cards=cards, looks=looks, graph=graph
    )
    _add_task(app, child)
    keeper = Keeper(store, settings, worker_id, pipe, drain=drain, looks=looks if drain or closed else None)

    def on_child(**_: Any) -> None:
        child.start()

    def on_ready(*, sender: Any, **_: Any) -> None:
        # Celery would end a worker one of whose children has died by now; its pool replaces this one like any other
        sender.pool.did_start_ok = lambda: True
        # Celery would start itself anew, and not tell its children
        hang_up = signal.SIG_IGN if detached else lambda *_: os.kill(os.getpid(), signal.SIGTERM)
        signal.signal(signal.SIGHUP, hang_up)
        log.info("worker %s is ready: %d slot%s, %s", worker_id, number, "" if number == 1 else "s", chosen)
        if endpoint:
            endpoint.start(settings, keeper.looking)

    interrupted = False

    def on_stop(*, sig: str = "", **_: Any) -> None:
        nonlocal interrupted
        interrupted = sig == "SIGINT"
        pipe.tell()
        late = threading.Timer(STOP_S, keeper.end_late)
        late.daemon = True
        late.start()
        # after Celery's own handlers, whose second signal would wait for children that do not answer
        for second in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, *([] if detached else [signal.SIGHUP])):
            signal.signal(second, lambda number, _frame: end_at_once(128 + number))

    # weak=False: these live as long as this call, which is as long as the process
    signals.worker_process_init.connect(on_child, weak=False)
    signals.worker_ready.connect(on_ready, weak=False)
    signals.worker_shutting_down.connect(on_stop, weak=False)
    store.close()  # the pool forks now, and connections must not be shared
    worker = app.Worker(
        hostname=f"bench-{worker_id}",
        consumer_cls=Inbox,
        pool="prefork",
        concurrency=number,
        queues=[QUEUE],
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    keeper.start()  # before Celery waits for a broker: an embedded one that died meanwhile is started again
    try:
        worker.start()
    finally:
        pipe.tell()
        if endpoint:
            endpoint.stop()
        keeper.stop()
    code = int(worker.exitcode or 0)
    if interrupted and code == 1:  # Celery's word for Ctrl-C; a stop that fails ends this process elsewhere
        code = 0
    return code or int(drain and not _failed(store) <= failed_before)


def load_torch() -> None:
    """Once for all children, which share its memory: one that is forked later, for one that died, starts at once.

    Importing starts neither threads nor CUDA, which no fork would survive; on cards, where that was never tried, each
    child loads it for itself.
    """
    set_threads()
    import torch._dynamo  # noqa: F401 - otherwise by the first optimizer, in each child

    import worker.checkpoints
    import worker.datasets
    import worker.engine  # noqa: F401

    gc.collect()
    gc.freeze()  # a collection in a child would write to each object, and so copy its memory


def _failed(store: Store) -> set[tuple[int, int]]:
    """The last attempts of all jobs that have failed, whoever ran them."""
    found = {(job.id, job.attempt) for job in store.jobs() if job.state is JobState.FAILED}
    store.close()
    return found


def _add_task(app: Celery, child: Child) -> None:
    def work(job_id: int) -> None:
        log.debug("doorbell for job %d", job_id)
        child.work()

    app.task(name=TASK)(work)
