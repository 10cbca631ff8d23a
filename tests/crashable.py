"""A Postgres that can be killed and started again, with durability on, on a private socket or on an address."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from servers import _accepts, _folder, _pginstall, _running, _tail, _unprivileged, _until


class CrashablePostgres:
    """`crash` ends every process of the server at once; `start` recovers from its write-ahead log."""

    def __init__(self, folder, address, account):
        self._folder, self._address, self._account = folder, address, account
        self._bin = _pginstall(folder if account else None) / "bin"
        self._running = None
        self._server = None

    @property
    def url(self) -> str:
        host = self._address or self._folder
        return f"postgresql+psycopg://bench@/postgres?host={host}"

    def initialise(self):
        words = [str(self._bin / "initdb"), "-D", str(self._folder / "data"), "-U", "bench", "-A", "trust"]
        words += ["-E", "UTF8", "--locale=C"]
        subprocess.run(words, check=True, capture_output=True, cwd=self._folder, timeout=120, **self._account)
        if self._address:
            with (self._folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write("host all all 0.0.0.0/0 trust\n")

    def start(self):
        words = [str(self._bin / "postgres"), "-D", str(self._folder / "data"), "-k", str(self._folder)]
        words += ["-h", self._address or "", "-c", "timezone=UTC"]
        self._running = _running(words, self._folder / "log", stop=signal.SIGINT, **self._account)
        self._server = self._running.__enter__()
        if not _until(self._server, lambda: _accepts(self._folder)):
            raise RuntimeError(f"Postgres did not start: {_tail(self._folder / 'log')}")

    def crash(self):
        os.kill(self._server.pid, signal.SIGQUIT)  # its immediate shutdown: no checkpoint, connections cut
        self._server.wait(timeout=30)

    def stop(self):
        if self._server and self._server.poll() is None:
            self._running.__exit__(None, None, None)


@contextmanager
def crashable_postgres(address: str = "") -> Iterator[CrashablePostgres]:
    with _folder("bench-pg-") as folder:
        postgres = CrashablePostgres(folder, address, _unprivileged(folder))
        postgres.initialise()
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.stop()
