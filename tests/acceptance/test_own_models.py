"""Networks of a user's own, as a user names them: the page's example, folders called like bench's own, bad networks."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from command import ROOT, bench

from cli.main import main
from db import open_store

PAGE = Path(__file__).parents[2] / "docs" / "own_models.md"
SAFE = {"PYTHONSAFEPATH": "1"}  # as the console script has it: not the current folder's modules
NETS = """
from db.shapes import WIDTH
from models import blocks
from torch import nn

class MyNet(nn.Module):
    def __init__(self, num_classes, width=WIDTH):
        super().__init__()
        self.body = nn.Sequential(blocks.block(width), nn.Flatten(), nn.LazyLinear(num_classes))

    def forward(self, images):
        return self.body(images)
"""
FILES = {
    "nets.py": NETS,
    "models/__init__.py": "from .blocks import block\n",
    "models/blocks.py": "from torch import nn\n\ndef block(width):\n    return nn.Conv2d(3, width, 4, stride=4)\n",
    "db/shapes.py": "WIDTH = 4\n",
    "worker.py": "raise RuntimeError('nobody asked for it')\n",
    "cli/__init__.py": "raise RuntimeError('nobody asked for it')\n",
    "torch/readme.py": "",
}
SUITE = """
[suite]
name = "mine"
dataset = "digits"
[defaults]
epochs = 1
[variants.mine]
model = "nets.py:MyNet"
arguments = { width = 6 }
"""


@pytest.fixture
def folder(tmp_path):
    """A user's, with names that bench has as well."""
    here = tmp_path / "mine"
    for name, text in {**FILES, "mine.toml": SUITE}.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
    return here


def planned(folder, *words, **environment):
    done = bench("plan", "--all", "--suite", "mine.toml", "--json", *words, cwd=folder, **SAFE, **environment)
    return json.loads(done.stdout)["jobs"]


