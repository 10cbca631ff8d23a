"""Networks are built and tried in a process of their own: one that hangs, or ends its process, ends nobody else's.

A process is started anew instead of forked: whoever asks may have threads and a card, as a notebook has, which no fork
survives, and it need not load torch itself. It answers one question after the other, and lives no longer than the plan
that asks: what it has loaded is never older than that.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NoReturn, Self

from models import Description
from models._code import OwnCode, OwnNetworkError

_START = "import sys; sys.path[:] = sys.argv[3:]; from models._probed import serve; serve(*map(int, sys.argv[1:3]))"
_LOOK_S = 0.1  # how often it is looked whether the process still lives
_QUIET_S = 10.0  # without an answer for so long, it is said what is waited for
_TRACE_S = 1.0  # in which a process that hangs can say where
Say = Callable[[str], object]


class Probe:
    """Within `with`, a process for each user's sources, as what they patch holds for all that comes after them.

    bench's own networks and those of installed packages share one, and are best asked for first.
    """

    def __init__(self, *, limit_s: float, say: Say) -> None:
        self._limit_s, self._say = limit_s, say
        self._process: _Process | None = None
        self._source = ""  # the sum of the sources that have run in it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.end()

    def describe(self, name: str, *, own: OwnCode | None = None, **facts: Any) -> Description:
        """As `models.describe`, whose other facts these are; whoever asks loads no torch.

        Raises ValueError and OwnNetworkError as it does. A network that takes longer than `limit_s`, or ends the
        process, is an OwnNetworkError as well, after which nothing more may be asked. What takes long is said.
        """
        process = self._for(own.name if own and own.content else "")
        try:
            process.wait_until_ready(self._say)
            answer = process.ask(name, own, facts, limit_s=self._limit_s, say=self._say)
        except _Ended:
            process.raise_crash(name, own)
        except TimeoutError:
            process.ask_where()
            what = f"{name} was not built and tried within {self._limit_s:g} s{process.place(own)}"
            fix = f"mend what does not end there, or give it longer: BENCH_PROBE_S={10 * self._limit_s:g}"
            raise OwnNetworkError(what, fix=fix) from None
        if "bug" in answer:
            raise RuntimeError(f"the process that tries networks failed:\n{answer['bug']}")
        if "invalid" in answer:
            raise ValueError(answer["invalid"])
        if "error" in answer:
            raise OwnNetworkError(answer["error"], fix=answer["fix"])
        return Description(**answer)

    def _for(self, source: str) -> "_Process":
        if self._process is not None and self._source not in ("", source):
            self._process.end()
            self._process = None
        self._source = source
        self._process = self._process or _Process()
        return self._process


class _Ended(Exception):  # noqa: N818 - news, not yet an error
    """The process is gone."""


class _Process:
    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        # where it stood when it crashed, or when it was asked
        self._trace = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        given = (theirs.fileno(), self._trace.fileno())
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, *map(str, given), *map(str, sys.path)],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what a user's code prints is no result of the command that asks
                pass_fds=given,
                start_new_session=True,  # Ctrl-C is for whoever asks, who then ends it
            )
        self._line = Connection(ours.detach())
        self._sent: set[str] = set()
        self._is_ready = False

    def wait_until_ready(self, say: Say) -> None:
        """Raises _Ended."""
        if not self._is_ready:
            self._answer(partial(say, "still loading PyTorch, to try the networks of the suite ..."))
            self._is_ready = True

    def ask(
        self, model: str, own: OwnCode | None, facts: Mapping[str, Any], *, limit_s: float, say: Say
    ) -> dict[str, Any]:
        """Raises _Ended or TimeoutError."""
        question = {"model": model, **facts}
        if own is not None:
            question["code"] = own.name
            if own.name not in self._sent:
                question["content"] = own.content
                self._sent.add(own.name)
        try:
            self._line.send_bytes(json.dumps(question).encode())
        except OSError as error:
            raise _Ended from error
        told = f"still building and trying {model}, for up to {limit_s:g} s (BENCH_PROBE_S) ..."
        return self._answer(partial(say, told), limit_s=limit_s)

    def _answer(self, say: Callable[[], object], *, limit_s: float | None = None) -> dict[str, Any]:
        since, is_said = time.monotonic(), False
        while not self._line.poll(_LOOK_S):
            waited_s = time.monotonic() - since
            if self._process.poll() is not None and not self._line.poll(0):
                raise _Ended
            if waited_s > _QUIET_S and not is_said:
                is_said = True
                say()
            if limit_s is not None and waited_s > limit_s:
                raise TimeoutError
        try:
            answer: dict[str, Any] = json.loads(self._line.recv_bytes())
        except (EOFError, OSError) as error:
            raise _Ended from error
        return answer

    def ask_where(self) -> None:
        self._process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + _TRACE_S
        while time.monotonic() < deadline and not os.fstat(self._trace.fileno()).st_size:
            time.sleep(_LOOK_S / 10)
        time.sleep(_LOOK_S)

    def place(self, own: OwnCode | None) -> str:
        """The last line of the user's code that it was in; empty where nobody knows."""
        if own is None or not own.content:
            return ""
        self._trace.seek(0)
        trace = self._trace.read().decode(errors="replace")
        found = re.search(rf'File "{re.escape(own.folder)}/(.+?)", line (\d+)', trace)  # the innermost is the first
        return f" ({found[1]}:{found[2]})" if found else ""

    def raise_crash(self, model: str, own: OwnCode | None) -> NoReturn:
        """Once it is gone."""
        code = self._process.wait()  # minus the signal's number where one ended it
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        if not self._is_ready:
            what = f"the process that tries networks ended {how} while it loaded PyTorch"
            raise OwnNetworkError(what, fix="see what it has printed, and `bench doctor`") from None
        out_of_memory = code == -signal.SIGKILL
        why = ", as the system does when memory runs out" if out_of_memory else ""
        fix = "mend the network: it would end the process of its training alike"
        if out_of_memory:
            fix = "make the network smaller, or plan where there is more memory"
        what = f"{model} ended the process that built and tried it, {how}{why}{self.place(own)}"
        raise OwnNetworkError(what, fix=fix) from None

    def end(self) -> None:
        """With all that a network may have started: their group keeps its number after the process that led it."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._line.close()
        self._trace.close()
