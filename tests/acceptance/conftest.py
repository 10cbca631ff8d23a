"""Commands without a process of their own, and stores for them to look at."""

import shutil
import sys
from contextlib import closing

import pytest
from refusals import check_words, everything

from cli.main import main
from db import open_store
from scheduler.planning import make_plan
from scheduler.queue import submit
from scheduler.suite import load_suite


@pytest.fixture
def typed(capsys, monkeypatch):
    """Calls bench in this process, which is faster; gives what it said, and fails unless it ended with that code."""

    def call(*words, code=0):
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert (ended.value.code or 0) == code, said
        return said

    return call


@pytest.fixture
def queued(bench_home, tmp_path):
    """A store with two submissions, of which nobody has heard yet: 12 jobs, then one more."""
    suite = load_suite()
    with closing(open_store(f"sqlite:///{bench_home / 'bench.db'}", create=True)) as store:
        submit(store, make_plan(suite, [*suite.variants], [42], data_dir=tmp_path, dataset="digits"))
        submit(store, make_plan(suite, ["resnet"], [7], data_dir=tmp_path, dataset="digits"), priority=3)
    return bench_home


@pytest.fixture(scope="session")
def filled_home(tmp_path_factory):
    """A home whose store holds one queued job; to be copied."""
    home = tmp_path_factory.mktemp("filled") / "home"
    plan = make_plan(load_suite(), ["baseline"], [1], data_dir=home, dataset="digits")
    with closing(open_store(f"sqlite:///{home / 'bench.db'}", create=True)) as store:
        submit(store, plan)
    return home


@pytest.fixture
def place(filled_home, tmp_path, monkeypatch):
    """The folder that a command is called in, with such a home beside it."""
    shutil.copytree(filled_home, tmp_path / "home")
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BENCH_DATA_DIR", str(tmp_path / "data"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def refused(place, capsys, monkeypatch):
    """Calls bench, and checks that it answers with one error, one fix and this exit code, and changes nothing."""

    def call(*words, error, fix, code=2, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setattr(sys, "argv", ["bench", *words])
        before = everything(place.parent)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        check_words(said.err, error, fix)
        assert (ended.value.code, said.out) == (code, "")
        assert everything(place.parent) == before

    return call
