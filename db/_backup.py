"""Copies of a store, and what can be said of its state."""

import os
import re
import shlex
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psutil
from sqlalchemy import text

from db import _schema
from db._database import Database
from db.errors import ConfigError, StoreError
from db.records import Health, Upgraded


def backup(database: Database, path: Path | None = None) -> Path:
    """A whole copy of a SQLite store as it is at one moment, whoever writes meanwhile; gives where it is.

    The copy appears at its name only when it is complete, and is for its owner only. Raises ConfigError when there is
    something at that name already, or no such folder; StoreError when the copy cannot be made.
    """
    source = Path(database.url.database or "").absolute()
    made = path or source.with_name(f"{source.name}.{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.backup")
    if os.path.lexists(made):  # a link to nowhere is something, too
        raise _taken(made)
    try:
        if not made.parent.is_dir():
            raise ConfigError(f"there is no folder {made.parent}", fix="create it, or name a file elsewhere")
        _remove_abandoned(source.parent, rf"{re.escape(source.name)}\.\w+\.backup")
        _remove_abandoned(made.parent, re.escape(made.name))
        with _partial(made) as partial:
            _copy(database, partial)
            _give_name(partial, made)
    except FileExistsError as error:
        raise _taken(made) from error
    except (OSError, sqlite3.Error) as error:
        fix = f"check that {made.parent} is a folder of yours and has room, then run the command again"
        raise StoreError(f"no copy of the store was made at {made}: {error}", fix=fix) from error
    return made


def _taken(made: Path) -> ConfigError:
    return ConfigError(f"{made} exists already", fix="name another file, or leave the name out")


@contextmanager
def _partial(made: Path) -> Iterator[Path]:
    """An empty file beside it, for its owner only; if it is still there at the end it is removed."""
    partial = made.with_name(f"{made.name}.{os.getpid()}.partial")
    os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR))
    try:
        yield partial
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _remove_abandoned(folder: Path, name: str) -> None:
    """What a copy of such a name has left there that was killed: its process lives no more."""
    for path in folder.iterdir():
        found = re.fullmatch(name + r"\.(\d+)\.partial(-journal)?", path.name)
        if found and not psutil.pid_exists(int(found[1])):
            with suppress(OSError):
                path.unlink()


def _give_name(partial: Path, made: Path) -> None:
    """Raises FileExistsError where a rename would replace the copy of somebody who was quicker."""
    try:
        made.hardlink_to(partial)
    except FileExistsError:
        raise
    except OSError:  # a disk without links, a USB stick say: for a moment its name stands for an empty file
        os.close(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR))
        partial.replace(made)


def _copy(database: Database, target: Path) -> None:
    with database._reading() as connection, closing(sqlite3.connect(target)) as copy:
        cast("Any", connection.connection.driver_connection).backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE").close()  # one file, without a -wal beside it
        (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"the copy is damaged: {verdict}")


def dump_command(database: Database, path: Path | None = None) -> str:
    """The line that copies a Postgres store. It names no password: pg_dump asks, or takes PGPASSWORD or ~/.pgpass."""
    url = database.url.set(drivername="postgresql").difference_update_query(["password", "sslpassword"])
    without = url._replace(password=None).render_as_string()
    made = path or Path(f"{database.url.database}.dump")
    return shlex.join(["pg_dump", "--format=custom", "--no-owner", f"--file={made}", without])


def upgrade_safely(database: Database) -> Upgraded:
    """To the newest schema; an older SQLite store is copied beside itself first."""
    copy = None
    if database.dialect == "sqlite" and _schema.is_older(database):
        copy = backup(database)
    before, after = _schema.upgrade(database)
    return Upgraded(before=before, after=after, copy=copy)


def health(database: Database) -> Health:
    """Schema and size, after SQLite's own check of the whole file. Raises StoreError for one that is damaged."""
    with database._reading() as connection:
        revision = _schema.current_revision(connection) or ""
        if database.dialect == "postgresql":
            size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
            return Health(schema=revision, bytes=size)
        found = connection.execute(text("PRAGMA integrity_check(10)")).scalars().all()
        orphans = connection.execute(text("PRAGMA foreign_key_check")).all()
    wrong = [line for line in found if line != "ok"] + [f"orphan row in {row[0]}" for row in orphans[:10]]
    if wrong:
        raise StoreError(f"the store {database.name} is damaged: {'; '.join(wrong)}", fix=database.damage_fix)
    return Health(schema=revision, bytes=_size_of(Path(database.url.database or "")))


def _size_of(path: Path) -> int:
    files = [path.with_name(path.name + end) for end in ("", "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())
