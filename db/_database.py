"""One database, SQLite or Postgres: connections, transactions, the clock, and foreign errors turned into ours."""

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

from sqlalchemy import (
    URL,
    Boolean,
    ColumnElement,
    Connection,
    Double,
    Engine,
    Table,
    create_engine,
    event,
    exc,
    make_url,
    text,
    true,
)
from sqlalchemy import literal_column as sql
from sqlalchemy.dialects import sqlite

from db._looks import CLOCKS
from db.errors import ConfigError, SchemaError, StoreError
from db.glance import PROMPT

BUSY_S = 30  # how long a SQLite writer waits for another one
SETTLE_S = 15  # after Postgres has started: nobody could renew a lease while it was down, so first the living do
SUBMIT_LOCK = 0x7375626D6974  # "submit": two that add the same jobs in other orders would deadlock on Postgres


class Database:
    """Opens no connection before it is needed; safe between threads, not between a process and its fork."""

    def __init__(self, url: str, *, clock: ColumnElement[float] | None = None) -> None:
        self.url = parse_url(url)
        self.dialect = self.url.get_backend_name()
        self.clock: ColumnElement[Any] = clock if clock is not None else sql(CLOCKS[self.dialect], Double)
        self._insert = _insert_of(self.dialect)
        self._look = threading.local()
        self._away_at = float("-inf")
        self._engine = _sqlite_engine(self.url) if self.dialect == "sqlite" else _postgres_engine(self.url)

    @property
    def name(self) -> str:
        """The URL as it may be shown: without password, and without options, which may hold one too."""
        folder = self.url.query.get("host")  # of a Unix socket
        return self.url.set(query={"host": folder} if folder else {}).render_as_string(hide_password=True)

    def close(self) -> None:
        self._engine.dispose()

    def answering_s(self) -> float:
        """For how long it has answered this process, as far as that asked; infinite when it was never away."""
        return time.monotonic() - self._away_at

    @contextmanager
    def _writing(self, *, durable: bool = False) -> Iterator[Connection]:
        """A transaction that commits at the end of the block; `durable` survives a power cut on SQLite too."""
        with self._transaction("write", durable=durable) as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A consistent look at the store: one moment of it, whatever others write meanwhile."""
        shared: Connection | None = getattr(self._look, "connection", None)
        if shared is not None:
            yield shared
            return
        with self._transaction("read") as connection:
            yield connection

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """All that this thread reads inside the block is the store as it was at one moment."""
        with self._reading() as connection:
            before, self._look.connection = getattr(self._look, "connection", None), connection
            try:
                yield
            finally:
                self._look.connection = before

    @contextmanager
    def _transaction(self, mode: str, *, durable: bool = False) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                options: dict[str, Any] = {"bench_mode": mode, "bench_durable": durable}
                if mode == "read" and self.dialect == "postgresql":
                    options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
                with connection.execution_options(**options).begin():
                    yield connection
        except exc.DBAPIError as error:
            said = _first_line(error)
            if is_other_schema(error):
                message = f"the store {self.name} has another schema than the one it was opened with: {said}"
                raise SchemaError(message, fix=_SCHEMA_FIX) from error
            if not is_outage(error):
                raise
            self._away_at = time.monotonic()
            raise StoreError(f"the store {self.name} does not answer: {said}", fix=self._fix(said)) from error

    @property
    def _settled(self) -> ColumnElement[bool]:
        """False in the first seconds of a Postgres server, by its own clock; SQLite has none that could be down."""
        if self.dialect == "sqlite":
            return true()
        up: ColumnElement[bool] = sql(
            f"clock_timestamp() > pg_postmaster_start_time() + interval '{SETTLE_S} s'", Boolean
        )
        return up

    def _one_at_a_time(self, connection: Connection, lock: int) -> None:
        """Wait for others that hold the lock, until this transaction ends; SQLite has one writer anyway."""
        if self.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})

    @property
    def damage_fix(self) -> str:
        """What mends a SQLite store whose file is damaged; its -wal and -shm belong to it and would spoil a copy."""
        store = Path(self.url.database or "")
        return (
            f"stop the workers, move {store.name}, {store.name}-wal and {store.name}-shm out of {store.parent}, and "
            f"put the newest copy there as {store.name}: {store.name}.*.backup, or where `bench db backup` made it"
        )

    def _fix(self, said: str) -> str:
        if "not a database" in said:
            return "move that file away, or name another one in BENCH_DATABASE_URL"
        if self.dialect == "sqlite":
            folder = Path(self.url.database or "").parent
            if "malformed" in said:
                return self.damage_fix
            if "disk I/O error" in said:  # a disk that fails, or a -wal that is cut short
                return f"check the disk; if it is in order, {self.damage_fix}"
            if "unable to open" in said:
                return f"check that {folder} is a folder that you may write to: even a reader makes -wal and -shm there"
            return f"check that {folder} is writable and has room, then run the command again"
        return "start Postgres or correct BENCH_DATABASE_URL, then run the command again"


def _insert_of(dialect: str) -> Callable[[Table], sqlite.Insert]:
    """The same methods under two types; one name for both keeps the callers readable."""
    if dialect == "sqlite":
        return sqlite.insert
    from sqlalchemy.dialects import postgresql

    return cast("Callable[[Table], sqlite.Insert]", postgresql.insert)


_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def parse_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError) as error:  # the latter for a port that is no number
        raise ConfigError("BENCH_DATABASE_URL is not a database URL", fix=URL_FIX) from error
    if "@" in (parsed.host or ""):  # the rest of a password, which would be shown as part of the host
        fix = "write special characters of user and password as %XX: `@` is %40, `/` is %2F"
        raise ConfigError("BENCH_DATABASE_URL has more than one @ before its host", fix=fix)
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise ConfigError(f"BENCH_DATABASE_URL names {parsed.drivername!r}, which bench has no store on", fix=URL_FIX)
    if driver == "sqlite":
        name = unquote(url.partition("///")[2].partition("?")[0])
        parsed = parsed.set(database=name)  # SQLAlchemy 2.0 leaves %XX in a path as it is, 2.1 does not
        if name in ("", ":memory:") or name.startswith("file:"):
            raise ConfigError("BENCH_DATABASE_URL names no file; a store in memory would be lost", fix=URL_FIX)
    return parsed.set(drivername=driver)


URL_FIX = "use sqlite:////absolute/path/bench.db or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"


_SCHEMA_FIX = "start this worker or command again; it will say which version of bench or which upgrade is needed"


def is_other_schema(error: exc.DBAPIError) -> bool:
    """Whether a column or table is missing that was there when the store was opened: somebody has upgraded it."""
    if getattr(error.orig, "sqlstate", None) in ("42703", "42P01"):  # of Postgres: undefined column, undefined table
        return True
    return _first_line(error).startswith(("no such column", "no such table"))


def is_outage(error: exc.DBAPIError) -> bool:
    """Whether the database is away, locked, full or none at all, rather than bench's SQL being wrong."""
    if isinstance(error, exc.OperationalError | exc.InterfaceError) or error.connection_invalidated:
        return True
    if getattr(error.orig, "sqlstate", None) == "25006":
        return True  # Postgres takes reads only, as a replica does until it is made the primary
    if isinstance(error, exc.ProgrammingError) and error.statement is None:
        return True  # the driver refused an option of the URL
    return type(error) is exc.DatabaseError  # "file is not a database", "disk image is malformed"


