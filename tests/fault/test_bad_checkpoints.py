"""Damaged, foreign and malicious checkpoints: nothing in them is executed, and the job's numbers stay the same."""

import errno
import json
import os
import pickle
import resource
import shutil

import numpy as np
import pytest
import torch
from pickled import Creates
from real_worker import attempt_here, numbers, submit_digits
from safetensors.torch import load as load_tensors
from safetensors.torch import save

from db import open_store
from db.errors import ConfigError, StoreError
from db.records import JobState, Weights
from scheduler.settings import load_settings
from worker.checkpoints import Checkpoints, _sum
from worker.snapshot import Snapshot

HEAD = {"key": "job", "data": "images"}


def snapshot(step):
    return Snapshot({"model.w": torch.full((64, 8), float(step)), "model.n": torch.tensor(step)}, {"step": step})


@pytest.fixture
def folder(tmp_path):
    """Two checkpoints of steps 1 and 2."""
    checkpoints = Checkpoints(str(tmp_path / "c"), **HEAD)
    checkpoints.save(snapshot(1))
    checkpoints.save(snapshot(2))
    return tmp_path / "c"


def load(folder):
    return Checkpoints(str(folder), **HEAD, attempt=2).load()


def newest(folder):
    return max(folder.glob("*.safetensors"))


def flipped(content):
    """One bit of a weight is another one, as on a bad disk."""
    return content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]


def with_length(length):
    return lambda content: length.to_bytes(8, "little") + content[8:]


def with_head(**changes):
    """A whole file that says something else of itself."""

    def change(content):
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        head = json.loads(header["__metadata__"]["bench"]) | changes
        header["__metadata__"]["bench"] = json.dumps(head)
        encoded = json.dumps(header).encode()
        return len(encoded).to_bytes(8, "little") + encoded + content[8 + length :]

    return change


