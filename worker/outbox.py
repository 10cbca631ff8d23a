"""Writes that outlive an outage of the store: kept in order, tried again, dropped only when the attempt is not ours."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from db.errors import SchemaError, StoreError

log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class Outbox:
    """History goes through here, so that a store that is away for an hour costs no training."""

    def __init__(self, *, every_s: float, stopping: Callable[[], bool] = lambda: False) -> None:
        self._every_s, self._stopping = every_s, stopping
        self._waiting: deque[Callable[[], None]] = deque()
        self._pause = threading.Event()

    def add(self, write: Callable[[], None]) -> None:
        """Write now, or keep it for later when the store is away. Raises LostError."""
        self._waiting.append(write)
        try:
            self._drain()
        except StoreError as error:
            log.warning("%d epochs wait for the store: %s", len(self._waiting), error)

    def flush(self) -> None:
        """Write all that waits, as `insist` does."""
        self.insist(self._drain)

    def insist(self, write: Callable[[], _Answer]) -> _Answer:
        """Write, however long the store is away.

        Raises LostError, SchemaError, and StoreError once the worker has to stop.
        """
        while True:
            try:
                return write()
            except SchemaError:
                raise
            except StoreError as error:
                if self._stopping():
                    raise
                log.warning("the store is away, trying again in %.0f s: %s", self._every_s, error)
                self._pause.wait(self._every_s)

    def _drain(self) -> None:
        while self._waiting:
            self._waiting[0]()
            self._waiting.popleft()
