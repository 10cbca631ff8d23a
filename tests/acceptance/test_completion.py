"""What a shell completes, asked as a shell asks it."""

import os
import socket
import subprocess
import sys
import time
from contextlib import closing

import pytest
from command import ROOT, bench
from records import new_job, submission
from typer._completion_classes import BashComplete
from typer.main import get_command

from cli import _quick
from cli._app import app, real
from db import open_store
from db.records import JobState
from scheduler.suite import load_suite

HEAVY = ("torch", "celery", "sqlalchemy", "rich", "numpy", "scheduler.suite")
TYPERS = ("typer", "pydantic")


def completed(line, cwd):
    """What bash is offered behind the line."""
    words = line.split(" ")
    asked = {"_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    return bench(cwd=cwd, **asked).stdout.split()


@pytest.fixture
def home(bench_home):
    """Three jobs: 1 waits, 2 has failed, 3 was cancelled."""
    with closing(open_store(f"sqlite:///{bench_home / 'bench.db'}", create=True)) as store:
        store.submit(submission(), [new_job(seed) for seed in (1, 2, 3)])
        store.cancel([3])
        store.cancel([2])
        store.retry([2])
        store.cancel([1])
        store.retry([1])
        store.cancel([2])
    return bench_home


def test_variants_and_sweeps_of_the_suite_are_completed(tmp_path):
    found = load_suite()
    sweeps = {point for sweep in found.sweeps.values() for point in sweep["points"]}
    assert completed("bench run --variant ", tmp_path) == [
        *(label for label in found.variants if label not in sweeps),
        *found.sweeps,
    ]
    assert completed("bench plan --all --variant bo", tmp_path) == ["both", "both_augmented"]


def test_those_of_a_suite_file_that_the_line_names_are_completed(tmp_path):
    (tmp_path / "mine.toml").write_text('[suite]\nname = "mine"\n[variants.wide]\n[variants.deep]\n')
    assert completed("bench submit --suite mine.toml --variant ", tmp_path) == ["wide", "deep"]
    assert completed("bench submit --suite none.toml --variant ", tmp_path) == []


def test_those_of_the_suite_that_it_extends_are_completed_too(tmp_path):
    (tmp_path / "base.toml").write_text('[suite]\nname = "base"\n[variants.wide]\n[variants.deep]\n')
    (tmp_path / "sub").mkdir()
    mine = '[suite]\nname = "mine"\nextends = "../base.toml"\nwithout = ["wide"]\n[variants.odd]\n'
    (tmp_path / "sub" / "mine.toml").write_text(mine)
    assert completed("bench submit --suite sub/mine.toml --variant ", tmp_path) == ["deep", "odd"]


def test_jobs_are_completed_where_the_command_can_do_something_with_them(home, tmp_path):
    assert completed("bench cancel ", tmp_path) == ["1"]
    assert completed("bench retry ", tmp_path) == ["3", "2"]
    assert completed("bench report --submission ", tmp_path) == ["1"]


@pytest.mark.parametrize("command", ["show", "logs", "diff"])
def test_commands_that_only_look_are_given_any_job_the_newest_first(home, tmp_path, command):
    assert completed(f"bench {command} ", tmp_path) == ["3", "2", "1"]


def test_the_variants_of_jobs_are_those_that_were_submitted_or_that_the_submission_has(home, tmp_path):
    sweep = {"depth": {"title": "Depth", "base": "deep", "points": {"depth_2": "2", "depth_4": "4"}}}
    with closing(open_store(f"sqlite:///{home / 'bench.db'}")) as store:
        store.submit(submission(variants={"deep": {}}, layout={"sweeps": sweep}), [new_job(4, label="deep")])
        store.submit(submission(variants={"wide": {}}), [new_job(5, label="wide")])
    assert completed("bench retry --variant ", tmp_path) == ["wide", "deep", "depth"]
    assert completed("bench show --submission 2 --variant de", tmp_path) == ["deep", "depth"]
    assert completed("bench logs --submission 9 --variant ", tmp_path) == []


def test_states_commands_and_commands_of_a_group_are_completed(bench_home, tmp_path):
    assert completed("bench cancel --state ", tmp_path) == [*JobState]
    assert completed("bench co", tmp_path) == ["compare", "config"]
    assert completed("bench config ", tmp_path) == ["show"]
    assert completed("bench db b", tmp_path) == ["backup"]


def test_a_completion_leaves_the_store_as_it_was_without_files_beside_it(home, tmp_path):
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    assert "bench.db-wal" not in before
    assert completed("bench cancel ", tmp_path) == ["1"]
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


def test_without_a_store_that_can_be_read_nothing_is_completed_and_nothing_said(bench_home, tmp_path, monkeypatch):
    assert completed("bench cancel ", tmp_path) == []
    assert not bench_home.exists()
    bench_home.mkdir()
    (bench_home / "bench.db").write_text("no database at all, and long enough to be looked at")
    assert completed("bench cancel ", tmp_path) == []
    (bench_home / "bench.toml").write_text("database_url = ")
    assert completed("bench cancel ", tmp_path) == []
    (bench_home / "bench.toml").unlink()


@pytest.mark.parametrize(
    ("line", "offered", "unwanted"),
    [
        ("bench retry ", ["3", "2"], HEAVY + TYPERS),
        ("bench run --variant adv", ["advanced"], HEAVY + TYPERS),
        ("bench show --variant ", [], HEAVY + TYPERS),
        ("bench db ", ["upgrade", "check", "backup"], HEAVY),  # Typer's
    ],
)
def test_a_completion_loads_nothing_heavy_and_of_names_and_ids_not_even_typer(home, tmp_path, line, offered, unwanted):
    probe = f"""
import atexit, sys
atexit.register(lambda: print("LOADED", *sorted(set({unwanted!r}) & set(sys.modules)), file=sys.stderr))
sys.argv = ["bench"]
import cli.main
cli.main.main()
"""
    asked = {"_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **asked}
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == offered
    assert done.stderr.splitlines()[-1].split() == ["LOADED"]


def by_both(line, monkeypatch):
    """What the quick way and Typer offer behind the line; of the first None where it leaves it to Typer."""
    monkeypatch.setenv("_BENCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    return _quick.asked(), BashComplete(get_command(app), {}, "bench", "_BENCH_COMPLETE").complete()


@pytest.mark.parametrize(
    "line",
    [
        *(f"bench {command} --variant " for command in (*_quick.PLANS, *_quick.SELECTS)),
        *(f"bench {command} --submission " for command in (*_quick.SELECTS, *_quick.LOOKS)),
        *(f"bench {command} {words}" for command in _quick.SELECTS for words in ("", "1 ", "2 3 ", "--state ", "3")),
        "bench plan --all --seeds 3 --suite report --variant ba",
        "bench run --no-graph --slots 2 --variant res",
        "bench run --slots auto --variant res",
        "bench show --submission 1 --variant ",
        "bench show --submission 9 --variant ",
        "bench retry --failed --yes --state fa",
        "bench logs --follow --attempt 1 ",
    ],
)
def test_the_quick_way_offers_what_typer_offers(home, monkeypatch, line):
    quick, typers = by_both(line, monkeypatch)
    assert quick == typers


@pytest.mark.parametrize(
    "line",
    [
        *(
            "bench ",
            "bench sho",
            "bench plan ",
            "bench show --",
            "bench show --state=",
            "bench gc ",
            "bench plan --seeds ",
        ),
        *("bench run --unknown --variant ", "bench show 'a b' --state ", "bench show x ", "bench show --watch "),
        "bench show --submission x --variant ",
    ],
)
def test_the_quick_way_leaves_to_typer_what_it_is_not_sure_of(home, monkeypatch, line):
    assert by_both(line, monkeypatch)[0] is None


def test_the_quick_way_knows_the_options_of_the_commands_as_they_are():
    known = {name: {} for name in (*_quick.PLANS, *_quick.SELECTS, *_quick.LOOKS)}
    for name, options in known.items():
        for one in real(name).params:
            options |= {word: one.is_flag for word in one.opts if getattr(one, "is_flag", None) is not None}
    for table, is_flag in ((_quick.VALUES, False), (_quick.FLAGS, True)):
        for option, commands in table.items():
            assert {name: known[name].get(option) for name in commands} == dict.fromkeys(commands, is_flag)


def test_jobs_and_variants_of_a_postgres_store_are_completed(bench_home, tmp_path, postgres_url, monkeypatch):
    monkeypatch.setenv("BENCH_DATABASE_URL", postgres_url)
    with closing(open_store(postgres_url, create=True)) as store:
        store.submit(submission(variants={"wide": {}}), [new_job(seed, label="wide") for seed in (1, 2)])
        store.cancel([1])
    assert completed("bench show ", tmp_path) == ["2", "1"]
    assert completed("bench retry ", tmp_path) == ["1"]
    assert completed("bench cancel --variant ", tmp_path) == ["wide"]


def test_a_server_that_does_not_answer_completes_nothing_and_is_waited_for_a_second(bench_home, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://somebody@127.0.0.1:{silent.getsockname()[1]}/x"
        monkeypatch.setenv("BENCH_DATABASE_URL", url)
        began = time.monotonic()
        assert completed("bench show ", tmp_path) == []
        assert time.monotonic() - began < 10
