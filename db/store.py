"""The store: one method per fact, one transaction each. Opened by `open_store`."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, select, update

from db import _schema
from db._claims import Claims
from db._database import Database
from db._measures import Measures
from db._pictures import pack_grid, unpack_grid, with_column
from db._reading import Reading
from db._submissions import Submissions
from db.records import Dataset, Health, Upgraded
from db.tables import datasets, workers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _same(name: str, fingerprint: str, split: str) -> tuple[ColumnElement[bool], ...]:
    return datasets.c.name == name, datasets.c.fingerprint == fingerprint, datasets.c.split == split


def _examples(name: str, fingerprint: str, split: str) -> Select[tuple[Any]]:
    return select(datasets.c.augmentation).where(*_same(name, fingerprint, split))


class Store(Submissions, Claims, Reading, Measures):
    def record_dataset(self, dataset: Dataset, *, split: str) -> None:
        """Keep what a report shows of the data; `split` names the split that the counts are of."""
        row = {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "split": split,
            "recorded_at": self.clock,
            "classes": list(dataset.classes),
            "counts": {
                "train": dataset.train_counts,
                "val": dataset.val_counts,
                "test": dataset.test_counts,
                "made": dataset.made,
            },
            "samples": pack_grid(dataset.samples),
            "augmentation": pack_grid(dataset.augmentation),
            "notices": list(dataset.notices),
        }
        with self._writing() as connection:
            connection.execute(self._insert(datasets).values(row).on_conflict_do_nothing())

    def shown_augmentations(self, name: str, fingerprint: str, *, split: str) -> tuple[str, ...] | None:
        """The columns of the examples that are recorded of the data; None where nothing of them is."""
        with self._reading() as connection:
            packed = connection.execute(_examples(name, fingerprint, split)).scalar_one_or_none()
        return None if packed is None else unpack_grid(packed).columns

    def add_examples(
        self, name: str, fingerprint: str, *, split: str, column: str, pixels: "NDArray[np.uint8]", most: int
    ) -> None:
        """A column of examples, (rows, height, width, 3), unless it is there, `most` are, or it is of other sizes."""
        query = _examples(name, fingerprint, split)
        with self._writing() as connection:
            packed = connection.execute(query.with_for_update()).scalar_one_or_none()
            grid = None if packed is None else unpack_grid(packed)
            if grid is None or column in grid.columns or len(grid.columns) >= most:
                return
            if pixels.shape == (len(grid.rows), *grid.pixels.shape[2:]):
                more = with_column(grid, column, pixels)
                connection.execute(
                    update(datasets).where(*_same(name, fingerprint, split)).values(augmentation=pack_grid(more))
                )

    def register_worker(self, worker_id: str, *, host: str, pid: int, slots: int, device: str) -> None:
        row = {"id": worker_id, "host": host, "pid": pid, "slots": slots, "device": device}
        row |= {"started_at": self.clock, "seen_at": self.clock}
        with self._writing() as connection:
            connection.execute(workers.insert().values(row))

    def check_schema(self) -> None:
        """Raises SchemaError when another version of bench has changed the schema since the store was opened."""
        _schema.check(self, create=False)

    def worker_seen(self, worker_id: str, *, stopped: bool = False) -> None:
        values = {"seen_at": self.clock} | ({"stopped_at": self.clock} if stopped else {})
        with self._writing() as connection:
            connection.execute(update(workers).where(workers.c.id == worker_id).values(values))


def open_store(url: str, *, create: bool = False, clock: ColumnElement[float] | None = None) -> Store:
    """The store at a SQLAlchemy URL; an empty database becomes a store when `create`.

    Raises ConfigError for a URL that bench cannot use, StoreError when the database does not answer or has
    another schema. `clock` replaces the database's clock in tests.
    """
    store = Store(url, clock=clock)
    try:
        _schema.check(store, create=create)
    except BaseException:
        store.close()
        raise
    return store


def upgrade_store(url: str) -> Upgraded:
    """Bring the database to this version's schema; an older SQLite store is copied first."""
    from db import _backup

    with closing(Database(url)) as database:
        return _backup.upgrade_safely(database)


def backup_store(url: str, path: Path | None = None) -> Path | str:
    """Copy a SQLite store, to a name beside it unless told where; for Postgres: the line that does it."""
    from db import _backup

    with closing(open_store(url)) as store:
        return _backup.backup(store, path) if store.dialect == "sqlite" else _backup.dump_command(store, path)


def check_store(url: str) -> tuple[str, Health]:
    """The store's name without password, and its state. Raises StoreError when it is damaged or of another schema."""
    from db import _backup

    with closing(open_store(url)) as store:
        return store.name, _backup.health(store)