def _first_line(error: exc.DBAPIError) -> str:
    return (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        _refuse_foreign_file(connection, url)  # before WAL mode is written into it
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("bench_mode") == "read":
            connection.exec_driver_sql("BEGIN")
            return
        _set_synchronous(connection, "FULL" if options.get("bench_durable") else "NORMAL")
        # a plain BEGIN that reads first and writes later fails at once when another writer was quicker
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _set_synchronous(connection: Connection, level: str) -> None:
    """Only when it changes, and past SQLAlchemy: through it the word costs as much as a statement of a claim."""
    if connection.info.get("synchronous") != level:
        cast("Any", connection.connection.driver_connection).execute(f"PRAGMA synchronous={level}").close()
        connection.info["synchronous"] = level


def _refuse_foreign_file(connection: Any, url: URL) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    try:
        refuse_foreign(tables, url.database or "")
    except StoreError:
        connection.close()
        raise


def refuse_foreign(tables: set[str], name: str) -> None:
    """Raises StoreError for a database that holds tables, and not those of a store."""
    if tables and not {"alembic_version", "jobs"} <= tables:
        raise StoreError(f"{name} is another program's database", fix="name another one in BENCH_DATABASE_URL")


def _postgres_engine(url: URL) -> Engine:
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=2,  # the loop and its heartbeat
        connect_args={"connect_timeout": 5, "application_name": "bench", **PROMPT},
    )


def make_private_file(url: URL) -> None:
    """An empty SQLite file and its folder, for their owner only; one that is there is not touched.

    Opening and closing it once more would drop the locks that SQLite holds on it in this process.
    """
    path = Path(url.database or "")
    if path.exists():
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR))
    except FileExistsError:
        return  # somebody else was quicker
    except OSError as error:
        fix = "set BENCH_HOME to a folder of yours"
        raise StoreError(f"cannot write {path}: {error.strerror}", fix=fix) from error
