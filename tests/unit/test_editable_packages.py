"""Networks of packages that are installed as editable: their version does not tell their code, so it is taken along."""

import json
import site
import sys

import pytest
from editable import install, put

from db.errors import ConfigError
from scheduler.suite import load_suite

NET = "from torch import nn\n\nclass MyNet(nn.Module):\n    pass\n"
PACKAGE = {
    "mylab/__init__.py": "from . import nets\n1 / 0  # nobody runs it to read it\n",
    "mylab/nets.py": "import torch, json\nfrom mylab.blocks.deep import Deep\nfrom .shapes import *\n" + NET,
    "mylab/blocks/__init__.py": "",
    "mylab/blocks/deep.py": "from ..shapes import SIDE\nclass Deep: pass\n",
    "mylab/shapes.py": "SIDE = 4\n",
    "mylab/unused.py": "",
    "mylab/weights.json": "{}",
}
TAKEN = {name for name in PACKAGE if name not in ("mylab/unused.py", "mylab/weights.json")}


@pytest.fixture
def source(tmp_path):
    return put(tmp_path / "project" / "src", PACKAGE)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a package for this process alone."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    modules = {*sys.modules}

    def call(source, top="mylab", how="setuptools", folder="site-packages"):
        install(tmp_path / folder, source, top, how)
        site.addsitedir(str(tmp_path / folder))

    yield call
    for name in {*sys.modules} - modules:
        if name.startswith("__editable___"):
            del sys.modules[name]


@pytest.fixture
def read(tmp_path):
    """A suite with this network in a folder with these files: its config, and its sources by path."""

    def call(model="mylab.nets:MyNet", folder=tmp_path / "here", **files):
        lines = ["[suite]", 'name = "mine"', 'dataset = "digits"', "[variants.a]", f'model = "{model}"']
        put(folder, files | {"mine.toml": "\n".join(lines)})
        suite = load_suite(str(folder / "mine.toml"))
        config = suite.variants["a"].config
        content = suite.own[config.code].content
        return config, json.loads(content) if content else {}

    return call


@pytest.mark.parametrize("how", ["hatchling", "setuptools", "finder"])
def test_its_sources_are_its_code_the_same_as_of_a_suite_that_lies_beside_it(read, installed, source, how):
    installed(source, how=how)
    config, sources = read()
    assert {*sources} == TAKEN
    assert sources["mylab/nets.py"] == PACKAGE["mylab/nets.py"]
    beside, _ = read("mylab/nets.py:MyNet", folder=source)
    assert config == beside
    assert config.model == "mylab/nets.py:MyNet"
    put(source, {"mylab/shapes.py": "SIDE = 8\n"})
    assert read()[0].code != config.code


def test_the_name_of_the_package_alone_means_what_it_makes_public(read, installed, source):
    installed(source)
    put(source, {"mylab/__init__.py": "from .nets import MyNet\n"})
    config, sources = read("mylab:MyNet")
    assert (config.model, {*sources}) == ("mylab/__init__.py:MyNet", TAKEN)


def test_a_file_beside_the_suite_takes_along_what_it_imports_of_such_a_package(read, installed, source):
    installed(source)
    text = "from mylab.blocks import deep\nimport shapes\n" + NET
    _, sources = read("nets.py:MyNet", **{"nets.py": text, "shapes.py": ""})
    assert {*sources} == {"nets.py", "shapes.py", *TAKEN}  # by its __init__.py, that of the whole package


def test_a_package_that_imports_another_one_takes_both_along(read, installed, source, tmp_path):
    installed(source)
    installed(put(tmp_path / "other", {"mytools/__init__.py": "import mylab\n"}), "mytools", "finder")
    put(source, {"mylab/shapes.py": "import mytools\n"})
    assert {*read()[1]} == {*TAKEN, "mytools/__init__.py"}


def test_what_lies_in_the_suites_folder_comes_first(read, installed, source):
    installed(source)
    config, sources = read(**{"mylab/__init__.py": "", "mylab/nets.py": NET})
    assert (config.model, {*sources}) == ("mylab/nets.py:MyNet", {"mylab/__init__.py", "mylab/nets.py"})


def test_packages_without_init_and_single_modules_are_found(read, installed, source):
    installed(source)
    put(source, {"theirs/deep/nets.py": "import alone\n" + NET, "alone.py": ""})
    assert {*read("theirs.deep.nets:MyNet")[1]} == {"theirs/deep/nets.py", "alone.py"}
    put(source, {"alone.py": NET})
    assert {*read("alone:MyNet")[1]} == {"alone.py"}


@pytest.mark.parametrize("folder", ["site-packages", "given to --target"])
def test_what_was_copied_is_known_by_its_version_alone(read, installed, source, folder):
    installed(source, how="copied", folder=folder)
    config, sources = read()
    assert (config.model, config.code, sources) == ("mylab.nets:MyNet", "mylab-net==0.3", {})
    assert {*read("nets.py:MyNet", **{"nets.py": "import mylab\n" + NET})[1]} == {"nets.py"}


REFUSED = {
    "no module": ("mylab.nowhere:MyNet", {}, "there is no module mylab.nowhere in ", "name a module that is there"),
    "compiled": ("mylab.fast:MyNet", {"mylab/fast.cpython-311.so": ""}, "no module mylab.fast", "what is compiled"),
    "no name": ("mylab.shapes:MyNet", {}, "mylab/shapes.py has no MyNet", "define MyNet there"),
    "a syntax error": ("mylab.nets:MyNet", {"mylab/shapes.py": "1 +\n"}, "mylab/shapes.py: line 1", "mend that line"),
    "too large": ("mylab.nets:MyNet", {"mylab/shapes.py": "#" * 2**20}, "1,048,", "(not as editable)"),
}


@pytest.mark.parametrize(("model", "files", "error", "fix"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_taken_along_is_refused_with_its_place(read, installed, source, model, files, error, fix):
    installed(source)
    put(source, files)
    with pytest.raises(ConfigError, match=r"mine.toml: \[variants.a\] model: ") as caught:
        read(model)
    assert error in str(caught.value)
    assert fix in caught.value.fix
