"""The record: what was asked for, what was tried, what came out. The only room that speaks SQL."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from db.records import Health, Upgraded
    from db.store import Store

__all__ = [
    "backup_store",
    "check_store",
    "open_store",
    "shared_disk",
    "upgrade_store",
]


def open_store(url: str, *, create: bool = False, clock: "ColumnElement[float] | None" = None) -> "Store":
    """See `db.store.open_store`; SQLAlchemy is loaded only now, so that `bench --help` need not wait for it."""
    from db import store

    return store.open_store(url, create=create, clock=clock)


def upgrade_store(url: str) -> "Upgraded":
    """See `db.store.upgrade_store`."""
    from db import store

    return store.upgrade_store(url)


def backup_store(url: str, path: Path | None = None) -> Path | str:
    """See `db.store.backup_store`."""
    from db import store

    return store.backup_store(url, path)


def check_store(url: str) -> "tuple[str, Health]":
    """See `db.store.check_store`."""
    from db import store

    return store.check_store(url)


def shared_disk(path: Path) -> str:
    """See `db._places.shared_disk`."""
    from db import _places

    return _places.shared_disk(path)
