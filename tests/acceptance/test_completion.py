"""What a shell completes, asked as a shell asks it."""

import os
import subprocess
import sys
from contextlib import closing

import pytest
from command import ROOT, bench
from records import new_job, submission

from db import open_store
from db.records import JobState
from scheduler.suite import load_suite

HEAVY = ("torch", "celery", "sqlalchemy", "rich", "numpy", "scheduler.suite")


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


def test_a_completion_loads_nothing_heavy(home, tmp_path):
    probe = f"""
import atexit, sys
atexit.register(lambda: print("LOADED", *sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr))
sys.argv = ["bench"]
import cli.main
cli.main.main()
"""
    asked = {"_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": "bench retry ", "COMP_CWORD": "2"}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **asked}
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["3", "2"]
    assert done.stderr.splitlines()[-1].split() == ["LOADED"]
