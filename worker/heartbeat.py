"""A thread that renews an attempt's lease and hears when it was cancelled or taken away."""

import logging
import threading
import time

from db.errors import StoreError
from db.records import Claim
from db.store import Store

log = logging.getLogger(__name__)


class Heartbeat:
    """Between `with` and its end the lease is renewed every `every_s` seconds.

    Only the store's word that the attempt is no longer ours sets `lost`: through an outage the thread keeps trying.
    `trainings` run on the device, this one among them, as the store knew last.
    """

    def __init__(self, store: Store, claim: Claim, *, lease_s: float, every_s: float) -> None:
        self.lost = threading.Event()
        self.cancelled = threading.Event()
        self.trainings = claim.trainings
        self._store, self._claim = store, claim
        self._lease_s, self._every_s = lease_s, every_s
        self._ended = threading.Event()
        self._thread = self._new_thread()

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=self._every_s + 5)

    def ensure_alive(self) -> None:
        """Called by the loop: a thread that died is started again."""
        if not self._thread.is_alive() and not self._ended.is_set() and not self.lost.is_set():
            log.warning("the heartbeat thread died; starting it again")
            self._thread = self._new_thread()
            self._thread.start()

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name=f"heartbeat-{self._claim.job_id}", daemon=True)

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            started_at = time.monotonic()
            try:
                beat = self._store.heartbeat(self._claim, lease_s=self._lease_s)
            except StoreError as error:
                log.warning("no heartbeat after %.1f s, training goes on: %s", time.monotonic() - started_at, error)
                continue
            if not beat.owned:
                self.lost.set()
                return
            self.trainings = beat.trainings
            if beat.cancel_requested:
                self.cancelled.set()
