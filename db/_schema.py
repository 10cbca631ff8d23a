"""Which schema the code speaks, which one a database has, and the way from one to the other (Alembic)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from db._database import Database, make_private_file, refuse_foreign
from db._places import refuse_network_disk
from db._revision import HEAD
from db.errors import SchemaError, no_store

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 0x62656E6368  # "bench": one upgrade at a time on Postgres


def current_revision(connection: Connection) -> str | None:
    """None for a database that holds nothing of bench's yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def check(database: Database, *, create: bool) -> None:
    """Raises SchemaError unless the store has this version's schema; makes an empty one first when `create`."""
    _refuse_network_disk(database)
    if database.dialect == "sqlite" and not Path(database.url.database or "").exists():
        if not create:
            raise no_store(database.name)
        make_private_file(database.url)
    with database._reading() as connection:
        _refuse_foreign(database, connection)
        revision = current_revision(connection)
    if revision is None and create:
        upgrade(database)
    elif revision is None:
        raise no_store(database.name)
    elif revision < HEAD:
        raise SchemaError(
            f"the store {database.name} has schema {revision}, this bench needs {HEAD}", fix="run `bench db upgrade`"
        )
    else:
        _refuse_newer(database, revision)


def is_older(database: Database) -> bool:
    """Whether there is a store, of a schema before this version's."""
    if not Path(database.url.database or "").exists():
        return False
    with database._reading() as connection:
        revision = current_revision(connection)
    return revision is not None and revision < HEAD


def _refuse_network_disk(database: Database) -> None:
    if database.dialect == "sqlite":
        refuse_network_disk(Path(database.url.database or ""))


def _refuse_foreign(database: Database, connection: Connection) -> None:
    if database.dialect == "postgresql":  # a file is looked at whenever it is opened
        refuse_foreign(set(inspect(connection).get_table_names()), database.name)


def _refuse_newer(database: Database, revision: str) -> None:
    if revision > HEAD:
        raise SchemaError(
            f"the store {database.name} has schema {revision}, newer than this bench's {HEAD}",
            fix="update bench on this machine to the version that wrote the store",
        )


def upgrade(database: Database) -> tuple[str | None, str]:
    """To the newest schema, in one transaction; gives the revision before and after. Two at once are safe."""
    from alembic import command

    _refuse_network_disk(database)
    if database.dialect == "sqlite":
        make_private_file(database.url)
    with _locked(database) as connection:
        _refuse_foreign(database, connection)
        before = current_revision(connection)
        if before is not None:
            _refuse_newer(database, before)
        if before != HEAD:
            command.upgrade(_alembic(connection), "head")
    return before, HEAD


@contextmanager
def _locked(database: Database) -> Iterator[Connection]:
    with database._writing(durable=True) as connection:
        database._one_at_a_time(connection, _LOCK)
        yield connection


def _alembic(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
