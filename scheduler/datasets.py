"""Which data sets there are and what identifies one, without loading an image: enough for planning and submitting.

A published set is identified by its name, a user's own by a fingerprint: the sha256 of its files' contents, of an image
folder with their paths. An image folder of a published set's name in the data folder counts as the published set while
it holds as many images of as many classes, and as a user's own data otherwise.
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from db.errors import ConfigError
from scheduler.image_files import ImageFolder, check_split, class_counts, fingerprint_of, is_text, scan
from scheduler.parts import training_share

if TYPE_CHECKING:
    from scheduler.data_file import Columns, DataFile, StoredFile

FOLDER, FILE = "folder:", "file:"
_OWN = {FOLDER: ("./pets", "folder"), FILE: ("./pets.npz", "file")}


@dataclass(frozen=True, slots=True)
class Published:
    """Size of a published set, all classes alike: images per class in the training and in the test set."""

    classes: int
    train: int
    test: int


CIFAR = {
    "cifar100-20": Published(20, 500, 100),
    "cifar100": Published(100, 500, 100),
    "cifar10": Published(10, 5000, 1000),
}
DIGITS = "digits"
DIGITS_CLASSES, DIGITS_IMAGES = 10, (1437, 360)
DATASET_NAMES = (*CIFAR, DIGITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetIdentity:
    """`fingerprint` is None for a published set; `images`: how many train or validate, and how many test.

    `val`: how many of the former are a validation part that is given, 0 where it is to be made.
    """

    name: str
    classes: int
    fingerprint: str | None
    images: tuple[int, int]
    val: int = 0
    notices: tuple[str, ...] = ()

    def training_images(self, validation_fraction: float) -> int:
        images = self.images[0]
        return images - self.val if self.val else training_share(images, validation_fraction)


def is_own(name: str) -> bool:
    """Whether it names a user's own files, and no published set."""
    return name.startswith((FOLDER, FILE))


def has_columns(name: str) -> bool:
    """Whether it names Parquet files, by its ending: a folder of them may have any."""
    return name.startswith(FILE) and not name.lower().endswith(".npz")


def normalise(dataset: str, *, folder: Path | None = None) -> str:
    """The name as a config holds it: of a user's own the absolute path, from `folder` or else from where we are.

    Raises ConfigError for an unknown name.
    """
    name = dataset.strip()
    if is_own(name):
        kind, _, path = name.partition(":")
        kind += ":"
        example, what = _OWN[kind]
        if not path:
            raise ConfigError(f"{kind} needs a path", fix=f"write {kind}PATH, e.g. {kind}{example}")
        if not is_text(path):
            raise ConfigError(f"{kind} needs a path in UTF-8, not {path!a}", fix=f"rename the {what}")
        try:
            # not resolved: behind a link, another host may have another real path
            return kind + os.path.abspath((folder or Path()) / Path(path).expanduser())  # noqa: PTH100
        except RuntimeError as error:  # ~ somebody whom the system does not know
            raise ConfigError(f"there is no home of {Path(path).parts[0]}", fix="write the path in full") from error
    if name not in DATASET_NAMES:
        # a Path refuses some texts
        place = os.path.join(folder or "", name) if name else ""  # noqa: PTH118
        kind = FOLDER if os.path.isdir(place) else FILE if os.path.isfile(place) else ""  # noqa: PTH112, PTH113
        if kind:
            raise ConfigError(f"unknown data set {dataset!r}", fix=f"write {kind}{name} for data of your own")
        own = f"{FOLDER}PATH for an image folder or {FILE}PATH for an .npz or Parquet file of your own"
        raise ConfigError(f"unknown data set {dataset!r}", fix=f"choose one of {', '.join(DATASET_NAMES)}, or {own}")
    return name


def published_images(dataset: str) -> int | None:
    """How many training images, validation included, a published set has; None for a user's own."""
    if dataset == DIGITS:
        return DIGITS_IMAGES[0]
    published = CIFAR.get(dataset)
    return published.classes * published.train if published else None


def identify(
    dataset: str,
    data_dir: Path,
    *,
    validation_fraction: float = 0.2,
    test_fraction: float = 0.2,
    columns: "Columns | None" = None,
) -> DatasetIdentity:
    """Name, number of classes and fingerprint; reads files only of a user's own, writes nothing.

    Raises ConfigError for an unknown name, DataError for files that cannot be trained on.
    """
    name = normalise(dataset)
    if name == DIGITS:
        return DatasetIdentity(name=name, classes=DIGITS_CLASSES, fingerprint=None, images=DIGITS_IMAGES)
    if name.startswith(FILE):
        from scheduler.data_file import Columns, files_of

        path = Path(name.removeprefix(FILE))
        data, fingerprint = _labelled(path, files_of(path), columns or Columns())
        images = data.check_split(validation_fraction, test_fraction)
        return DatasetIdentity(
            name=name,
            classes=len(data.classes),
            fingerprint=fingerprint,
            images=images,
            val=len(data.labels.get("val", ())),
            notices=_made("test" not in data.labels, images[1], test_fraction),
        )
    root = folder_of(name, data_dir)
    published = CIFAR.get(name)
    if root is None and published is not None:
        images = (published.classes * published.train, published.classes * published.test)
        return DatasetIdentity(name=name, classes=published.classes, fingerprint=None, images=images)
    folder = scan(root or data_dir)
    images = check_split(folder, validation_fraction, test_fraction)
    return DatasetIdentity(
        name=name,
        classes=len(folder.classes),
        fingerprint=None if published and is_whole(folder, published) else fingerprint_of(folder),
        images=images,
        val=len(folder.val or ()),
        notices=_made(folder.test is None, images[1], test_fraction),
    )


@lru_cache(maxsize=1)
def _labelled(path: Path, files: "tuple[StoredFile, ...]", columns: "Columns") -> "tuple[DataFile, str]":
    """Read once for all the fractions that a suite may have; `files` are what lies there."""
    from scheduler.data_file import fingerprint_of_files, read_labels

    return read_labels(path, columns), fingerprint_of_files(path, files)


def _made(test: bool, images: int, fraction: float) -> tuple[str, ...]:
    if not test:
        return ()
    return (f"no test part is given: {images:,} images will be it, {fraction:.3g} of each class, drawn by split_seed",)


def folder_of(name: str, data_dir: Path) -> Path | None:
    """The image folder of a normalised name: a user's own, or the copy of a published set; None without one."""
    if name.startswith(FOLDER):
        return Path(name.removeprefix(FOLDER))
    copy = data_dir / name
    return copy if copy.is_dir() else None


def is_whole(folder: ImageFolder, published: Published) -> bool:
    """Whether it holds as many images of each class as the published set does, in the same parts."""
    if folder.val is not None or folder.test is None:
        return False
    train, test = (class_counts(files, len(folder.classes)) for files in (folder.train, folder.test))
    return train == [published.train] * published.classes and test == [published.test] * published.classes
