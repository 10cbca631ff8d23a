"""Stores that released versions wrote, as SQL in tests/data: each is refused, brought up to date, and whole."""

import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from records import EPOCH, predictions, result

from cli._app import app
from db import open_store, upgrade_store
from db._schema import HEAD
from db.errors import StoreError
from db.records import Cause, JobState, Upgraded, Weights

DATA = Path(__file__).parent.parent / "data"
RELEASED = sorted({path.name.split(".")[0].removeprefix("schema_") for path in DATA.glob("schema_*.sql")})


@pytest.fixture(params=RELEASED)
def old_url(request, store_url):
    """A database of each kind, with what a released version's store held."""
    kind = "sqlite" if store_url.startswith("sqlite") else "postgres"
    script = (DATA / f"schema_{request.param}.{kind}.sql").read_text()
    if kind == "sqlite":
        with sqlite3.connect(store_url.removeprefix("sqlite:///")) as connection:
            connection.executescript(script)
        connection.close()
    else:
        with psycopg.connect(store_url.replace("+psycopg", "")) as connection:
            connection.execute(script.encode())
    return store_url


def test_every_released_schema_but_todays_is_among_them():
    assert [f"{number:04d}" for number in range(1, int(HEAD))] == RELEASED


def test_an_older_store_is_refused_with_the_command_that_mends_it(old_url):
    with pytest.raises(StoreError, match=f"has schema .*, this bench needs {HEAD}") as caught:
        open_store(old_url, create=True)
    assert caught.value.fix == "run `bench db upgrade`"


def test_an_upgrade_keeps_every_job_attempt_and_result(old_url):
    done = upgrade_store(old_url)
    assert (done.before in RELEASED, done.after) == (True, HEAD)
    store = open_store(old_url)
    jobs = {job.label: job for job in store.jobs()}
    assert {label: str(job.state) for label, job in jobs.items()} == {
        "done": "done",
        "failed": "failed",
        "resumed": "done",
        "running": "running",
        "waiting": "queued",
        "cancelled": "cancelled",
    }
    ids = {label: job.id for label, job in jobs.items()}
    assert store.results(ids.values()) == {ids["done"]: result(0.5), ids["resumed"]: result(0.25)}
    assert store.histories([ids["resumed"]]) == {ids["resumed"]: [EPOCH]}
    seen = store.predictions(ids["done"], Weights.BEST)
    assert (seen.probabilities == predictions()[Weights.BEST].probabilities).all()
    assert [a.outcome for a in store.attempts(ids.values())[ids["resumed"]]] == ["preempted", "done"]
    assert "it's 100 % broken" in store.attempts(ids.values())[ids["failed"]][0].traceback
    assert store.dataset("digits").classes == ("a", "b")
    assert len(store.submissions()) == 1
    store.close()


def test_an_upgraded_store_goes_on_where_it_was(old_url):
    upgrade_store(old_url)
    store = open_store(old_url)
    claim = store.claim_next("w/1", lease_s=60)
    assert claim.label == "waiting"
    assert store.fail(claim, Cause.PREEMPTED, "stop") is JobState.QUEUED
    store.finish(store.claim_next("w/1", lease_s=60), result(), predictions())
    failed = next(job.id for job in store.jobs() if job.state is JobState.FAILED)
    assert store.retry([failed]) == [failed]
    store.close()


def test_an_upgrade_of_todays_store_does_nothing(store_url):
    assert upgrade_store(store_url) == Upgraded(before=None, after=HEAD, copy=None)
    assert upgrade_store(store_url) == Upgraded(before=HEAD, after=HEAD, copy=None)


def test_an_upgrade_keeps_a_copy_of_a_sqlite_store_as_it_was(old_url, capsys, monkeypatch):
    monkeypatch.setenv("BENCH_DATABASE_URL", old_url)
    app(["db", "upgrade"], standalone_mode=False)
    said = capsys.readouterr().err
    if not old_url.startswith("sqlite"):
        assert said == ""
        return
    copy = Path(said.removeprefix("The store as it was before: ").strip())
    with pytest.raises(StoreError, match=f"this bench needs {HEAD}"):
        open_store(f"sqlite:///{copy}")
    upgrade_store(f"sqlite:///{copy}")
    with closing(open_store(f"sqlite:///{copy}")) as store, closing(open_store(old_url)) as upgraded:
        assert store.jobs() == upgraded.jobs() != []


COMMANDS = ["submit --all --dataset digits", "status", "status --json", "worker --drain", "report", "retry 1"]
COMMANDS += ["cancel 1", "run --all --dataset digits", "db check", "db backup"]


@pytest.mark.parametrize(("schema", "mend"), [("0000", "bench db upgrade"), ("9999", "update bench")])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_another_schema_and_says_what_mends_it(command, schema, mend, bench_home):
    url = f"sqlite:///{bench_home / 'bench.db'}"
    upgrade_store(url)
    _pretend(url, schema)
    with pytest.raises(StoreError, match=f"has schema {schema}") as caught:
        app(shlex.split(command), standalone_mode=False)
    assert mend in caught.value.fix
    assert caught.value.exit_code == 3


def test_a_newer_store_is_refused_and_left_as_it_is(store_url):
    upgrade_store(store_url)
    _pretend(store_url, "9999")
    for open_it in (lambda: open_store(store_url, create=True), lambda: upgrade_store(store_url)):
        with pytest.raises(StoreError, match="newer than this bench's") as caught:
            open_it()
        assert "update bench" in caught.value.fix


def _pretend(url, schema):
    with closing(open_store(url)) as store, store._writing() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{schema}'")  # noqa: S608
