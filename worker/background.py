"""A worker beside this process, for whoever submits and waits: it ends with this process, however that ends.

Nothing here takes a signal or prints; `cli` and `bench` do what their users expect of that.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from db.errors import BenchError, ConfigError, StoreError
from scheduler.config import NEEDS_CUDA
from scheduler.settings import Settings

_MOST_RESTARTS = 3  # of a worker that was killed, or that ended because it got no work though jobs wait
_STOP_S = 30.0  # what a worker may take to save its checkpoints


def check_precisions(precisions: Iterable[str], device: str) -> None:
    """Raises ConfigError for jobs that this device could only fail."""
    lacking = {*precisions} & NEEDS_CUDA
    if lacking and device != "cuda":
        what = f"precision {', '.join(sorted(lacking))} needs CUDA, and this would train on {device}"
        raise ConfigError(what, fix="give --precision float32 or --precision bfloat16")


class Background:
    """Started when it is made; `check` starts it again where that helps, `stop` ends it."""

    def __init__(self, here: Settings, *, slots: int | None = None, device: str = "auto", graph: bool = True) -> None:
        self._here = here
        self._words = ["--device", device, *([] if graph else ["--no-graph"])]
        self._words += ["--slots", str(slots)] if slots else []
        self._restarts = 0
        self._process = self._started()

    @property
    def log(self) -> Path:
        return self._here.logs / "worker.log"

    def check(self) -> None:
        """Raises BenchError, of the kind that its exit code tells, once it has ended for good."""
        code = self._process.poll()
        if code is None:
            return
        if code not in (os.EX_TEMPFAIL, -signal.SIGKILL) or self._restarts == _MOST_RESTARTS:
            kind = {2: ConfigError, 3: StoreError}.get(code, BenchError)
            raise kind(f"the worker ended with exit code {code}", fix=f"read {self.log}, then run it again")
        self._restarts += 1
        self._close_pipe()
        self._process = self._started()

    def stop(self, *, at_once: Callable[[], object] = lambda: None) -> None:
        """First politely, after 30 s or a Ctrl-C at once; leases bring back what was cut off. `at_once` hears of it."""
        worker = self._process
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(timeout=_STOP_S)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            at_once()
            with suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        self._close_pipe()

    def _close_pipe(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()

    def _started(self) -> "subprocess.Popen[bytes]":
        here = self._here
        here.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        # the room of the package, not the current folder, where a user may have a cli/ of their own
        root = str(Path(__file__).parent.parent)
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, **here.environment(), "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
        environment.pop("BENCH_METRICS", None)  # the port of a worker that is started by itself
        with self.log.open("ab") as log:
            # a session of its own: a terminal's Ctrl-C reaches this process only, which then asks the worker to stop
            return subprocess.Popen(
                # the pipe is never written to: its end tells the worker that this process is gone, killed even
                [sys.executable, "-m", "cli", "worker", *self._words, "--while-stdin"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