DAMAGES = {
    "cut in half": lambda content: content[: len(content) // 2],
    "without its last byte": lambda content: content[:-1],
    "with a byte too many": lambda content: content + b"\0",
    "empty": lambda content: b"",
    "five bytes": lambda content: content[:5],
    "zeros": lambda content: bytes(len(content)),
    "a flipped bit": flipped,
    "an absurd header length": with_length(2**64 - 1),
    "a header of four GiB": with_length(2**32),
    "a header as long as the file": lambda content: with_length(len(content) - 8)(content),
    "no header of ours": lambda content: save({"w": torch.zeros(3)}),
    "another job": with_head(key="another"),
    "other data": with_head(data="others"),
    "another engine": with_head(engine=0),
    "another format": with_head(format=1),
    "another state": with_head(state=json.dumps({"step": 9})),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_the_one_before_is_taken_and_a_warning_says_why(folder, damage):
    bad = newest(folder)
    bad.write_bytes(damage(bad.read_bytes()))
    found, warning = load(folder)
    assert found.state == {"step": 1}
    assert torch.equal(found.tensors["model.w"], snapshot(1).tensors["model.w"])
    assert warning.startswith(f"checkpoint {bad.name} was passed over: ")
    assert len(warning.splitlines()) == 1
    assert len(warning) < 400


def test_nothing_in_a_pickle_is_executed(folder, tmp_path):
    trap = tmp_path / "unpickled"
    newest(folder).write_bytes(pickle.dumps(Creates(trap)))
    found, warning = load(folder)
    assert found.state == {"step": 1}
    assert "passed over" in warning
    torch.save(Creates(trap), newest(folder))
    assert load(folder)[0].state == {"step": 1}
    assert not trap.exists()


@pytest.mark.parametrize("named", [0, 1], ids=["without a name", "beside it"])
def test_a_disk_that_fills_up_under_a_checkpoint_gets_its_room_back(folder, monkeypatch, named):
    before = sorted(folder.iterdir())
    if named:  # as on a disk that takes no file without a name
        monkeypatch.setattr("worker.checkpoints._put_whole", lambda path, content: False)

    def full(descriptor):
        assert len(list(folder.iterdir())) == len(before) + named
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        Checkpoints(str(folder), **HEAD).save(snapshot(3))
    assert sorted(folder.iterdir()) == before


def test_when_all_are_damaged_training_starts_anew(folder):
    for path in folder.iterdir():
        path.write_bytes(b"damaged")
    found, warning = load(folder)
    assert found is None
    assert warning.count("passed over") == 2
    assert warning.endswith("training starts from the beginning")


@pytest.mark.parametrize("claim", [with_head(key="another"), with_length(2**33)], ids=["another job", "a huge header"])
def test_a_huge_file_that_is_not_this_jobs_is_never_read_into_memory(folder, claim):
    bad = newest(folder)
    bad.write_bytes(claim(bad.read_bytes()))
    with bad.open("r+b") as file:
        file.truncate(16 * 2**30)  # sparse: it takes no room on the disk
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert load(folder)[0].state == {"step": 1}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB


def test_an_artifacts_url_that_cannot_be_opened_is_named_without_its_secrets():
    with pytest.raises(ConfigError, match="nosuch://bucket/runs cannot be opened") as refused:
        Checkpoints("nosuch://marker:marker2@bucket/runs?token=marker3", key="job")
    assert "marker" not in f"{refused.value} {refused.value.fix}"
    assert refused.value.__cause__ is None


@pytest.fixture
def here(bench_home, monkeypatch):
    for name, value in {"CHECKPOINT_S": "0", "KEEP_CHECKPOINTS": "true"}.items():
        monkeypatch.setenv(f"BENCH_{name}", value)
    return load_settings()


@pytest.mark.parametrize(
    ("damaged", "resumed"), [(1, True), pytest.param(2, False, marks=pytest.mark.long)], ids=["the newest", "all"]
)
def test_a_job_whose_checkpoints_are_damaged_gives_the_numbers_of_an_undisturbed_one(
    here, interrupted, undisturbed, damaged, resumed
):
    present = sorted((here.folder / "artifacts" / "checkpoints").rglob("*.safetensors"))
    assert len(present) == 2
    for path in present[-damaged:]:
        path.write_bytes(flipped(path.read_bytes()))
    assert attempt_here(interrupted, here) is JobState.DONE
    assert numbers(interrupted) == undisturbed("baseline", epochs=4)
    second = interrupted.attempts([1])[1][1]
    assert second.message.count("passed over") == damaged
    assert (second.start_epoch + second.start_step > 0) is resumed


def refitted(path, change):
    """The same checkpoint, whole, with other tensors."""
    read = Checkpoints(str(path.parent), key=path.parent.name)
    head = read._read_head(str(path))
    tensors = load_tensors(path.read_bytes())
    change(tensors)
    head["sum"] = _sum(tensors, head["state"])
    path.write_bytes(save(tensors, metadata={"bench": json.dumps(head)}))


def narrow(tensors):
    tensors["model.0.weight"] = tensors["model.0.weight"][:-1].clone()


def narrow_moments(tensors):
    tensors["optimizer.0.exp_avg"] = tensors["optimizer.0.exp_avg"][:-1].clone()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(narrow, id="weights"),
        pytest.param(narrow_moments, id="optimizer", marks=pytest.mark.long),
        pytest.param(dict.clear, id="nothing in it", marks=pytest.mark.long),
    ],
)
def test_a_whole_checkpoint_that_does_not_fit_its_network_is_passed_over(here, interrupted, undisturbed, change):
    present = sorted((here.folder / "artifacts" / "checkpoints").rglob("*.safetensors"))
    refitted(present[-1], change)
    assert attempt_here(interrupted, here) is JobState.DONE
    assert numbers(interrupted) == undisturbed("baseline", epochs=4)
    second = interrupted.attempts([1])[1][1]
    assert "passed over: ValueError: " in second.message
    assert "fit" in second.message
    assert second.start_epoch + second.start_step > 0


def test_checkpoints_that_are_gone_are_missed(here, interrupted, undisturbed):
    shutil.rmtree(here.folder / "artifacts")
    assert attempt_here(interrupted, here) is JobState.DONE
    assert numbers(interrupted) == undisturbed("baseline", epochs=4)
    second = interrupted.attempts([1])[1][1]
    assert second.message == "no checkpoint was found; training starts from the beginning"


def test_a_prediction_that_was_overwritten_executes_nothing(here, tmp_path):
    import sqlite3

    trap = tmp_path / "unpickled"
    store = open_store(here.database, create=True)
    submit_digits(store, here, "baseline", epochs=1)
    assert attempt_here(store, here) is JobState.DONE
    assert isinstance(store.predictions(1, Weights.BEST).probabilities, np.ndarray)
    store.close()
    with sqlite3.connect(here.folder / "bench.db") as database:
        database.execute("UPDATE predictions SET probabilities = ?", [pickle.dumps(Creates(trap))])
    database.close()
    store = open_store(here.database)
    with pytest.raises(StoreError, match="predictions of job 1 are damaged"):
        store.predictions(1, Weights.BEST)
    store.close()
    assert not trap.exists()


def test_a_pipe_among_the_checkpoints_is_passed_over_and_not_waited_for(folder):
    os.mkfifo(folder / "000099-00000001.safetensors")
    found, warning = Checkpoints(str(folder), **HEAD).load()
    assert found.state == {"step": 2}
    assert "000099-00000001.safetensors was passed over: ValueError: it is no file" in warning
