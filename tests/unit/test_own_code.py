"""The code of a user's networks, read from a suite's folder: what is taken along, how it is called, what is refused."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from db.errors import ConfigError
from models import bundled
from scheduler import planning
from scheduler.suite import load_suite

ROOT = Path(__file__).parents[2]
SUITE = """
[suite]
name = "mine"
dataset = "digits"
[variants.a]
model = "{model}"
"""
NET = "from torch import nn\n\nclass MyNet(nn.Module):\n    pass\n"


def put(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def read(tmp_path):
    """A suite with this network, read from a folder with these files: its config, and its sources by path."""

    def call(model="nets.py:MyNet", folder=tmp_path / "here", **files):
        put(folder, files)
        folder.mkdir(exist_ok=True)
        (folder / "mine.toml").write_text(SUITE.format(model=model))
        suite = load_suite(str(folder / "mine.toml"))
        config = suite.variants["a"].config
        content = suite.own[config.code].content
        return config, json.loads(content) if content else {}

    return call


def test_a_file_takes_along_what_it_imports_of_its_folder_and_nothing_else(read):
    config, sources = read(
        **{
            "nets.py": "import torch, blocks\nfrom models.deep import Deep\nfrom more import shape\n" + NET,
            "blocks.py": "def made():\n    import inside\n",
            "inside.py": "",
            "models/__init__.py": "from . import first\n",
            "models/first.py": "from ..nowhere import x\n",
            "models/deep/__init__.py": "from .net import Deep\nfrom ...above import x\n",
            "models/deep/net.py": "from ..first import y\nfrom . import *\nclass Deep: pass\n",
            "more/shape.py": "",
            "unused.py": "import secret\n",
            "secret.py": "",
        }
    )
    assert config.model == "nets.py:MyNet"
    models = {"models/__init__.py", "models/first.py", "models/deep/__init__.py", "models/deep/net.py"}
    assert set(sources) == {"nets.py", "blocks.py", "inside.py", "more/shape.py", *models}
    assert sources["nets.py"].endswith(NET)


def test_a_file_in_a_package_takes_along_what_makes_the_folders_above_it_packages(read):
    _, sources = read(
        "a/b/nets.py:MyNet", **{"a/b/nets.py": NET, "a/__init__.py": "import c", "a/b/__init__.py": "", "c.py": ""}
    )
    assert set(sources) == {"a/b/nets.py", "a/__init__.py", "a/b/__init__.py", "c.py"}


def test_the_code_is_part_of_the_config_and_equal_for_equal_files_wherever_they_lie(read, tmp_path):
    here, _ = read(**{"nets.py": NET})
    there, _ = read(folder=tmp_path / "there", **{"nets.py": NET.replace("\n", "\r\n")})
    assert here == there
    assert here.canonical()["code"] == bundled({"nets.py": NET}).name
    changed, _ = read(**{"nets.py": NET + "# more\n"})
    assert changed.code != here.code


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ("./nets.py:MyNet", "nets.py:MyNet"),
        ("sub/../nets.py:MyNet", "nets.py:MyNet"),
        ("nets:MyNet", "nets.py:MyNet"),
        ("sub.deep:MyNet", "sub/deep.py:MyNet"),
        ("sub:MyNet", "sub/__init__.py:MyNet"),
        ("../beside/nets.py:MyNet", "nets.py:MyNet"),
    ],
)
def test_a_network_has_one_name_however_it_is_written(read, tmp_path, model, kept):
    put(tmp_path / "beside", {"nets.py": NET})
    files = {"nets.py": NET, "sub/__init__.py": NET, "sub/deep.py": NET}
    assert read(model, **files)[0].model == kept


def test_a_folder_of_an_installed_package_s_name_without_init_is_no_package(read):
    _, sources = read(**{"nets.py": "import torch.nn\nimport json.tool\n" + NET, "torch/nn.py": "", "json/tool.py": ""})
    assert set(sources) == {"nets.py"}


def test_a_folder_that_is_called_like_a_room_of_bench_is_the_users_own(read):
    _, sources = read(**{"nets.py": "import db.x\nfrom models import y\n" + NET, "db/x.py": "", "models/y.py": ""})
    assert set(sources) == {"nets.py", "db/x.py", "models/y.py"}


def test_an_installed_package_is_known_by_its_version(read):
    config, sources = read("torchvision.models:resnet18")
    version = metadata.version("torchvision").partition("+")[0]
    assert (config.model, config.code) == ("torchvision.models:resnet18", f"torchvision=={version}")
    assert sources == {}


def test_imports_that_go_round_in_a_circle_are_followed_once(read):
    _, sources = read(**{"nets.py": "import a\n" + NET, "a.py": "import b\n", "b.py": "import a, nets\n"})
    assert set(sources) == {"nets.py", "a.py", "b.py"}


@pytest.mark.parametrize(
    "text",
    [
        "from blocks import *\n",
        "from blocks import MyNet\n",
        "try:\n    from blocks import MyNet\nexcept ImportError:\n    MyNet = None\n",
        "if True:\n    class MyNet: pass\n",
        "A, (MyNet, *B) = 1, (2, 3)\n",
        "MyNet: object = 1\n",
        "def __getattr__(name):\n    return dict\n",
        "globals()['MyNet'] = 1\n",
        "with open('x') as MyNet:\n    pass\n",
    ],
)
def test_a_name_that_may_be_there_is_not_refused(read, text):
    assert read(**{"nets.py": text, "blocks.py": NET})[0].model == "nets.py:MyNet"


REFUSED = {
    "no file": ("nets.py:MyNet", {}, "there is no file", "suite's own folder"),
    "a folder": ("nets.py:MyNet", {"nets.py/x": ""}, "there is no file", "suite's own folder"),
    "no name": ("nets.py:MyNett", {"nets.py": NET}, "nets.py has no MyNett", "did you mean MyNet?"),
    "no such name": ("nets.py:Other", {"nets.py": NET}, "nets.py has no Other", "choose among MyNet"),
    "an empty file": ("nets.py:Other", {"nets.py": ""}, "nets.py has no Other", "define Other there"),
    "a name within": ("nets.py:Inner", {"nets.py": "class A:\n    class Inner: pass\n"}, "has no Inner", "among A"),
    "a syntax error": ("nets.py:MyNet", {"nets.py": "x = 1\nclass MyNet(:\n"}, "nets.py: line 2:", "mend that line"),
    "one in an import": ("nets.py:MyNet", {"nets.py": "import b\n", "b.py": "\n\n1 +\n"}, "b.py: line 3:", "mend"),
    "a null byte": ("nets.py:MyNet", {"nets.py": "x = '\0'\n"}, "source code string cannot", "mend"),
    "no module": ("nets.deep:MyNet", {"nets/__init__.py": ""}, "no module nets.deep", "that is there"),
    "no package": ("nowhere.nets:MyNet", {}, "no installed package has the module nowhere.nets", "beside the suite"),
    "a room of bench": ("models:describe", {}, "models is a module of bench itself", "beside the suite"),
    "Python's own": ("os:system", {}, "os is a module of Python itself", "beside the suite"),
    "nothing before": (":MyNet", {}, "names no network", 'model = "nets.py:MyNet"'),
    "nothing behind": ("nets.py:", {"nets.py": NET}, "names no network", 'model = "nets.py:MyNet"'),
    "two colons": ("nets.py:A:B", {"nets.py": NET}, "names no network", 'model = "nets.py:MyNet"'),
    "a path with dots": ("a..b:MyNet", {}, "names no network", 'model = "nets.py:MyNet"'),
    "too many files": (
        "nets.py:MyNet",
        {"nets.py": "".join(f"import m{number}\n" for number in range(200)) + NET}
        | {f"m{number}.py": "" for number in range(200)},
        "imports 201 files",
        "200 files",
    ),
    "too large": ("nets.py:MyNet", {"nets.py": NET + "#" * 2**20}, "1,048,6", "1,048,576 bytes"),
}


@pytest.mark.parametrize(("model", "files", "error", "fix"), REFUSED.values(), ids=REFUSED)
def test_what_names_no_network_is_refused_with_its_place(read, model, files, error, fix):
    with pytest.raises(ConfigError) as caught:
        read(model, **files)
    assert str(caught.value).count("mine.toml: [variants.a] model: ") == 1
    assert error in str(caught.value)
    assert fix in caught.value.fix


def test_a_file_that_is_not_utf_8_is_refused(read, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "nets.py").write_bytes(b"# \xff\n")
    with pytest.raises(ConfigError, match=r"cannot read .*nets.py") as caught:
        read()
    assert "UTF-8" in caught.value.fix


CONFIGS = {
    "code": ("[variants.a]\ncode = 'x'\n", "[variants.a] code: no field of a suite", "nets.py:MyNet"),
    "default": ("[defaults]\ncode = 'x'\n[variants.a]\n", "[defaults] code: no field of a suite", "nets.py:MyNet"),
    "in a sweep": ("[variants.a]\n[sweeps.s]\nbase = 'a'\ngrid = { code = ['x'] }\n", "code: no field", "nets.py"),
    "arguments": (
        "[variants.a]\nmodel = 'nets.py:MyNet'\narguments = 3\n",
        "arguments: not a table",
        "{ NAME = VALUE }",
    ),
    "inf": ("[variants.a]\nmodel = 'nets.py:MyNet'\narguments = { x = inf }\n", "not finite", "arguments"),
    "built in": ("[variants.a]\nmodel = 'vgg'\n", "no such network", "resnet, FILE.py:NAME or MODULE:NAME"),
    "the place": ("[defaults]\nmodel = 'no.py:A'\n[variants.a]\n", "[defaults] model: there is no file", "folder"),
}


@pytest.mark.parametrize(("text", "error", "fix"), CONFIGS.values(), ids=CONFIGS)
def test_a_config_of_an_own_network_is_checked_like_any_other(tmp_path, text, error, fix):
    put(tmp_path, {"nets.py": NET, "mine.toml": f"[suite]\nname = 'mine'\ndataset = 'digits'\n{text}"})
    with pytest.raises(ConfigError) as caught:
        load_suite(str(tmp_path / "mine.toml"))
    assert error in str(caught.value)
    assert fix in caught.value.fix


def test_networks_can_be_swept_and_arguments_are_those_of_one_network(tmp_path):
    two = NET + NET.replace("MyNet", "Other")
    text = SUITE.format(model="nets.py:MyNet") + "arguments = { width = 3 }\n[sweeps.s]\nbase = 'a'\ngrid = { model = "
    put(tmp_path, {"nets.py": two, "mine.toml": text + "['nets.py:MyNet', 'nets.py:Other', 'resnet'] }\n"})
    suite = load_suite(str(tmp_path / "mine.toml"))
    found = {label: variant.config for label, variant in suite.variants.items()}
    assert [*found] == ["a", "s=MyNet", "s=Other", "s=resnet"]
    assert found["s=MyNet"] == found["a"]
    assert (found["s=Other"].arguments, found["s=Other"].code) == ({}, found["a"].code)
    assert found["s=resnet"].code is None


def test_reading_a_suite_runs_none_of_its_code_and_loads_no_torch(tmp_path):
    put(tmp_path, {"nets.py": "raise SystemExit(9)\n" + NET, "mine.toml": SUITE.format(model="nets.py:MyNet")})
    probe = "import sys; from scheduler.suite import load_suite as f; f('mine.toml'); print('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "False\n", done.stderr


def test_a_plan_measures_each_own_network_once_and_asks_nothing_of_benchs_own(tmp_path, monkeypatch):
    """Ten thousand jobs are planned at once: what their networks need may not be paid for each seed."""
    asked = []
    real = planning.network_key
    monkeypatch.setattr(planning, "network_key", lambda config: asked.append(config["model"]) or real(config))
    made = "nn.Sequential(nn.Flatten(), nn.Linear(3072, classes))"
    (tmp_path / "nets.py").write_text(f"from torch import nn\n\ndef net(classes):\n    return {made}\n")
    text = '[suite]\nname = "mine"\ndataset = "digits"\n[variants.a]\nmodel = "nets.py:net"\n[variants.b]\n'
    (tmp_path / "mine.toml").write_text(text)
    plan = planning.make_plan(load_suite(str(tmp_path / "mine.toml")), ["a", "b"], [1, 2, 3], data_dir=tmp_path)
    assert len(plan.entries) == 6
    assert asked == ["nets.py:net"]
    assert [size.parameters for size in plan.sizes.values()] == [3072 * 10 + 10]
