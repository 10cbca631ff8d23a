"""A user's .npz: both layouts, every form of pictures and labels, and what is refused before memory is taken for it."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from own_files import NAMES, labels, load, pictures, write_npz
from PIL import Image

from db.errors import DataError
from scheduler.datasets import identify
from worker import pictures as worker_pictures
from worker.host import Memory


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    return tmp_path / "pets.npz"


def refused(path: Path) -> DataError:
    with pytest.raises(DataError) as error:
        identify(f"file:{path}", path)
    assert str(path) in str(error.value)
    assert error.value.fix
    return error.value


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((28, 28), 1), ((28, 28, 1), 1), ((28, 28, 3), 3), ((1, 28, 28), 1), ((3, 28, 28), 3)],
    ids=str,
)
def test_pictures_of_every_form_are_read_as_they_are(shape, channels, npz, tmp_path):
    splits = load(write_npz(npz, *shape), tmp_path, image_size=28, channels=channels)
    stored = pictures(9, *shape, start=1).reshape(9, *shape)
    if len(shape) == 2:
        stored = stored[:, None]
    elif shape[0] > 3:
        stored = stored.transpose(0, 3, 1, 2)
    assert np.array_equal(splits.test.images, stored)
    assert splits.test.labels.tolist() == labels(9).tolist()
    assert [len(part.labels) for part in (splits.train, splits.val)] == [24, 6]


def test_medmnists_names_and_its_columns_of_labels_are_read_with_the_given_validation_part(npz, tmp_path):
    parts = {"train": 12, "val": 6, "test": 3}
    arrays = {f"{part}_images": pictures(count, 28, 28, start=count) for part, count in parts.items()}
    arrays |= {f"{part}_labels": labels(count)[:, None].astype(np.uint8) for part, count in parts.items()}
    np.savez(npz, **arrays)
    splits = load(npz, tmp_path, image_size=28, channels=1, validation_fraction=0.5)
    assert [len(part.labels) for part in (splits.train, splits.val, splits.test)] == [12, 6, 3]
    assert np.array_equal(splits.val.images[:, 0], arrays["val_images"])
    assert splits.made == ()
    assert any("validation part is the one given" in notice for notice in splits.notices)
    assert identify(f"file:{npz}", npz).images == (18, 3)


def test_images_and_labels_alone_are_divided_as_the_plan_says(npz, tmp_path):
    np.savez(npz, images=pictures(60, 16, 16), labels=labels(60))
    identity = identify(f"file:{npz}", npz, test_fraction=0.3)
    splits = load(npz, tmp_path, test_fraction=0.3)
    assert np.bincount(splits.test.labels).tolist() == [6, 6, 6]
    assert identity.images == (len(splits.train.labels) + len(splits.val.labels), 18) == (42, 18)
    assert splits.made == ("test", "val")
    assert "no test part is given: 18 images" in identity.notices[0]
    assert any("no test part was given: it is 30 % of the images of each class" in one for one in splits.notices)


@pytest.mark.parametrize(
    ("more", "classes"),
    [
        ({}, ("0", "1", "2")),
        ({"class_names": np.array(NAMES)}, tuple(NAMES)),
        ({"classes": np.array([b"c", b"b", b"a"])}, ("c", "b", "a")),
        ({"y_train": labels(30) + 5, "y_test": labels(9) + 5}, ("5", "6", "7")),
        ({"y_train": np.array(NAMES)[labels(30)], "y_test": np.array(NAMES)[labels(9)]}, tuple(NAMES)),
    ],
    ids=["numbers", "named", "bytes, their order kept", "not from 0", "text"],
)
def test_classes_are_the_names_or_else_the_labels(more, classes, npz, tmp_path):
    splits = load(write_npz(npz, 8, 8, **more), tmp_path)
    assert splits.classes == classes
    assert splits.test.labels.tolist() == labels(9).tolist()


def test_other_sizes_are_scaled_as_in_image_folders_and_told(npz, tmp_path):
    splits = load(write_npz(npz, 20, 30, 3), tmp_path, image_size=16)
    first = Image.fromarray(pictures(9, 20, 30, 3, start=1)[0]).resize((16, 16), Image.Resampling.BILINEAR)
    assert np.array_equal(splits.test.images[0].transpose(1, 2, 0), np.asarray(first))
    assert "39 of 39 images were scaled to 16x16, aspect ratio ignored" in splits.notices


def test_colours_become_grey_by_luminance_and_grey_three_equal_channels(npz, tmp_path):
    write_npz(npz, 32, 32, 3)
    grey, colour = load(npz, tmp_path, channels=1), load(npz, tmp_path)
    weighted = colour.test.images.transpose(0, 2, 3, 1) @ np.array([0.299, 0.587, 0.114])
    assert grey.test.images.shape == (9, 1, 32, 32)
    assert np.abs(grey.test.images[:, 0] - weighted).max() <= 1
    assert any("39 of 39 images were given up" in notice for notice in grey.notices)
    alike = load(write_npz(npz.with_name("grey.npz"), 32, 32), tmp_path)
    assert (alike.test.images == alike.test.images[:, :1]).all()
    assert alike.notices == ()


def test_arrays_of_other_names_are_left_out_and_told(npz, tmp_path):
    splits = load(write_npz(npz, 32, 32, ages=np.arange(5), weights=np.arange(3)), tmp_path)
    assert splits.notices == ("not read, being of no known name: ages and 1 more",)


REFUSED = {
    "floats": ({"x_train": pictures(30, 8, 8) / 255}, "holds float64, not uint8"),
    "wide numbers": ({"x_train": pictures(30, 8, 8).astype(np.int64)}, "holds int64, not uint8"),
    "truth values": ({"x_train": pictures(30, 8, 8) > 40}, "holds bool, not uint8"),
    "four channels": ({"x_train": pictures(30, 8, 8, 4)}, "which is none of pictures"),
    "flat pictures": ({"x_train": pictures(30, 64)}, "which is none of pictures"),
    "no pictures": ({"x_train": pictures(0, 8, 8), "y_train": labels(0)}, "has 0 pictures"),
    "fortran": ({"x_train": np.asfortranarray(pictures(30, 8, 8))}, "column by column"),
    "objects": ({"y_train": np.array([1, "a"] * 15, dtype=object)}, "would have to be unpickled"),
    "several labels": ({"y_train": np.eye(3, dtype=int)[labels(30)]}, "several values for each picture"),
    "fractions": ({"y_train": labels(30) / 2}, "y_train holds float64"),
    "fewer labels": ({"y_train": labels(29)}, "30 pictures, y_train 29 labels"),
    "negative": ({"y_test": labels(9) - 1}, "label -1 in row 0 of the test part"),
    "out of range": ({"y_test": labels(9) + 1, "class_names": np.array(NAMES)}, "label 3 in row 2 of the test part"),
    "only in test": ({"y_test": labels(9) + 1}, "classes without an image in the train part: '3'"),
    "only in train": ({"y_test": np.zeros(9, int)}, "classes without an image in the test part: '1', '2'"),
    "one class": ({"y_train": np.zeros(30, int), "y_test": np.zeros(9, int)}, "labels of a single class"),
    "too many classes": (
        {"x_train": pictures(3000, 2, 2), "y_train": np.arange(3000), "x_test": None, "y_test": None},
        "3,000 different labels",
    ),
    "text and numbers": ({"y_test": np.array(NAMES)[labels(9)]}, "some labels are text and others numbers"),
    "equal names": ({"class_names": np.array(["a", "b", "a"])}, "two classes are called 'a'"),
    "unprintable name": ({"class_names": np.array(["a", "b", "c\x1b[31m"])}, "no printable text"),
    "endless name": ({"class_names": np.array(["a", "b", "c" * 5000])}, "no printable text: 'ccc"),
    "no labels": ({"y_test": None}, "has x_test but no y_test"),
    "no training": ({"x_train": None, "y_train": None}, "do not tell what is what (there are x_test, y_test)"),
    "two layouts": ({"train_images": pictures(9, 8, 8), "train_labels": labels(9)}, "do not tell what is what"),
    "single image": ({"y_train": np.r_[labels(29), 3], "y_test": np.r_[labels(8), 3]}, "'3' has a single image"),
}


@pytest.mark.parametrize(("changed", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_trained_on_is_refused_naming_the_array(changed, words, npz):
    assert words in str(refused(write_npz(npz, 8, 8, **changed)))


def header(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def rewritten(path: Path, **members: bytes) -> Path:
    """The archive with these members instead of its own."""
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (kept | {f"{name}.npy": data for name, data in members.items()}).items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "a bit", "header", "version", "negative", "bzip2", "pipe"])
def test_damaged_bytes_are_refused_naming_the_file(damage, npz):
    write_npz(npz, 8, 8)
    whole = npz.read_bytes()
    if damage in ("cut", "empty", "text"):
        npz.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"no archive"}[damage])
    elif damage == "a bit":  # in the labels, which a plan reads
        with zipfile.ZipFile(npz) as archive:
            place = archive.getinfo("y_train.npy").header_offset + 70
        npz.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    elif damage == "bzip2":
        with zipfile.ZipFile(npz, "w", zipfile.ZIP_BZIP2) as archive:
            archive.writestr("images.npy", header((2, 2)) + bytes(4))
    elif damage == "pipe":
        npz.unlink()
        os.mkfifo(npz)
    else:
        sound = header((30, 8, 8))
        bad = {"header": b"\x93NUMPY\x01\x00\x08\x00[[[[[[[[", "version": b"\x93NUMPY\x02\x00" + sound[8:]}
        rewritten(npz, x_train=bad.get(damage) or header((-30, 8, -8)) + bytes(1920))
    refused(npz)


@pytest.mark.parametrize(
    "member",
    [header((10**9, 64, 64)), header((2**40, 2**40, 2**40)), header((30, 8, 8)) + bytes(1919)],
    ids=["a claim", "a claim beyond 64 bits", "too few bytes"],
)
def test_a_shape_that_its_bytes_do_not_fit_is_refused_unread(member, npz):
    assert "by its shape" in str(refused(rewritten(write_npz(npz, 8, 8), x_train=member)))


def test_a_picture_of_absurd_size_is_refused(npz):
    np.savez_compressed(npz, images=np.zeros((1, 2**14, 2**13), np.uint8), labels=[0])
    assert "1 pictures of 16384x8192" in str(refused(npz))


def test_endless_labels_are_refused_before_they_are_read(npz):
    assert "holds 30 labels of" in str(refused(write_npz(npz, 8, 8, y_train=np.zeros(30, "U3000000"))))


def test_pictures_that_memory_has_no_room_for_are_refused_before_it_is_taken(npz, tmp_path, monkeypatch):
    write_npz(npz, 8, 8)
    identify(f"file:{npz}", npz)
    monkeypatch.setattr(worker_pictures, "host_memory", lambda: Memory(0.0, (3 * 30 * 512 * 512 * 3 - 1) / 2**20))
    with pytest.raises(DataError, match=r"30 pictures of 512x512x3 need some 0\.1 GiB") as error:
        load(npz, tmp_path, image_size=512)
    assert "image_size" in error.value.fix
    assert list((tmp_path / "cache").glob("*.npz")) == []


@pytest.mark.parametrize("place", [60_000, 30 * 64 * 64], ids=["in the middle", "in the last picture"])
def test_damage_in_the_pictures_is_found_when_they_are_read(place, npz, tmp_path):
    np.savez(npz, images=pictures(30, 64, 64), labels=labels(30))
    whole = npz.read_bytes()
    npz.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    identify(f"file:{npz}", npz)
    with pytest.raises(DataError, match="cut short, altered") as error:
        load(npz, tmp_path)
    assert str(npz) in str(error.value)
    assert list((tmp_path / "cache").glob("*.npz")) == []


def test_a_file_that_changed_after_its_submission_is_refused(npz, tmp_path):
    submitted = identify(f"file:{write_npz(npz, 8, 8)}", npz).fingerprint
    load(npz, tmp_path, fingerprint=submitted)
    write_npz(npz, 8, 8, x_test=pictures(9, 8, 8, start=2))
    with pytest.raises(DataError, match="not those that were submitted") as error:
        load(npz, tmp_path, fingerprint=submitted)
    assert "bench submit" in error.value.fix
    assert identify(f"file:{npz}", npz).fingerprint != submitted


def test_a_copy_of_the_file_under_another_name_has_the_same_fingerprint(npz):
    write_npz(npz, 8, 8)
    other = npz.with_name("other.npz")
    other.write_bytes(npz.read_bytes())
    assert identify(f"file:{npz}", npz).fingerprint == identify(f"file:{other}", npz).fingerprint


LOAD = """
import sys
from pathlib import Path
from own_files import load
print(load(Path(sys.argv[1]), Path(sys.argv[2]), image_size=40).fingerprint)
"""


def test_two_processes_that_read_at_once_agree_and_leave_one_copy(npz, tmp_path):
    write_npz(npz, 8, 8)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n{LOAD}"]
    running = [subprocess.Popen([*command, npz, tmp_path], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    found = {process.communicate(timeout=120)[0].strip() for process in running}
    assert found == {load(npz, tmp_path, image_size=40).fingerprint}
    assert len([one for one in (tmp_path / "cache").glob("*.npz") if not one.name.startswith("split-")]) == 1


def test_each_size_has_a_copy_of_its_own(npz, tmp_path):
    write_npz(npz, 8, 8)
    sizes = [load(npz, tmp_path, image_size=size).test.images.shape for size in (8, 12, 8, 12)]
    assert sizes == [(9, 3, 8, 8), (9, 3, 12, 12)] * 2


@pytest.mark.parametrize("name", ["pets.zip", "nowhere.npz", "nowhere"])
def test_what_is_no_such_file_is_refused(name, tmp_path):
    if name == "pets.zip":
        (tmp_path / name).touch()
    refused(tmp_path / name)


def test_identifying_a_file_loads_nothing_heavy(npz):
    heavy = ("torch", "torchvision", "sklearn", "pandas", "PIL", "celery", "sqlalchemy", "pyarrow")
    probe = (
        "import sys; from pathlib import Path; from scheduler.datasets import identify; "
        "identify(sys.argv[1], Path()); print(*(m for m in sys.argv[2:] if m in sys.modules))"
    )
    command = [sys.executable, "-c", probe, f"file:{write_npz(npz, 8, 8)}", *heavy]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
