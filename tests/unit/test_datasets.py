"""What submit knows of a data set before anything is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.errors import ConfigError, DataError
from scheduler.datasets import CIFAR, DATASET_NAMES, Published, identify, normalise, scan

COUNTS = {"train": 5, "test": 2}


def image_folder(root: Path, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    pixels = np.random.default_rng(0)
    for part, count in COUNTS.items():
        for name in classes:
            folder = root / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                array = pixels.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(array).save(folder / f"{index}.png")
    return root


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return image_folder(tmp_path / "pets")


def fingerprint(folder: Path) -> str | None:
    return identify(f"folder:{folder}", folder).fingerprint


@pytest.mark.parametrize(("name", "classes"), [("cifar100-20", 20), ("cifar100", 100), ("cifar10", 10), ("digits", 10)])
def test_a_published_set_is_identified_by_its_name_alone(name, classes, tmp_path):
    identity = identify(name, tmp_path / "absent")
    assert (identity.name, identity.classes, identity.fingerprint) == (name, classes, None)
    assert name in DATASET_NAMES


def test_a_folder_is_identified_by_path_classes_and_fingerprint(pets):
    identity = identify(f"folder:{pets}", pets)
    assert (identity.name, identity.classes, identity.images) == (f"folder:{pets}", 2, (10, 4))
    assert identity.fingerprint is not None
    assert len(identity.fingerprint) == 64


def test_a_folder_means_the_same_from_another_working_directory(pets, monkeypatch):
    monkeypatch.chdir(pets.parent)
    name = normalise("folder:./pets")
    monkeypatch.chdir("/")
    assert name == normalise(name) == f"folder:{pets}"


@pytest.mark.parametrize(
    ("name", "meant"), [("pets", "folder:pets"), ("./pets", "folder:./pets"), ("grey.npz", "file:grey.npz")]
)
def test_a_path_without_its_kind_is_refused_with_the_whole_name(name, meant, pets, tmp_path):
    (tmp_path / "grey.npz").touch()
    with pytest.raises(ConfigError, match="unknown data set") as raised:
        normalise(name, folder=tmp_path)
    assert raised.value.fix == f"write {meant} for data of your own"


def test_a_copied_folder_has_the_same_fingerprint(pets, tmp_path):
    assert fingerprint(image_folder(tmp_path / "other")) == fingerprint(pets)


@pytest.mark.parametrize("change", ["content", "name", "class", "more", "fewer", "moved"])
def test_any_change_of_an_image_or_its_name_changes_the_fingerprint(change, pets):
    before, first = fingerprint(pets), pets / "train/cat/0.png"
    if change == "content":
        first.write_bytes(first.read_bytes() + b"\0")
    elif change == "name":
        first.rename(first.with_name("9.png"))
    elif change == "class":
        for part in COUNTS:
            (pets / part / "dog").rename(pets / part / "wolf")
    elif change == "more":
        first.with_name("more.png").write_bytes(first.read_bytes())
    elif change == "fewer":
        first.unlink()
    else:
        first.rename(pets / "train/dog/7.png")
    assert fingerprint(pets) != before


def test_hidden_files_and_dates_do_not_change_the_fingerprint(pets):
    before = fingerprint(pets)
    (pets / "train/cat/.DS_Store").write_bytes(b"finder")
    (pets / "train/.cache").mkdir()
    os.utime(pets / "train/cat/0.png", (1, 1))
    assert fingerprint(pets) == before


def test_files_that_are_no_images_by_name_are_listed_as_ignored(pets):
    (pets / "train/cat/notes.txt").write_text("two of them moved")
    assert scan(pets).ignored == ("train/cat/notes.txt",)


def test_an_unknown_name_is_refused_with_the_names_there_are():
    with pytest.raises(ConfigError, match="imagenet") as error:
        normalise("imagenet")
    assert all(name in error.value.fix for name in (*DATASET_NAMES, "folder:PATH"))


def spoil_part(root: Path) -> str:
    (root / "train").rename(root / "validation")
    return "train/"


def spoil_class(root: Path) -> str:
    (root / "test/dog").rename(root / "test/fox")
    return "'dog'"


def spoil_images(root: Path) -> str:
    for image in (root / "test/dog").iterdir():
        image.unlink()
    return str(root / "test/dog")


def spoil_number(root: Path) -> str:
    for image in sorted((root / "train/dog").iterdir())[1:]:
        image.unlink()
    return str(root / "train/dog")


def spoil_all(root: Path) -> str:
    root.rename(root.with_name("gone"))
    return str(root)


def spoil_count(root: Path) -> str:
    for part in COUNTS:
        (root / part / "dog").rename(root / f"{part}-dog")
    return "too few class folders: 1"


@pytest.mark.parametrize("spoil", [spoil_part, spoil_class, spoil_images, spoil_number, spoil_all, spoil_count])
def test_a_folder_that_cannot_be_trained_on_is_refused_naming_what_is_wrong(spoil, pets):
    wrong = spoil(pets)
    with pytest.raises(DataError) as error:
        identify(f"folder:{pets}", pets)
    assert wrong in str(error.value)
    assert error.value.fix


def test_too_few_images_for_the_validation_fraction_are_refused(pets):
    with pytest.raises(DataError, match="too few to split"):
        identify(f"folder:{pets}", pets, validation_fraction=0.05)


def test_an_incomplete_copy_of_a_published_set_counts_as_other_data(tmp_path):
    image_folder(tmp_path / "cifar10")
    identity = identify("cifar10", tmp_path)
    assert (identity.name, identity.classes, identity.images) == ("cifar10", 2, (10, 4))
    assert identity.fingerprint is not None


def test_a_whole_copy_of_a_published_set_counts_as_the_published_set(tmp_path, monkeypatch):
    monkeypatch.setitem(CIFAR, "cifar10", Published(2, COUNTS["train"], COUNTS["test"]))
    image_folder(tmp_path / "cifar10")
    assert identify("cifar10", tmp_path).fingerprint is None


def test_identifying_loads_nothing_heavy(pets):
    heavy = ("torch", "torchvision", "sklearn", "pandas", "PIL", "celery", "sqlalchemy")
    probe = (
        "import sys; from pathlib import Path; from scheduler.datasets import identify; "
        "identify(sys.argv[1], Path()); print(*(m for m in sys.argv[2:] if m in sys.modules))"
    )
    command = [sys.executable, "-c", probe, f"folder:{pets}", *heavy]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
