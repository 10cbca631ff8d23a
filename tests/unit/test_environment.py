"""What a result was made with, traced to a commit of a real repository."""

import os
import platform
import subprocess
from importlib import metadata

import pytest
import torch

from worker import doctor
from worker import environment as made_with
from worker.environment import PACKAGES, computes_on, environment, git_revision


@pytest.fixture(autouse=True)
def _nothing_remembered():
    git_revision.cache_clear()
    yield
    git_revision.cache_clear()


def git(folder, *arguments):
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    names = {f"GIT_{who}_{what}": "b@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | own | names
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=environ, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    """A repository that tracks a file of the same name as the module that asks."""
    git(tmp_path, "init", "-q")
    (tmp_path / "environment.py").write_text("first\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_a_clean_checkout_is_named_by_its_commit(checkout):
    assert git_revision(checkout) == {"revision": git(checkout, "rev-parse", "HEAD"), "dirty": False}


def test_a_changed_file_makes_the_checkout_dirty(checkout):
    (checkout / "environment.py").write_text("changed\n")
    assert git_revision(checkout) == {"revision": git(checkout, "rev-parse", "HEAD"), "dirty": True}


def test_a_file_that_git_does_not_track_is_no_change_of_the_code(checkout):
    (checkout / "notes.txt").write_text("mine\n")
    assert git_revision(checkout)["dirty"] is False


def test_a_copy_installed_inside_somebody_elses_repository_has_no_revision(checkout):
    site = checkout / "venv" / "site-packages"
    site.mkdir(parents=True)
    (site / "environment.py").write_text("installed\n")
    assert git_revision(site) is None


def test_without_a_repository_there_is_no_revision(tmp_path_factory, monkeypatch):
    bare = tmp_path_factory.mktemp("bare")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(bare.parent))
    assert git_revision(bare) is None


def test_without_git_there_is_no_revision(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git_revision(checkout) is None


def test_a_result_carries_revision_packages_host_and_device(checkout, monkeypatch):
    monkeypatch.setattr(made_with, "__file__", str(checkout / "environment.py"))
    (checkout / "environment.py").write_text("changed\n")
    seen = environment("cpu")
    assert seen["git"] == {"revision": git(checkout, "rev-parse", "HEAD"), "dirty": True}
    assert seen["packages"] == {name: metadata.version(name) for name in PACKAGES}
    assert {"bench", "torch", "numpy"} <= set(seen["packages"])
    assert (seen["python"], seen["host"]) == (platform.python_version(), platform.node())
    assert (seen["device"], seen["cuda"], seen["threads"]) == ("cpu", None, torch.get_num_threads())
    assert seen["device_name"] == seen["cpu"] != ""


def test_a_result_carries_the_instruction_set_that_pytorch_has_chosen(monkeypatch):
    assert environment("cpu")["instruction_set"] == torch.backends.cpu.get_cpu_capability() != ""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "SVE256")
    assert environment("cpu")["instruction_set"] == "SVE256"


def test_a_card_is_told_by_its_name_and_not_by_its_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: {"cuda": "H100", "cuda:1": "H100"}[device])
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert computes_on("cuda:1") == computes_on("cuda") == f"cuda (H100, AVX512, torch {torch.__version__})"
    assert computes_on("cpu") == f"cpu ({environment('cpu')['cpu']}, AVX512, torch {torch.__version__})"


def test_what_pytorch_is_built_for_is_read_from_its_file():
    assert doctor._cuda_of_torch() == torch.version.cuda
