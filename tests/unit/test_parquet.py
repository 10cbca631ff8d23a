"""A user's Parquet: one file or Hugging Face's shards, and a line that names the file, the column or the row."""

import os
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from own_files import NAMES, labels, load, pictures, png, write_parquet
from pyarrow import parquet

from db.errors import BenchError, ConfigError, DataError
from scheduler.datasets import identify

GREY = [png(one) for one in pictures(30, 12, 12)]
CODES = labels(30).tolist()


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Twelve, six, six and six rows."""
    folder, start = tmp_path / "pets", 0
    for name, count in (("train-00000-of-00002", 12), ("train-00001-of-00002", 6), ("validation-0", 6), ("test-0", 6)):
        rows = slice(start, start + count)
        write_parquet(folder / f"{name}.parquet", GREY[rows], CODES[rows], NAMES)
        start += count
    return folder


def refused(path: Path, kind: type[BenchError] = DataError) -> BenchError:
    with pytest.raises(kind) as error:
        identify(f"file:{path}", path)
    assert error.value.fix
    return error.value


def test_shards_are_read_in_order_into_the_parts_of_their_names(shards, tmp_path):
    splits = load(shards, tmp_path, image_size=12, channels=1)
    stored = pictures(30, 12, 12)
    assert np.array_equal(splits.train.images[:, 0], stored[:18])
    assert np.array_equal(splits.val.images[:, 0], stored[18:24])
    assert np.array_equal(splits.test.images[:, 0], stored[24:])
    assert splits.train.labels.tolist() == CODES[:18]
    assert splits.classes == tuple(NAMES)
    assert identify(f"file:{shards}", shards).images == (24, 6)


def test_a_column_tells_the_part_of_each_row(tmp_path):
    split = ["train", "train", "train", "test", "test", "test", "VALIDATION", "val", "validation"] * 3
    path = write_parquet(tmp_path / "one.parquet", GREY[:27], CODES[:27], split=pyarrow.array(split))
    splits = load(path, tmp_path, image_size=12, channels=1)
    for part, name in ((splits.train, "train"), (splits.test, "test")):
        rows = [row for row, one in enumerate(split) if one == name]
        assert np.array_equal(part.images[:, 0], pictures(30, 12, 12)[rows])
    assert len(splits.val.labels) == 9


@pytest.mark.parametrize("kind", ["struct", "binary", "large", "text labels", "categories", "other names"])
def test_columns_of_every_kind_are_read(kind, tmp_path):
    path = tmp_path / "one.parquet"
    text = [NAMES[code] for code in CODES]
    if kind == "struct":
        write_parquet(path, GREY, CODES, NAMES)
    else:
        images = pyarrow.array(GREY, pyarrow.large_binary() if kind == "large" else pyarrow.binary())
        found = {"text labels": pyarrow.array(text), "categories": pyarrow.array(text).dictionary_encode()}
        columns = ("img", "labels") if kind == "other names" else ("image", "label")
        parquet.write_table(pyarrow.table(dict(zip(columns, (images, found.get(kind, CODES)), strict=True))), path)
    splits = load(path, tmp_path, image_size=12, channels=1)
    assert splits.classes == (tuple(NAMES) if kind in ("struct", "text labels", "categories") else ("0", "1", "2"))
    assert np.bincount(splits.test.labels).tolist() == [2, 2, 2]


def test_columns_that_the_metadata_alone_mark_are_found(tmp_path):
    path = write_parquet(tmp_path / "one.parquet", GREY, CODES, NAMES)
    table = parquet.read_table(path)
    metadata = {"huggingface": table.schema.metadata[b"huggingface"].replace(b'"label"', b'"kind"')}
    parquet.write_table(table.rename_columns(["image", "kind"]).replace_schema_metadata(metadata), path)
    assert load(path, tmp_path).classes == tuple(NAMES)


def test_metadata_of_another_form_are_passed_over(tmp_path):
    for number, text in enumerate(
        ("no json", "[1]", '{"info": {"features": {"label": 3}}}', '{"info": {"features": []}}')
    ):
        path = write_parquet(tmp_path / f"{number}.parquet", GREY, CODES)
        parquet.write_table(parquet.read_table(path).replace_schema_metadata({"huggingface": text}), path)
        assert identify(f"file:{path}", path).classes == 3


def test_a_broken_picture_is_named_by_its_row(tmp_path):
    path = write_parquet(tmp_path / "one.parquet", [*GREY[:7], GREY[7][:60], *GREY[8:]], CODES)
    identify(f"file:{path}", path)
    with pytest.raises(DataError, match="row 7 of") as error:
        load(path, tmp_path)
    assert str(path) in str(error.value)
    assert error.value.fix == "mend or remove that row"
    assert list((tmp_path / "cache").glob("*.npz")) == []


@pytest.mark.parametrize("cell", [None, b""])
def test_a_row_with_a_path_and_no_picture_is_named(cell, tmp_path):
    path = write_parquet(tmp_path / "one.parquet", [*GREY[:5], cell, *GREY[6:]], CODES)
    with pytest.raises(DataError, match="no picture in row 5 of") as error:
        load(path, tmp_path)
    assert "not their paths" in error.value.fix


REFUSED = {
    "negative": ({"classes": [-1, *CODES[1:]]}, "label -1 in row 0"),
    "out of range": ({"classes": [3, *CODES[1:]], "names": NAMES}, "label 3 in row 0"),
    "absent": ({"classes": [0, None, *CODES[2:]]}, "row 1 has no label"),
    "fractions": ({"classes": [0.5, *CODES[1:]]}, "column of labels, label, holds double"),
    "lists": ({"classes": [[0], *[[code] for code in CODES[1:]]]}, "column of labels, label, holds list"),
    "a split": ({"split": pyarrow.array(["train"] * 29 + ["extra"])}, "split 'extra' in row 29"),
    "all test": ({"split": pyarrow.array(["test"] * 30)}, "has no training rows"),
    "missing in train": (
        {"split": pyarrow.array(["train" if code else "test" for code in CODES])},
        "without an image in the train part: '0'",
    ),
}


@pytest.mark.parametrize(("changed", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_trained_on_is_refused(changed, words, tmp_path):
    path = write_parquet(tmp_path / "one.parquet", **({"images": GREY, "classes": CODES} | changed))
    error = str(refused(path))
    assert words in error
    assert str(path) in error


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["picture", "label"], "no column is called image or img (there are picture, label)"),
        (["image", "kind"], "no column is called label or labels (there are image, kind)"),
        (["image", "image"], "two columns are called image"),
    ],
)
def test_a_missing_column_is_refused_with_those_there_are(columns, words, tmp_path):
    path = write_parquet(tmp_path / "one.parquet", GREY, CODES)
    parquet.write_table(parquet.read_table(path).rename_columns(columns), path)
    assert words in str(refused(path))


def test_pixels_in_lists_are_refused(tmp_path):
    path = tmp_path / "one.parquet"
    parquet.write_table(pyarrow.table({"image": [[1, 2, 3]] * 30, "label": CODES}), path)
    assert "holds no encoded ones" in str(refused(path))


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "footer"])
def test_damaged_bytes_are_refused_naming_the_file(damage, shards):
    victim = shards / "train-00001-of-00002.parquet"
    whole = victim.read_bytes()
    new = {
        "cut": whole[:100],
        "empty": b"",
        "text": b"no parquet at all",
        "footer": whole[:-200] + bytes(192) + whole[-8:],
    }
    victim.write_bytes(new[damage])
    assert str(victim) in str(refused(shards))


def spoil_names(folder: Path) -> str:
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"{number}.parquet")
    return "do not tell their parts"


def spoil_shard(folder: Path) -> str:
    (folder / "train-00000-of-00002.parquet").unlink()
    return "1 of the 2 files train-*-of-00002.parquet"


def spoil_all(folder: Path) -> str:
    for path in folder.iterdir():
        path.rename(path.with_suffix(".csv"))
    return "without a Parquet file"


def spoil_train(folder: Path) -> str:
    for path in folder.glob("train-*"):
        path.unlink()
    return "has no training rows"


@pytest.mark.parametrize("spoil", [spoil_names, spoil_shard, spoil_all, spoil_train])
def test_a_folder_of_other_files_is_refused(spoil, shards):
    words = spoil(shards)
    assert words in str(refused(shards))


def test_files_of_no_part_are_left_out_and_told(shards, tmp_path):
    write_parquet(shards / "unsupervised-0.parquet", GREY, CODES)
    assert "not read, being of no known name: unsupervised-0.parquet" in load(shards, tmp_path).notices


@pytest.mark.parametrize("change", ["content", "name"])
def test_a_change_of_a_shard_or_its_name_changes_the_fingerprint(change, shards, tmp_path):
    before = identify(f"file:{shards}", tmp_path).fingerprint
    if change == "content":
        write_parquet(shards / "test-0.parquet", GREY[:6], CODES[:6], NAMES)
    else:
        (shards / "test-0.parquet").rename(shards / "test-1.parquet")
    assert identify(f"file:{shards}", tmp_path).fingerprint != before
    with pytest.raises(DataError, match="not those that were submitted"):
        load(shards, tmp_path, fingerprint=before)


def test_a_file_that_changes_while_it_is_read_is_refused(shards, tmp_path, monkeypatch):
    from worker import data_file

    real = data_file.room_for

    def meddling(*how):
        os.utime(shards / "test-0.parquet", (1, 1))
        return real(*how)

    monkeypatch.setattr(data_file, "room_for", meddling)
    with pytest.raises(DataError, match="changed while it was read"):
        load(shards, tmp_path)


def test_without_pyarrow_the_mend_is_one_line(shards, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    error = refused(shards, ConfigError)
    assert str(error) == "a Parquet file needs pyarrow, which is not installed"
    assert "bench[parquet]" in error.fix
