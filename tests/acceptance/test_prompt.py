"""What a prompt waits for: which modules commands load, and when `bench status` has to load the whole store."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import redis
from filled_store import fill
from typer.main import get_command

from cli._app import COMMANDS, app, real
from cli._look import asked
from db import open_store
from db._database import SETTLE_S
from scheduler.broker import depth
from scheduler.queue import QUEUE
from scheduler.settings import load_settings

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "sklearn", "pandas", "matplotlib", "scipy", "numpy", "celery", "redis", "psutil", "rich")
LIBRARIES = ("sqlalchemy", "alembic", "pydantic", "typer")


def loaded(*words, cwd):
    """What the command writes to stdout, and which of the modules above it has loaded."""
    probe = f"""
import sys
from cli.main import main
try:
    main()
finally:
    print(*(name for name in {HEAVY + LIBRARIES!r} if name in sys.modules), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", probe, *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout, set(done.stderr.splitlines()[-1].split())


@pytest.fixture
def store(bench_home, store_url, monkeypatch):
    """An empty one in SQLite and one in Postgres, and a home that names it."""
    monkeypatch.setenv("BENCH_DATABASE_URL", store_url)
    with closing(open_store(store_url, create=True)) as opened:
        yield opened


@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["status", "--submission", "1"]], ids=" ".join)
def test_status_of_a_store_in_order_loads_none_of_the_libraries(store, tmp_path, words):
    fill(store, seeds=(42,), failed=("resnet",), waiting=("dropout",))
    said, modules = loaded(*words, cwd=tmp_path)
    assert "resnet" in said
    assert modules == set()


@pytest.mark.parametrize("words", [["watch"], ["watch", "--submission", "1"]], ids=" ".join)
def test_a_watch_of_jobs_that_have_ended_loads_none_of_them_and_ends(store, tmp_path, words):
    fill(store, seeds=(42,), failed=("resnet",))
    said, modules = loaded(*words, cwd=tmp_path)
    assert "12 jobs: 0 queued, 0 running, 11 done, 1 failed" in said
    assert modules == set()


def test_status_where_nothing_was_submitted_loads_none_of_them_either(bench_home, tmp_path):
    assert loaded("status", cwd=tmp_path) == (
        "No jobs yet. Next: `bench plan --all`, then `bench submit --all`.\n",
        set(),
    )
    assert not bench_home.exists()


def test_status_loads_the_store_for_a_lease_that_is_over_and_shows_its_job_as_queued(store, tmp_path):
    fill(store, seeds=(42,), only=("baseline",), waiting=("baseline",))
    (job,) = store.jobs()
    assert (job.state, loaded("status", cwd=tmp_path)[1]) == ("running", set())
    with store._writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET lease_until = 1")
        if store.dialect == "postgresql":  # in whose first seconds a command takes nothing back
            settled = f"pg_postmaster_start_time() + interval '{SETTLE_S + 1} s' - clock_timestamp()"
            connection.exec_driver_sql(f"SELECT pg_sleep_for(greatest({settled}, interval '0'))")
    said, modules = loaded("status", "--json", cwd=tmp_path)
    assert [one["state"] for one in json.loads(said)["jobs"]] == ["queued"]
    assert "sqlalchemy" in modules
    assert [job.state for job in store.jobs()] == ["queued"]


def test_status_rings_for_jobs_whose_doorbells_were_lost_and_looks_no_further_while_they_wait(store, tmp_path):
    words = ["submit", "--variant", "baseline", "--dataset", "digits"]
    subprocess.run([sys.executable, "-m", "cli", *words], cwd=ROOT, check=True, capture_output=True, timeout=60)
    here = load_settings()
    assert depth(here) == 1
    assert loaded("status", cwd=tmp_path)[1] == set()
    with redis.Redis(unix_socket_path=str(here.socket)) as client:
        client.delete(QUEUE)
    assert depth(here) == 0
    assert "celery" in loaded("status", cwd=tmp_path)[1]
    assert depth(here) == 1


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], {"submission": None, "as_json": False}),
        (["--json"], {"submission": None, "as_json": True}),
        (["--submission", "3"], {"submission": 3, "as_json": False}),
        (["--submission=3", "--json"], {"submission": 3, "as_json": True}),
        *((words.split(), None) for words in ("--watch", "-w", "--help", "3", "--json=1", "--jso", "--submission")),
        *((["--submission", number], None) for number in ("0", "-1", "2147483648", "9" * 5000, "x", "", "٣", "--json")),
    ],
)
def test_the_plain_words_of_status_are_read_and_all_others_left_to_typer(words, found):
    assert asked(words) == found
    if found is not None:
        read = real("status").make_context("status", words).params
        assert {name: value for name, value in read.items() if value != ()} == {**found, "watch": False}


@pytest.mark.parametrize("words", [["--help"], []], ids=["help", "nothing"])
def test_the_help_of_all_commands_loads_none_of_them(tmp_path, words):
    modules = [path.stem for path in (ROOT / "cli").glob("[a-z]*.py") if path.stem != "main"]
    assert {*COMMANDS} - {*modules} == {"db"}
    probe = f"""
import sys
from cli.main import main
try:
    main()
finally:
    print(*(name for name in {modules!r} if f"cli.{{name}}" in sys.modules), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", probe, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert done.stderr.split() == []


def test_the_list_of_commands_has_the_first_sentence_of_each_ones_own_help():
    assert {name: real(name).get_short_help_str(200) for name in COMMANDS} == COMMANDS
    assert [*get_command(app).commands] == [*COMMANDS]
