"""What a pool child does: answer doorbells, one attempt at a time, with torch and the data kept between jobs."""

import logging
import os
from dataclasses import dataclass

from db.errors import StoreError
from db.store import Store
from scheduler.settings import Settings
from worker.attempt import Slot, run_attempt
from worker.stopping import StopPipe

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Child:
    """Made in the parent; its store is opened in the child, since connections do not survive a fork."""

    settings: Settings
    worker_id: str
    device: str
    pipe: StopPipe
    store: Store | None = None

    def start(self) -> None:
        """Once in each new child process."""
        self.pipe.listen()
        # before torch is loaded: one thread for each slot, so that numbers and speed do not depend on neighbours
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
        self.store = None

    def work(self) -> None:
        """Claim the most urgent job and run one attempt of it; nothing to claim is no error."""
        if self.pipe.stopping.is_set():
            return
        try:
            store = self._opened()
            self._prepare_torch()  # before the claim: on a busy machine the import alone may outlast a short lease
            count_costs(store)
            owner = f"{self.worker_id}/{os.getpid()}"
            claim = store.claim_next(owner, lease_s=self.settings.lease_s)
        except StoreError as error:
            log.warning("no job was claimed: %s", error)  # reconcile rings again
            return
        if claim is None:
            return
        slot = Slot(device=self.device, settings=self.settings, stopping=self.pipe.stopping.is_set)
        run_attempt(store, claim, slot)

    def _opened(self) -> Store:
        from db import open_store

        if self.store is None:
            self.store = open_store(self.settings.database)
        return self.store

    def _prepare_torch(self) -> None:
        import torch

        torch.set_num_threads(1)


def count_costs(store: Store) -> None:
    """Training FLOPs of queued jobs that nobody has counted yet: the longest job goes first."""
    waiting = store.jobs_without_cost()
    if not waiting:
        return
    from models import describe

    known: dict[str, float] = {}
    costs = {}
    for job_id, config in waiting:
        name = f"{config['model']} {sorted(config['arguments'].items())}"
        if name not in known:
            known[name] = float(describe(config["model"], classes=20, arguments=config["arguments"]).flops)
        costs[job_id] = 3 * known[name] * config["epochs"]  # backward costs about twice the forward pass
    store.set_costs(costs)