@pytest.fixture
def refused(bench_home, folder, capsys, monkeypatch):
    """What `plan`, `submit` and `run` say alike, an error and its fix; nothing is written."""
    monkeypatch.chdir(folder)

    def said(command):
        monkeypatch.setattr(sys, "argv", ["bench", command, "--all", "--suite", "mine.toml"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        return capsys.readouterr().err

    def call():
        (stderr,) = {said(command) for command in ("plan", "submit", "run")}
        error, fix = stderr.splitlines()
        assert not bench_home.exists()
        return error.removeprefix("error: "), fix.removeprefix("fix: ")

    return call


def test_the_example_of_the_page_runs_as_it_stands(bench_home, tmp_path):
    page = PAGE.read_text()
    (nets,), (suite,) = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("python", "toml"))
    (tmp_path / "nets.py").write_text(nets)
    (tmp_path / "mine.toml").write_text(suite)
    rows = {row["variant"]: row for row in planned(tmp_path)}
    assert [*rows] == ["small", "patches", "mobile", "side=2", "side=8"]  # side=4 is the variant itself
    assert rows["patches"]["parameters"] == 3 * 32 * 16 + 32 + 32 * 32 + 32 + 32 * 10 + 10
    words = ["--variant", "patches", "--variant", "mobile", "--suite", "mine.toml", "--epochs", "1"]
    done = bench("run", *words, "--out", "report", cwd=tmp_path, **SAFE)
    assert "2 done, 0 failed" in done.stderr
    assert "patches" in (tmp_path / "report" / "report.html").read_text()


def test_a_suite_beside_folders_called_like_benchs_own_is_planned_run_and_shown(bench_home, folder):
    (row,) = planned(folder)
    assert row["parameters"] == 3 * 6 * 16 + 6 + 6 * 64 * 10 + 10
    bench("submit", "--all", "--suite", "mine.toml", cwd=folder, **SAFE)
    shutil.rmtree(folder / "models")
    (folder / "nets.py").unlink()
    bench("worker", "--drain", "--slots", "1", cwd=folder, **SAFE)
    shown = json.loads(bench("show", "1", "--json", cwd=folder, **SAFE).stdout)
    config = shown["jobs"][0]["config"]
    assert config["model"] == "nets.py:MyNet"
    assert re.fullmatch("[0-9a-f]{64}", config["code"])
    assert "nets.py:MyNet" in bench("show", "1", cwd=folder, **SAFE).stdout
    bench("report", "--out", "report", cwd=folder, **SAFE)
    assert f"# network: nets.py:MyNet, code {config['code']}" in (folder / "report" / "report.html").read_text()
    with closing(open_store(f"sqlite:///{bench_home / 'bench.db'}")) as store:
        assert json.loads(store.source(config["code"])) == {
            name: FILES[name] for name in ("nets.py", "models/__init__.py", "models/blocks.py", "db/shapes.py")
        }


def test_a_changed_file_makes_new_jobs_and_one_that_is_changed_back_finds_the_old_ones(bench_home, folder):
    before = planned(folder)[0]["key"]
    (folder / "models" / "blocks.py").write_text(FILES["models/blocks.py"] + "# a remark\n")
    bench("submit", "--all", "--suite", "mine.toml", cwd=folder, **SAFE)
    (changed,) = planned(folder)
    assert (changed["key"] != before, changed["state"]) == (True, "queued")
    (folder / "models" / "blocks.py").write_text(FILES["models/blocks.py"])
    assert (planned(folder)[0]["key"], planned(folder)[0]["state"]) == (before, "new")
    done = bench("submit", "--all", "--suite", "mine.toml", cwd=folder, **SAFE)
    assert "Submission 2: 1 job added" in done.stdout


BAD = {
    "wrong shape": (("Linear(num_classes)", "Linear(7)"), "returned (2, 7), not (2, 10)", "a column for each class"),
    "no such file": (("models", "nothing"), "ModuleNotFoundError: No module named 'nothing' (nets.py:3)", "mend"),
    "raises when built": (("super().__init__()", "1 / 0"), "ZeroDivisionError: division by zero (nets.py:8)", "mend"),
    "wrong argument": (("width=", "depth="), "got an unexpected keyword argument 'width'", "num_classes, depth"),
    "a tuple": (("self.body(images)\n", "self.body(images), 1\n"), "returned a tuple in training", "one tensor"),
    "syntax": (("return", "return return"), "nets.py: line 12: invalid syntax", "mend that line"),
    "another name": (("MyNet", "YourNet"), "nets.py has no MyNet", "choose among YourNet"),
}


@pytest.mark.parametrize(("change", "error", "fix"), BAD.values(), ids=BAD)
def test_a_bad_network_is_refused_in_one_line_before_anything_is_written(refused, folder, change, error, fix):
    (folder / "nets.py").write_text(NETS.replace(*change))
    said = refused()
    assert error in said[0]
    assert "mine" in said[0]
    assert fix in said[1]


def test_a_missing_file_is_named_with_its_place(refused, folder):
    (folder / "nets.py").unlink()
    error, fix = refused()
    assert error == f"mine.toml: [variants.mine] model: there is no file {folder / 'nets.py'}"
    assert fix == "paths of networks count from the suite's own folder"


@pytest.mark.long
def test_a_network_of_timm_trains_on_the_digits(bench_home, tmp_path):
    (tmp_path / "mine.toml").write_text(SUITE.replace("nets.py:MyNet", "timm.models:resnet18").replace("width = 6", ""))
    done = bench("run", "--all", "--suite", "mine.toml", "--out", "report", cwd=tmp_path, **SAFE)
    assert "1 done, 0 failed" in done.stderr


def test_ctrl_c_ends_a_plan_whose_network_hangs_and_the_process_that_tries_it(bench_home, folder):
    (folder / "nets.py").write_text(
        NETS.replace("super().__init__()", "print('built', flush=True)\n        while 1: pass")
    )
    command = [sys.executable, "-m", "cli", "plan", "--all", "--suite", "mine.toml"]
    environment = {**os.environ, **SAFE, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as planning:
        assert planning.stderr.readline() == "built\n"
        (trying,) = psutil.Process(planning.pid).children()
        planning.send_signal(signal.SIGINT)
        assert planning.wait(timeout=30) == 130
        assert "Traceback" not in planning.stderr.read()
    assert not trying.is_running()


def test_a_network_that_hangs_is_refused_after_the_time_that_it_has(refused, folder, monkeypatch):
    (folder / "nets.py").write_text(NETS.replace("return self", "while 1: pass\n        return self"))
    monkeypatch.setenv("BENCH_PROBE_S", "0.5")
    error, fix = refused()
    assert error.endswith("nets.py:MyNet was not built and tried within 0.5 s (nets.py:12)")
    assert "BENCH_PROBE_S=5" in fix
