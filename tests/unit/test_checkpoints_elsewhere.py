"""Checkpoints on a file system that is not this machine's: fsspec's memory, which is asked as an object store is."""

import uuid

import fsspec
import pytest
import torch

from worker.checkpoints import Checkpoints
from worker.snapshot import Snapshot


def snapshot(step):
    return Snapshot({"model.w": torch.full((8, 4), step / 3), "model.n": torch.tensor(step)}, {"step": step})


@pytest.fixture
def url():
    return f"memory://{uuid.uuid4().hex}/checkpoints/k"


def names(url):
    files = fsspec.filesystem("memory")
    return sorted(name.rpartition("/")[2] for name in files.ls(url, detail=False)) if files.exists(url) else []


def test_what_was_saved_elsewhere_is_loaded_bit_for_bit_by_the_next_attempt(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Checkpoints(url, key="k").save(snapshot(1))
    found, warning = Checkpoints(url, key="k", attempt=2).load(patient=True)
    assert (warning, found.state) == ("", {"step": 1})
    assert all(torch.equal(value, found.tensors[name]) for name, value in snapshot(1).tensors.items())
    assert list(tmp_path.iterdir()) == []  # nothing was written beside it, into a local folder of that name


def test_the_newest_two_are_kept_elsewhere_then_one_then_none(url):
    checkpoints = Checkpoints(url, key="k")
    assert checkpoints.load() == (None, "")
    for step in (1, 2, 3):
        checkpoints.save(snapshot(step))
    assert names(url) == ["000001-00000002.safetensors", "000001-00000003.safetensors"]
    (kept,) = checkpoints.keep()
    assert names(url) == ["000001-00000003.safetensors"]
    assert kept.url.startswith("memory://")
    assert kept.bytes == fsspec.filesystem("memory").size(url + "/000001-00000003.safetensors")
    assert checkpoints.load()[0].state == {"step": 3}
    checkpoints.clear()
    assert names(url) == []
    checkpoints.clear()


def test_a_damaged_one_elsewhere_is_passed_over_for_the_one_before(url):
    checkpoints = Checkpoints(url, key="k")
    for step in (1, 2):
        checkpoints.save(snapshot(step))
    files, newest = fsspec.filesystem("memory"), f"{url}/000001-00000002.safetensors"
    files.pipe_file(newest, files.cat_file(newest)[:-3])
    found, warning = checkpoints.load()
    assert found.state == {"step": 1}
    assert "000001-00000002.safetensors was passed over" in warning


def test_an_attempt_that_wakes_up_keeps_its_own_and_leaves_those_of_a_later_one(url):
    frozen, later = Checkpoints(url, key="k", attempt=1), Checkpoints(url, key="k", attempt=2)
    for checkpoints in (frozen, later, later, frozen):
        checkpoints.save(snapshot(1))
    (kept,) = frozen.keep()
    assert kept.url.endswith("000001-00000002.safetensors")
    assert names(url)[1:] == ["000002-00000001.safetensors", "000002-00000002.safetensors"]
