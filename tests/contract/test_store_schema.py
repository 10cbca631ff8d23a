"""What a store stands on: its schema, its clock, and a database that is another one or only reads."""

from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, inspect, text
from stored import add, claim

from db import open_store, upgrade_store
from db.errors import SchemaError, StoreError

pytestmark = pytest.mark.usefixtures("clock")


def test_the_store_tells_the_moment_by_the_clock_that_leases_go_by(store, clock):
    assert store.now().timestamp() == clock.now


def test_a_stores_own_clock_is_in_utc(store_url):
    with closing(open_store(store_url, create=True)) as own:
        assert abs((own.now() - datetime.now(UTC)).total_seconds()) < 5


def test_a_schema_that_was_upgraded_meanwhile_is_noticed(store):
    store.check_schema()
    with store._writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match="newer"):
        store.check_schema()


def test_a_postgres_that_only_reads_is_away(postgres_url, clock):
    opened = open_store(postgres_url, create=True, clock=clock.sql)
    add(opened, 1)
    held = claim(opened)
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        opened.close()  # connections that are open keep what they began with
        try:
            with pytest.raises(StoreError, match="does not answer"):
                opened.heartbeat(held, lease_s=60)
        finally:
            connection.exec_driver_sql("SET default_transaction_read_only = off")
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    engine.dispose()
    opened.close()
    assert opened.heartbeat(held, lease_s=60).owned
    opened.close()


def test_another_schema_is_refused_with_the_command_that_mends_it(store_url):
    upgrade_store(store_url)
    store = open_store(store_url)
    with store._writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    store.close()
    with pytest.raises(StoreError) as caught:
        open_store(store_url, create=True)
    assert caught.value.fix == "run `bench db upgrade`"


def test_the_migrations_make_the_tables_that_the_code_uses(store_url):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from db.tables import metadata

    store = open_store(store_url, create=True)
    with store._reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    store.close()


@pytest.mark.parametrize("table", ["recipes", "alembic_version"])
def test_a_database_of_another_program_is_refused_and_left_alone(store_url, table):
    own = create_engine(store_url)
    with own.begin() as connection:
        connection.execute(text(f"CREATE TABLE {table} (version_num VARCHAR)"))
    for opening in (lambda: open_store(store_url, create=True), lambda: upgrade_store(store_url)):
        with pytest.raises(StoreError, match="is another program's database"):
            opening()
    assert inspect(own).get_table_names() == [table]
    own.dispose()


def test_a_schema_that_changes_under_an_open_store_is_named(store, store_url):
    add(store, 1)
    other = create_engine(store_url)
    with other.begin() as connection:
        connection.execute(text("ALTER TABLE jobs RENAME COLUMN timeout_s TO limit_s"))
    other.dispose()
    with pytest.raises(StoreError, match="has another schema than the one it was opened with") as caught:
        claim(store)
    assert "start this worker or command again" in caught.value.fix
