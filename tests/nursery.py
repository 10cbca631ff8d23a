"""Workers forked from a process that has loaded what a worker loads: to import it takes 6 s of a core each time.

From its first line on such a worker does what `bench worker` does; only the start of its interpreter is shared. The
soak, the acceptance tests and whatever is about the start itself start theirs as a user does.
"""

import atexit
import functools
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).parent.parent
_LOOK_S = 0.02  # how often it looks for children that have ended


class Forked:
    """What tests use of `subprocess.Popen`, for a worker that is not this process's child."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid, self.returncode = pid, None
        self._nursery = nursery

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(timeout=0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._nursery.hear(left)
            self.returncode = self._nursery.ended.get(self.pid)
            if self.returncode is None and left == 0:
                raise subprocess.TimeoutExpired(f"worker {self.pid}", timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that forks; one for each process of the test run, until that ends."""

    def __init__(self) -> None:
        ours, theirs = os.pipe(), os.pipe()
        for_it = [ours[0], theirs[1]]
        self._process = subprocess.Popen(
            [sys.executable, __file__, *map(str, for_it)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            pass_fds=for_it,
            start_new_session=True,
        )
        for end in for_it:
            os.close(end)
        self._say, self._hear = Connection(ours[1], readable=False), Connection(theirs[0], writable=False)
        self.ended: dict[int, int] = {}  # exit codes by pid

    def start(self, words: list[str], *, cwd: Path, environment: dict[str, str], log: Path) -> Forked:
        log.touch()  # tests read it at once
        self._say.send((words, str(cwd), environment, str(log)))
        while True:
            what, pid, code = self._hear.recv()
            if what == "began":
                return Forked(self, pid)
            self.ended[pid] = code

    def hear(self, timeout: float | None) -> None:
        """Take in what has been said; wait so long for a first word."""
        while self._hear.poll(timeout):
            _, pid, code = self._hear.recv()
            self.ended[pid] = code
            timeout = 0

    def close(self) -> None:
        self._say.close()
        self._hear.close()
        self._process.wait()


@functools.cache
def nursery() -> Nursery:
    made = Nursery()
    atexit.register(made.close)
    return made


def close_nursery() -> None:
    if nursery.cache_info().currsize:
        nursery().close()
        atexit.unregister(nursery().close)
        nursery.cache_clear()


def _serve(requests: Connection, answers: Connection) -> tuple[list[str], str, dict[str, str], str] | None:
    """Fork for each request; gives the request in the child, and None here once nobody can ask any more."""
    running = 0
    while True:
        if select.select([requests], [], [], _LOOK_S if running else None)[0]:
            try:
                request = requests.recv()
            except EOFError:
                return None
            pid = os.fork()
            if not pid:
                requests.close()
                answers.close()
                return request
            running += 1
            answers.send(("began", pid, 0))
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            running -= 1
            answers.send(("ended", pid, os.waitstatus_to_exitcode(status)))


def _become(words: list[str], cwd: str, environment: dict[str, str], log: str) -> None:
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    into = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(into, stream)
    os.close(into)
    sys.argv = ["bench", *words]
    sys.path[0] = cwd  # as with `python -m cli`


if __name__ == "__main__":
    from cli.main import main
    from worker.main import load_torch

    load_torch()
    asked = _serve(Connection(int(sys.argv[1]), writable=False), Connection(int(sys.argv[2]), readable=False))
    if asked:
        _become(*asked)
        main()
