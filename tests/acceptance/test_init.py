"""`bench init`: a suite to begin with, which runs as it is."""

import json
import re
import tomllib

import pytest
from command import bench

from scheduler.starter import write_starter
from scheduler.suite import load_suite


@pytest.fixture
def suite(tmp_path):
    write_starter(tmp_path / "bench-suite.toml")
    return tmp_path / "bench-suite.toml"


def with_all_that_is_commented_out(text):
    """Without the mark before each line that is TOML: a field, a table's head, or a field of a table.

    But for other points of the sweep, which its grid excludes, and a suite that is not there to be extended.
    """
    lines = [re.sub(r"^# (?=\w+ = |\[)", "", line) for line in text.splitlines()]
    return "\n".join(line for line in lines if not line.startswith(("list = ", "random = ", "extends = ")))


def test_the_suite_that_init_writes_trains_offline_as_it_is(bench_home, tmp_path):
    assert bench("init", cwd=tmp_path).stdout == "Suite: bench-suite.toml\n"
    # every config, with the least of the training that proves it, and without figures, which take the longest
    bench("submit", "--all", "--suite", "bench-suite.toml", "--seed", "42", "--epochs", "1", cwd=tmp_path)
    bench("worker", "--drain", "--device", "cpu", cwd=tmp_path)
    jobs = json.loads(bench("status", "--json", cwd=tmp_path).stdout)["jobs"]
    assert [(job["variant"], job["state"]) for job in jobs] == [
        ("small", "done"),
        ("normalised", "done"),
        ("width=32", "done"),
    ]


def test_its_sweep_and_its_claims_are_of_its_own_variants(suite):
    found = load_suite(str(suite))
    assert [*found.variants] == ["small", "normalised", "width=16", "width=32"]
    assert (found.name, found.dataset, len(found.claims)) == ("bench-suite", "digits", 2)
    assert found.variants["width=16"].config == found.variants["small"].config


def test_each_table_of_a_suite_is_explained(suite):
    for place in (
        "claims",
        "[suite]",
        "[defaults]",
        "[variants.",
        "[sweeps.",
        "[[tables]]",
        "[[figures]]",
        "[reference]",
    ):
        assert re.search(rf"^#.*{re.escape(place)}|^# .*\n{re.escape(place)}", suite.read_text(), re.MULTILINE), place


def test_what_it_has_commented_out_is_right_too(suite):
    text = with_all_that_is_commented_out(suite.read_text())
    assert {"tables", "figures", "reference"} <= tomllib.loads(text).keys()
    suite.write_text(text)
    found = load_suite(str(suite))
    assert [table["name"] for table in found.tables] == ["comparison"]
    assert [figure["name"] for figure in found.figures] == ["histories"]
    assert found.variants["normalised"].config.augmentation
    assert "protocol" in found.notices[0]


@pytest.mark.parametrize(
    ("field", "points"), [("list", ["width=fast"]), ("random", [f"width={n}" for n in range(1, 9)])]
)
def test_the_other_points_of_its_sweep_are_right_too(suite, field, points):
    lines = [line for line in suite.read_text().splitlines() if not line.startswith("grid = ")]
    text = "\n".join(line.removeprefix("# ") if line.startswith(f"# {field} = ") else line for line in lines)
    suite.write_text(text[text.index("\n[suite]") :])  # its claims are of points of the grid
    assert [*load_suite(str(suite)).sweeps["width"]["points"]] == points


def test_a_file_that_is_there_is_not_replaced(tmp_path):
    (tmp_path / "bench-suite.toml").write_text("mine")
    done = bench("init", cwd=tmp_path, code=2)
    assert done.stderr == "error: bench-suite.toml exists already\nfix: name another file: `bench init FILE`\n"
    assert (tmp_path / "bench-suite.toml").read_text() == "mine"


@pytest.mark.parametrize(("file", "name"), [("ß my 1st.toml", "my1st"), ("-.toml", "mine"), ("a\nb.toml", "ab")])
def test_any_file_name_makes_a_suite_that_can_be_read(tmp_path, file, name):
    write_starter(tmp_path / file)
    assert load_suite(str(tmp_path / file)).name == name


def test_a_folder_that_is_not_there_is_named(tmp_path):
    assert "cannot write nowhere/mine.toml" in bench("init", "nowhere/mine.toml", cwd=tmp_path, code=2).stderr


def test_what_to_do_next_is_said_in_lines_to_copy(tmp_path):
    (tmp_path / "nets.py").write_text(NET)
    said = bench("init", "mine.toml", "--model", "nets.py:MyNet", cwd=tmp_path).stderr
    assert "`bench plan --all --suite mine.toml`" in said
    assert "`bench run --all --suite mine.toml`" in said


NET = """from torch import nn

class MyNet(nn.Sequential):
    def __init__(self, num_classes):
        super().__init__(nn.Flatten(), nn.Linear(3 * 32 * 32, num_classes))
"""


def test_a_suite_of_ones_own_data_and_networks_needs_no_editing(bench_home, tmp_path):
    (tmp_path / "nets.py").write_text(NET)
    (tmp_path / "suites").mkdir()
    words = ("--dataset", "digits", "--model", "nets.py:MyNet", "--model", "torchvision.models:resnet18")
    assert bench("init", "suites/mine.toml", *words, cwd=tmp_path).stdout == "Suite: suites/mine.toml\n"
    found = load_suite(str(tmp_path / "suites" / "mine.toml"))
    assert [*found.variants] == ["MyNet", "resnet18", "baseline"]
    assert found.variants["MyNet"].config.model == "nets.py:MyNet"
    planned = bench("plan", "--variant", "MyNet", "--suite", "suites/mine.toml", cwd=tmp_path)
    assert "3 jobs: 3 new" in planned.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "nets.py:Nothing"], "has no Nothing"),
        (["--model", "gone.py:MyNet"], "there is no file"),
        (["--model", "nets.py"], "no such network"),
        (["--dataset", "imagenet"], "unknown data set"),
    ],
)
def test_what_is_no_network_or_no_data_is_refused_and_nothing_stays_behind(tmp_path, words, said):
    (tmp_path / "nets.py").write_text(NET)
    done = bench("init", *words, cwd=tmp_path, code=2)
    assert said in done.stderr.splitlines()[0]
    assert not (tmp_path / "bench-suite.toml").exists()


def test_what_is_commented_out_in_a_suite_of_ones_own_is_right_too(tmp_path):
    write_starter(tmp_path / "mine.toml", dataset=f"folder:{tmp_path}/pets", models=["torchvision.models:resnet18"])
    text = with_all_that_is_commented_out((tmp_path / "mine.toml").read_text()).replace(
        "arguments = { NAME = VALUE }", "arguments = { zero_init_residual = true }"
    )
    (tmp_path / "mine.toml").write_text(text)
    found = load_suite(str(tmp_path / "mine.toml"))
    assert [*found.sweeps["rate"]["points"]] == ["rate=0.0003", "rate=0.001", "rate=0.003"]
    assert found.claims == ("resnet18 > baseline",)
    assert found.dataset == f"folder:{tmp_path}/pets"
