"""How a worker tells its children to stop: a pipe whose write end only the parent holds.

Pool children never hear the parent's SIGTERM. When the parent wants to stop it closes its end; when it is killed
the system does; either way each child reads the end of the file, finishes its step, saves a checkpoint and gives
its job back.
"""

import os
import threading
from collections.abc import Callable


class StopPipe:
    """Made in the parent before it forks; each child calls `listen` once."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self.parent = os.getpid()
        self._closed = False
        self.stopping = threading.Event()

    def tell(self) -> None:
        """In the parent: everybody stops. A second call does nothing."""
        if os.getpid() == self.parent and not self._closed:
            self._closed = True
            os.close(self._write)
        self.stopping.set()

    def listen(self, then: Callable[[], object]) -> None:
        """In a child: set `stopping` as soon as the parent tells it or is gone, then call `then` in a thread."""
        if not self._closed:
            os.close(self._write)  # else a child that lives would keep its siblings from noticing
        threading.Thread(target=self._wait, args=[then], name="stop-pipe", daemon=True).start()

    def _wait(self, then: Callable[[], object]) -> None:
        os.read(self._read, 1)
        self.stopping.set()
        then()
