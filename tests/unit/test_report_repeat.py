"""What the page tells somebody who wants the same numbers: commands, code, and the suite's text as it was."""

import itertools
import shlex
from contextlib import closing
from dataclasses import replace

import pytest
from filled_store import fill, filled, layout_with_figures

from db import open_store, tables
from report import repeat as repeating
from report.repeat import BUILT_IN, code_of, repeat, suite_file
from report.scope import read_scope
from scheduler import suite
from scheduler.planning import make_plan
from scheduler.queue import submit

REVISION = "0123456789abcdef0123456789abcdef01234567"
MINE = '[suite]\nname = "mine"\n'


def read(tmp_path, *submissions, seeds=(42, 43)):
    """A store with a submission for each of these changes, the same jobs each time."""
    with filled(tmp_path, seeds=seeds, only=("baseline",), layout=layout_with_figures(0), **submissions[0]) as store:
        for changes in submissions[1:]:
            fill(store, seeds=seeds, only=("baseline",), layout=layout_with_figures(0), **changes)
        return read_scope(store, None)


def made_by(scope, *environments):
    """The scope, its results made with these environments, one after the other."""
    made = dict(zip(scope.results(), itertools.cycle(environments), strict=False))
    variants = {
        label: replace(
            variant, results={job: replace(one, environment=made[job]) for job, one in variant.results.items()}
        )
        for label, variant in scope.variants.items()
    }
    return replace(scope, variants=variants)


def git(dirty, revision=REVISION):
    return {"git": {"revision": revision, "dirty": dirty}, "packages": {"bench": "0.1.0"}}


def test_the_commands_are_those_that_were_typed_the_oldest_first_and_each_once(tmp_path):
    typed = [
        {"command": "bench run --all"},
        {"command": "bench submit --seeds 2 --all"},
        {"command": "bench run --all"},
    ]
    lines = repeat(read(tmp_path, *typed)).lines
    commands = [line for line in lines if not line.startswith("#")]
    assert commands == ["bench run --all", "bench submit --seeds 2 --all", "bench worker --drain", "bench report"]


def test_seeds_data_and_what_was_changed_stand_before_them(tmp_path):
    scope = read(tmp_path, {"dataset": "digits", "overrides": {"dataset": "digits", "epochs": 5}})
    assert "# data digits; epochs 5; seeds 42, 43" in repeat(scope).lines


@pytest.mark.parametrize(("dirty", "said"), [(False, ""), (True, ", with local changes that no revision holds")])
def test_the_revision_is_checked_out_and_local_changes_are_named(tmp_path, dirty, said):
    lines = repeat(made_by(read(tmp_path, {}), git(dirty))).lines
    assert lines[:2] == (f"# code: git revision {REVISION}{said}", f"git checkout {REVISION}")


def test_of_several_revisions_none_is_called_the_one(tmp_path):
    scope = made_by(read(tmp_path, {}), git(False), git(True, "f" * 40))
    assert code_of(scope).dirty == ("f" * 40,)
    assert len([line for line in repeat(scope).lines if line.startswith("# code: git revision ")]) == 2
    assert not any(line.startswith("git checkout") for line in repeat(scope).lines)


def test_an_installed_bench_has_a_version_and_no_revision(tmp_path):
    scope = made_by(read(tmp_path, {}), {"git": None, "packages": {"bench": "0.1.0"}})
    assert repeat(scope).lines[0] == "# bench 0.1.0, not run from a checkout of its code"


def test_a_suite_of_ones_own_is_offered_as_it_was(tmp_path):
    typed = {"command": shlex.join(["bench", "run", "--all", "--suite", "/home/me/my suites/mine.toml"]), "text": MINE}
    found = repeat(read(tmp_path, typed))
    assert [(one.name, one.text) for one in found.files] == [("mine.toml", MINE)]
    at = found.lines.index(typed["command"])
    assert found.lines[at - 1] == "# mine.toml: the text of /home/me/my suites/mine.toml as submission 1 had it"


def test_a_suite_that_was_changed_between_two_submissions_is_offered_twice(tmp_path):
    typed = {"command": "bench run --all --suite=mine.toml"}
    found = repeat(read(tmp_path, {**typed, "text": MINE}, {**typed, "text": MINE + "seeds = [1]\n"}))
    assert [(one.name, len(one.text)) for one in found.files] == [("mine.toml", 22), ("mine-2.toml", 34)]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("bench run --all", None),
        ("bench run --all --suite report", None),
        ("bench demo", None),
        ("bench run --suite a.toml --suite b.toml", "b.toml"),
        ("bench run --suite=x/b.toml", "x/b.toml"),
        ("", None),
    ],
)
def test_the_suite_file_is_read_from_the_command(command, expected):
    assert suite_file(command) == expected


def test_the_built_in_suites_are_the_schedulers():
    assert BUILT_IN == suite.BUILT_IN


def test_no_remark_can_become_a_command(tmp_path):
    typed = {"command": shlex.join(["bench", "run", "--suite", "a\nrm -rf b.toml"]), "text": MINE, "dataset": "x\nls"}
    remarks = [line for line in repeat(read(tmp_path, typed)).lines if line.startswith("#")]
    assert len(remarks) == 3
    assert not any("\n" in line for line in remarks)


NET = """from shapes import WIDTH
from torch import nn

def net(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, WIDTH), nn.Linear(WIDTH, classes))
"""


@pytest.fixture
def of_own_network(tmp_path):
    (tmp_path / "nets.py").write_text(NET)
    (tmp_path / "shapes.py").write_text("WIDTH = 2\n")
    text = MINE + 'dataset = "digits"\n[variants.a]\nmodel = "nets.py:net"\n[variants.b]\n'
    (tmp_path / "mine.toml").write_text(text)
    found = suite.load_suite(str(tmp_path / "mine.toml"))
    store = open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)
    submit(store, make_plan(found, ["a", "b"], [42], data_dir=tmp_path))
    yield read_scope(store, None)
    store.close()


def test_the_code_of_own_networks_is_named_and_there_to_be_put_beside_the_suite(of_own_network):
    found, code = repeat(of_own_network), of_own_network.variant("a").jobs[0].config["code"]
    assert f"# network: nets.py:net, code {code}" in found.lines
    assert {one.name: one.text for one in found.files} == {"nets.py": NET, "shapes.py": "WIDTH = 2\n"}


def test_code_too_long_for_a_page_stays_in_the_store_and_that_is_said(of_own_network, monkeypatch):
    monkeypatch.setattr(repeating, "_MOST_CODE", 50)
    found = repeat(of_own_network)
    assert not found.files
    assert f"# their code, {len(NET) + 10} letters, is in the store alone" in found.lines


@pytest.mark.parametrize("content", ["{", "[1]", '{"nets.py": 1}'])
def test_code_that_somebody_has_spoilt_in_the_store_costs_no_report(content, tmp_path, of_own_network):
    with closing(open_store(f"sqlite:///{tmp_path / 'bench.db'}")) as store:
        with store._writing() as connection:
            connection.execute(tables.sources.update().values(content=content))
        assert repeat(read_scope(store, None)).files == ()
