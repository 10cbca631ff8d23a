"""A look at the store through its database's own driver, for a prompt that cannot wait for SQLAlchemy.

It only reads, and only stores that are in order: wherever `db.open_store` would have to do or say something, it gives
nothing, and whoever asks opens the store instead. What it reads is what the store's own methods read (`db._looks`).
"""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from db._looks import CLOCKS, Looks
from db._places import refuse_network_disk
from db._revision import HEAD
from db.errors import no_store

_Seen = TypeVar("_Seen")
_BUSY_S = 1  # the store itself waits for longer
_CONNECT_S = 2
_SQLITE = re.compile(r"sqlite(?:\+pysqlite)?:///([^?]+)")
# at most one @: where a password holds another one, or a slash, no part of it may be taken for a host
_POSTGRES = re.compile(r"postgresql(?:\+psycopg)?://([^/?@]*@)?[^/?@]*(/[^?@]*)?([?].*)?")
# a host that is cut off refuses nothing: without these a write would wait for it for hours, and training with it
PROMPT = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}
_PARAMETER = re.compile(r"(?<![:\w]):(\w+)")


class Glance(Looks):
    """An open connection of a driver, in a transaction that reads."""

    def __init__(self, dialect: str, connection: Any) -> None:
        self.dialect, self._connection = dialect, connection

    def one_moment(self) -> AbstractContextManager[None]:
        return nullcontext()  # the transaction it is in

    def _rows(self, sql: str, **given: Any) -> Sequence[Any]:
        words = sql if self.dialect == "sqlite" else _PARAMETER.sub(r"%(\1)s", sql)
        rows: Sequence[Any] = self._connection.execute(words, given).fetchall()
        return rows

    def _now(self) -> float:
        return float(self._rows(f"SELECT {CLOCKS[self.dialect]}")[0][0])

    def is_current(self) -> bool:
        """Whether the store has this version's schema."""
        return [tuple(row) for row in self._rows("SELECT version_num FROM alembic_version")] == [(HEAD,)]

    def expired(self) -> bool:
        """Whether `Store.reconcile` may have something to take back."""
        over = "SELECT 1 FROM jobs WHERE state = 'running' AND lease_until < :now LIMIT 1"
        return bool(self._rows(over, now=self._now()))


def at_a_glance(url: str, look: Callable[[Glance], _Seen | None]) -> _Seen | None:
    """What `look` makes of the store at one moment; None where it makes nothing of it, or the store is to be opened.

    Raises StoreError for a SQLite file on a network disk, and NoStoreError, for whoever needs no more words about it,
    where there is no such file.
    """
    if found := _SQLITE.fullmatch(url):
        return _in_file(Path(unquote(found[1])), look)
    if _POSTGRES.fullmatch(url):
        return _on_server(f"postgresql://{url.partition('://')[2]}", look)
    return None


def _in_file(path: Path, look: Callable[[Glance], _Seen | None]) -> _Seen | None:
    import sqlite3

    refuse_network_disk(path)
    if not path.exists():
        raise no_store(path)
    # mode=rw: a file that goes away at this moment is not made again
    address = f"file:{quote(str(path.absolute()))}?mode=rw"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_S, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            return _looked(Glance("sqlite", connection), look)
    except sqlite3.Error:
        return None


def _on_server(address: str, look: Callable[[Glance], _Seen | None]) -> _Seen | None:
    import psycopg

    try:
        options: dict[str, Any] = {"connect_timeout": _CONNECT_S, "application_name": "bench", **PROMPT}
        with psycopg.connect(address, **options) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            return _looked(Glance("postgresql", connection), look)
    except psycopg.Error:
        return None


def _looked(glance: Glance, look: Callable[[Glance], _Seen | None]) -> _Seen | None:
    return look(glance) if glance.is_current() else None
