"""Networks are built and tried in a process of their own: one that hangs, or ends its process, ends nobody else's.

The process is started anew instead of forked: whoever asks may have threads and a card, as a notebook has, which no
fork survives, and it need not load torch itself. It answers one question after the other, and is kept for the next
plan of a notebook until nobody has asked for some minutes.
"""

import atexit
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
from functools import partial
from multiprocessing.connection import Connection
from threading import Lock
from typing import Any

from models._code import OwnCode, OwnNetworkError

UNUSED = 75
"""Exit code of the process once nobody has asked for a while."""
_START = "import sys; sys.path[:] = sys.argv[3:]; from models._probed import serve; serve(*map(int, sys.argv[1:3]))"
_LOOK_S = 0.1  # how often it is looked whether the process still lives
_QUIET_S = 10.0  # without an answer for so long, it is said what is waited for
_TRACE_S = 1.0  # in which a process that hangs can say where
Facts = tuple[str, OwnCode | None, int, Mapping[str, Any], int, int]  # model, code, classes, arguments, side, channels
Say = Callable[[str], object]


class _Ended(Exception):  # noqa: N818 - news, not yet an error
    """The process is gone; with this exit code."""


class _Process:
    def __init__(self) -> None:
        self.owner = os.getpid()
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

    def ask(self, facts: Facts, *, limit_s: float, say: Say) -> dict[str, Any]:
        """Raises _Ended, or TimeoutError with its place in the user's code."""
        model, own, classes, arguments, side, channels = facts
        if not self._is_ready:
            self._answer(partial(say, "still loading PyTorch, to try the networks of the suite ..."))
            self._is_ready = True
        question = {"model": model, "classes": classes, "arguments": arguments, "side": side, "channels": channels}
        if own is not None:
            question["code"] = own.name
            if own.name not in self._sent:
                question["content"] = own.content
                self._sent.add(own.name)
        self._send(json.dumps(question).encode())
        told = f"still building and trying {model}, for up to {limit_s:g} s (BENCH_PROBE_S) ..."
        return self._answer(partial(say, told), limit_s=limit_s)

    def _send(self, question: bytes) -> None:
        try:
            self._line.send_bytes(question)
        except OSError as error:
            raise _Ended from error

    def _answer(self, say: Callable[[], object], *, limit_s: float | None = None) -> dict[str, Any]:
        since, is_said = time.monotonic(), False
        while not self._line.poll(_LOOK_S):
            waited_s = time.monotonic() - since
            if self.has_ended() and not self._line.poll(0):
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

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def exit_code(self) -> int:
        """Once it is gone; minus the signal's number where one ended it."""
        return self._process.wait()

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

    def end(self) -> None:
        if self.owner == os.getpid():
            if not self.has_ended():
                os.killpg(self._process.pid, signal.SIGKILL)  # with all that a network may have started
            self._process.wait()
        self._line.close()
        self._trace.close()


_lock = Lock()  # one question at a time
_known: dict[str, dict[str, Any]] = {}  # answers by question
_process: _Process | None = None


def asked(facts: Facts, *, limit_s: float, say: Say) -> dict[str, Any]:
    """What `models.describe` gives for these facts, as a dict. Raises OwnNetworkError, ValueError as it does.

    A network that takes longer than `limit_s`, or ends the process, is an OwnNetworkError as well.
    """
    model, own, *rest = facts
    key = json.dumps([model, own and own.name, *rest], sort_keys=True)
    with _lock:
        if key not in _known:
            _known[key] = _asked(facts, limit_s, say)
    return _known[key]


def _asked(facts: Facts, limit_s: float, say: Say) -> dict[str, Any]:
    model, own, *_ = facts
    process = _started()
    try:
        answer = process.ask(facts, limit_s=limit_s, say=say)
    except _Ended:
        code = process.exit_code()
        if code == UNUSED:  # it left while it was asked
            return _asked(facts, limit_s, say)
        raise _crashed(model, code, process.place(own)) from None
    except TimeoutError:
        process.ask_where()
        what = f"{model} was not built and tried within {limit_s:g} s{process.place(own)}"
        end()
        fix = f"mend what does not end there, or give it longer: BENCH_PROBE_S={10 * limit_s:g}"
        raise OwnNetworkError(what, fix=fix) from None
    except BaseException:  # Ctrl-C
        end()
        raise
    if "bug" in answer:
        raise RuntimeError(f"the process that tries networks failed:\n{answer['bug']}")
    if "error" in answer:
        raise OwnNetworkError(answer["error"], fix=answer["fix"])
    return answer


def _started() -> _Process:
    global _process
    if _process is not None and (_process.owner != os.getpid() or _process.has_ended()):
        end()
    if _process is None:
        _process = _Process()
    return _process


@atexit.register
def end() -> None:
    """The process, if there is one."""
    global _process
    if _process is not None:
        process, _process = _process, None
        process.end()


def _crashed(model: str, code: int, place: str) -> OwnNetworkError:
    how, fix = f"with exit code {code}", "mend the network: it would end the process of its training alike"
    if code < 0:
        how = f"by {signal.Signals(-code).name}"
    if code == -signal.SIGKILL:
        how += ", as the system does when memory runs out"
        fix = "make the network smaller, or plan where there is more memory"
    return OwnNetworkError(f"{model} ended the process that built and tried it, {how}{place}", fix=fix)
