"""Parts that are not given are made: of every class, by the split seed alone; unequal classes are told of."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_files import labels, load, pictures
from PIL import Image

from db.class_sizes import unevenness
from db.errors import DataError
from scheduler import parts
from scheduler.datasets import identify
from scheduler.parts import check_parts
from worker import division
from worker.array_cache import Arrays
from worker.splits import Part, Splits


@given(st.lists(st.integers(2, 40), min_size=2, max_size=6), st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_a_made_test_part_has_its_share_of_every_class_and_leaves_some(counts, fraction, seed):
    found = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    rest, test = division.tested(found, fraction=fraction, seed=seed)
    assert np.array_equal(np.sort(np.r_[rest, test]), np.arange(len(found)))
    taken = np.bincount(found[test], minlength=len(counts)).tolist()
    assert taken == parts.test_share(counts, fraction)
    for count, share in zip(counts, taken, strict=True):
        assert 1 <= share < count
        assert abs(share - fraction * count) <= 1


def test_a_made_test_part_depends_on_the_split_seed_alone():
    found = labels(60)
    first, again, other = (division.tested(found, fraction=0.2, seed=seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again != other
    assert first == [8, 9, 10, 14, 18, 25, 30, 38, 46, 48, 49, 56]  # whatever NumPy's version


@pytest.mark.parametrize(
    ("counts", "given_parts", "words"),
    [
        ([9, 2], (), "class b has 2 images"),
        ([9, 1], ("test",), "class b has a single image"),
        ([9, 1], ("val",), "class b has a single image"),
        ([9, 0], ("val", "test"), "class b has no image"),
        ([3, 3], ("test",), None),
        ([2, 2], ("val", "test"), None),
    ],
)
def test_classes_too_small_for_the_parts_to_be_made_are_refused(counts, given_parts, words):
    def check() -> int:
        there = {part: part in given_parts for part in ("val", "test")}
        fractions = {"validation_fraction": 0.4, "test_fraction": 0.2}
        return check_parts("here", lambda label: f"class {'ab'[label]}", counts, **there, **fractions)

    if words is None:
        assert check() == 0
    else:
        with pytest.raises(DataError, match=words) as error:
            check()
        assert error.value.fix


def splits(train: list[int], test: list[int]) -> Splits:
    def part(counts: list[int]) -> Part:
        found = np.repeat(np.arange(len(counts)), counts)
        return Part(images=np.zeros((len(found), 1, 8, 8), np.uint8), labels=found)

    own = {"train": part(train), "val": part([1] * len(train)), "test": part(test)}
    return Splits(name="made", fingerprint="f", classes=("a", "b", "c"), **own)


def test_classes_of_unequal_size_are_told_of_with_what_one_answer_is_worth():
    told = unevenness("abc", [20, 60, 10], [2, 5, 1])
    assert "b has 60 training images, c 10" in told
    assert "always answering b would be right for 62.5 % of the test images" in told


@pytest.mark.parametrize(("largest", "is_told"), [(29, False), (30, True)])
def test_one_and_a_half_times_is_what_counts_as_unequal(largest, is_told):
    assert bool(unevenness("abc", [20, largest, 25], [5, 5, 5])) == is_told


def test_the_fingerprint_of_data_in_two_parts_is_what_it_was_before_there_were_others():
    arrays = Arrays(
        classes=("a", "b"), train=splits([2, 2, 2], [1, 1, 1]).train, test=splits([2, 2, 2], [1, 1, 1]).test
    )
    assert arrays.fingerprint() == "93e850375f1bb6b77fb6980d8e86bbae179f598483471d729dbbee9d38117b13"
    assert replace(arrays, val=arrays.test, test=arrays.train).fingerprint() != arrays.fingerprint()


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Class folders alone: 12, 6 and 3 pictures."""
    for name, count in (("ant", 12), ("bee", 6), ("cow", 3)):
        folder = tmp_path / "farm" / name
        folder.mkdir(parents=True)
        for index, picture in enumerate(pictures(count, 8, 8, start=count)):
            Image.fromarray(picture).save(folder / f"{index}.png")
    return tmp_path / "farm"


def test_class_folders_alone_are_divided_and_told_of(classes, tmp_path):
    splits = load(classes, tmp_path, kind="folder:", image_size=8)
    counts = [np.bincount(part.labels).tolist() for part in (splits.train, splits.val, splits.test)]
    assert splits.classes == ("ant", "bee", "cow")
    assert counts[2] == [2, 1, 1]
    assert np.add(counts[0], counts[1]).tolist() == [10, 5, 2]
    assert identify(f"folder:{classes}", tmp_path).images == (17, 4)
    images = np.concatenate([part.images for part in (splits.train, splits.val, splits.test)])
    assert len(np.unique(images.reshape(21, -1), axis=0)) == 21
    assert sum("split_seed 42" in one or "not of one size" in one for one in splits.notices) == 2


def test_the_copy_of_data_without_a_test_part_gives_the_same_parts(classes, tmp_path):
    first, again = (load(classes, tmp_path, kind="folder:") for _ in range(2))
    for one, other in zip((first.train, first.val, first.test), (again.train, again.val, again.test), strict=True):
        assert np.array_equal(one.images, other.images)
    assert first.notices == again.notices
    assert not np.array_equal(first.test.images, load(classes, tmp_path, kind="folder:", split_seed=1).test.images)


def test_a_class_that_is_called_train_is_a_class(classes, tmp_path):
    (classes / "ant").rename(classes / "train")
    assert load(classes, tmp_path, kind="folder:").classes == ("bee", "cow", "train")


def test_pictures_in_train_and_test_without_class_folders_are_refused(classes, tmp_path):
    (classes / "ant").rename(classes / "train")
    (classes / "bee").rename(classes / "test")
    for picture in (classes / "cow").iterdir():
        picture.unlink()
    (classes / "cow").rmdir()
    with pytest.raises(DataError, match="too few class folders: 0"):
        identify(f"folder:{classes}", tmp_path)


@pytest.mark.parametrize("name", ["val", "validation"])
def test_a_validation_folder_is_the_validation_part_and_may_lack_a_class(name, classes, tmp_path):
    whole = tmp_path / "whole"
    (whole / name).mkdir(parents=True)
    (whole / "test").mkdir()
    for kind in ("ant", "bee", "cow"):
        (whole / "test" / kind).mkdir()
        (classes / kind / "0.png").rename(whole / "test" / kind / "0.png")
    (whole / name / "bee").mkdir()
    (classes / "bee" / "1.png").rename(whole / name / "bee" / "1.png")
    classes.rename(whole / "train")
    splits = load(whole, tmp_path, kind="folder:", validation_fraction=0.5)
    counts = [np.bincount(part.labels, minlength=3).tolist() for part in (splits.train, splits.val, splits.test)]
    assert counts == [[11, 4, 2], [0, 1, 0], [1, 1, 1]]
    assert splits.made == ()
    assert identify(f"folder:{whole}", tmp_path).images == (18, 3)
