"""Loaded once, cached, split: the digits and folders as a job gets them, and what the report shows of them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from db.errors import DataError
from scheduler.config import Config
from worker import digits
from worker.dataset_record import dataset_record
from worker.datasets import load_splits
from worker.division import stratified
from worker.splits import Splits


def load(folder: Path, **fields) -> Splits:
    config = Config(dataset="digits", **fields)
    return load_splits(config, data_dir=folder / "data", cache_dir=folder / "cache", notify=lambda _: None)


LOAD = """
import sys
from pathlib import Path
from scheduler.config import Config
from worker.datasets import load_splits
home = Path(sys.argv[1])
splits = load_splits(Config(dataset="digits"), data_dir=home / "data", cache_dir=home / "cache", notify=print)
print(splits.fingerprint)
"""


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """One entry for each time that the digits are really read."""
    seen: list[str] = []
    real = digits.read_digits
    monkeypatch.setattr(digits, "read_digits", lambda *how: seen.append("read") or real(*how))
    return seen


def test_digits_are_scikit_learns_with_a_stratified_fifth_as_test_set(tmp_path):
    splits, data = load(tmp_path), load_digits()
    _, test = train_test_split(np.arange(len(data.target)), test_size=0.2, random_state=42, stratify=data.target)
    assert [len(part.labels) for part in (splits.train, splits.val, splits.test)] == [1149, 288, 360]
    assert splits.test.labels.tolist() == data.target[test].tolist()
    assert np.array_equal(splits.test.images[:, 1, ::4, ::4], np.rint(data.images[test] * 255 / 16))
    assert splits.classes == tuple("0123456789")


def test_a_second_load_reads_the_copy_and_gives_the_same(reads, tmp_path):
    first, second = load(tmp_path), load(tmp_path, split_seed=7)
    assert reads == ["read"]
    assert first.fingerprint == second.fingerprint
    assert np.array_equal(first.test.images, second.test.images)
    assert not np.array_equal(first.val.images, second.val.images)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("damage", ["cut", "pixel", "empty", "pickle"])
def test_a_damaged_copy_is_made_again(damage, reads, tmp_path):
    before = load(tmp_path).fingerprint
    (copy,) = (tmp_path / "cache").glob("digits-*.npz")
    whole = copy.read_bytes()
    if damage == "pickle":
        np.savez(copy, head=np.array({"source": "x"}, dtype=object))
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        copy.write_bytes({"cut": whole[:middle], "empty": b"", "pixel": flipped}[damage])
    assert load(tmp_path).fingerprint == before
    assert reads == ["read", "read"]
    assert copy.read_bytes() == whole


def test_a_whole_copy_with_other_contents_is_made_again(reads, tmp_path):
    before = load(tmp_path).fingerprint
    (copy,) = (tmp_path / "cache").glob("digits-*.npz")
    with np.load(copy) as stored:
        arrays = {name: stored[name].copy() for name in stored.files}
    arrays["train_labels"][0] = (arrays["train_labels"][0] + 1) % 10
    np.savez(copy, **arrays)
    assert load(tmp_path).fingerprint == before
    assert reads == ["read", "read"]


def test_processes_that_load_at_once_agree_and_leave_one_copy(tmp_path):
    command = [sys.executable, "-c", LOAD, str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    found = {process.communicate(timeout=120)[0] for process in processes}
    assert found == {load(tmp_path).fingerprint + "\n"}
    names = sorted(path.name.partition("-")[0] + path.suffix for path in (tmp_path / "cache").iterdir())
    assert names == ["digits.lock", "digits.npz", "split.lock", "split.npz"]


def test_a_cache_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(DataError, match=str(tmp_path / "cache")) as error:
        load(tmp_path)
    assert "BENCH_HOME" in error.value.fix


def test_a_changed_folder_is_read_again(tmp_path):
    root, config = tmp_path / "data/two", Config(dataset=f"folder:{tmp_path}/data/two")
    for name in ("train/a", "train/b", "test/a", "test/b"):
        (root / name).mkdir(parents=True)
        for index in range(6):
            Image.new("RGB", (32, 32), (index, 0, len(name))).save(root / name / f"{index}.png")

    def fingerprint() -> str:
        return load_splits(config, data_dir=root, cache_dir=tmp_path / "cache", notify=lambda _: None).fingerprint

    before = fingerprint()
    Image.new("RGB", (32, 32), (255, 0, 0)).save(root / "train/a/0.png")
    assert fingerprint() != before
    arrays = [path for path in (tmp_path / "cache").glob("*.npz") if not path.name.startswith("split-")]
    assert len(arrays) == 1


def test_the_twenty_classes_split_as_in_the_printed_listing():
    labels = np.repeat(np.arange(20), 500)
    train, val = stratified(labels, fraction=0.2, seed=42)
    expected = train_test_split(np.arange(10_000), test_size=0.2, random_state=42, stratify=labels)
    assert [train.tolist(), val.tolist()] == [rows.tolist() for rows in expected]
    assert (np.bincount(labels[train]).tolist(), np.bincount(labels[val]).tolist()) == ([400] * 20, [100] * 20)


@pytest.mark.parametrize("again", [False, True], ids=["when it is made", "from the cache"])
def test_each_part_has_the_images_and_labels_of_its_rows(tmp_path, again):
    if again:
        load(tmp_path)
    splits = load(tmp_path)
    whole = digits.read_digits().train
    rows = stratified(whole.labels, fraction=0.2, seed=42)
    for part, own in zip((splits.train, splits.val), rows, strict=True):
        assert np.array_equal(part.images, whole.images[own])
        assert np.array_equal(part.labels, whole.labels[own])


def test_what_a_report_shows_of_the_data_comes_from_its_training_part(tmp_path):
    splits = load(tmp_path)
    record = dataset_record(splits)
    assert (sum(record.train_counts), sum(record.val_counts), sum(record.test_counts)) == (1149, 288, 360)
    assert record.test_counts == tuple(np.bincount(splits.test.labels))
    assert record.samples.pixels.shape == (10, 5, 32, 32, 3)
    for label, row in enumerate(record.samples.pixels):
        own = splits.train.images[splits.train.labels == label].transpose(0, 2, 3, 1)
        assert all((own == picture).all(axis=(1, 2, 3)).any() for picture in row)


def test_augmentation_examples_show_what_their_column_says(tmp_path):
    grid = dataset_record(load(tmp_path)).augmentation
    assert grid.columns == ("original", "flip", "crop", "flip + crop", "cutout")
    assert grid.pixels.shape == (6, 5, 32, 32, 3)
    original, flipped, cropped, _, cut = grid.pixels.swapaxes(0, 1)
    assert np.array_equal(flipped, original[:, :, ::-1])
    assert not np.array_equal(cropped, original)
    changed = (cut != original).any(axis=-1)
    assert (cut[changed] == 0).all()
    assert (changed.sum(axis=(1, 2)) <= 64).all()
    assert changed.any()


def test_a_second_load_needs_no_scikit_learn(tmp_path):
    load(tmp_path)
    script = f"{LOAD}\nassert 'sklearn' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("damage", [b"", b"no rows", None], ids=["empty", "garbage", "rows of other images"])
def test_a_damaged_copy_of_the_split_is_made_anew(damage, tmp_path):
    first = load(tmp_path)
    (copy,) = (tmp_path / "cache").glob("split-*.npz")
    if damage is None:
        np.savez(copy, train=np.arange(5), val=np.arange(5, 9))
    else:
        copy.write_bytes(damage)
    assert np.array_equal(load(tmp_path).val.labels, first.val.labels)
    with np.load(copy) as rows:
        assert len(rows["train"]) == len(first.train.labels)
