"""Which data sets there are and what identifies one, without loading an image: enough for planning and submitting.

A published set is identified by its name. An image folder, `PATH/{train,test}/<class>/<image>`, is identified by a
fingerprint: the sha256 of its images' paths and contents. An image folder of a published set's name in the data folder
counts as the published set while it holds as many images of as many classes, and as a user's own data otherwise.
"""

import hashlib
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from db.errors import ConfigError, DataError

FOLDER = "folder:"
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm"})
PARTS = ("train", "test")


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
    """`fingerprint` is None for a published set; `images` are those of the training and of the test set."""

    name: str
    classes: int
    fingerprint: str | None
    images: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ImageFile:
    """`path` is relative to the image folder, with slashes; `label` the index of its class."""

    path: str
    label: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFolder:
    """What lies in an image folder, in the order of classes and file names."""

    root: Path
    classes: tuple[str, ...]
    train: tuple[ImageFile, ...]
    test: tuple[ImageFile, ...]
    ignored: tuple[str, ...]

    @property
    def files(self) -> tuple[ImageFile, ...]:
        return self.train + self.test

    def is_whole(self, published: Published) -> bool:
        """Whether it holds as many images of each class as the published set does."""
        train, test = (class_counts(files, len(self.classes)) for files in (self.train, self.test))
        classes = published.classes
        return train == [published.train] * classes and test == [published.test] * classes


def normalise(dataset: str, *, folder: Path | None = None) -> str:
    """The name as a config holds it: of a folder the absolute path, from `folder` or else from where we are.

    Raises ConfigError for an unknown name.
    """
    name = dataset.strip()
    if name.startswith(FOLDER):
        path = name.removeprefix(FOLDER)
        if not path:
            raise ConfigError(f"{FOLDER} needs a path", fix=f"write {FOLDER}PATH, e.g. {FOLDER}./pets")
        if not _is_text(path):
            raise ConfigError(f"{FOLDER} needs a path in UTF-8, not {path!a}", fix="rename the folder")
        try:
            # not resolved: behind a link, another host may have another real path
            return FOLDER + os.path.abspath((folder or Path()) / Path(path).expanduser())  # noqa: PTH100
        except RuntimeError as error:  # ~ somebody whom the system does not know
            raise ConfigError(f"there is no home of {Path(path).parts[0]}", fix="write the path in full") from error
    if name not in DATASET_NAMES:
        choices = f"choose one of {', '.join(DATASET_NAMES)}, or {FOLDER}PATH for an image folder of your own"
        raise ConfigError(f"unknown data set {dataset!r}", fix=choices)
    return name


def published_images(dataset: str) -> int | None:
    """How many training images, validation included, a published set has; None for an image folder."""
    if dataset == DIGITS:
        return DIGITS_IMAGES[0]
    published = CIFAR.get(dataset)
    return published.classes * published.train if published else None


def identify(dataset: str, data_dir: Path, *, validation_fraction: float = 0.2) -> DatasetIdentity:
    """Name, number of classes and fingerprint; reads files only of image folders, writes nothing.

    Raises ConfigError for an unknown name, DataError for an image folder that cannot be trained on.
    """
    name = normalise(dataset)
    if name == DIGITS:
        return DatasetIdentity(name=name, classes=DIGITS_CLASSES, fingerprint=None, images=DIGITS_IMAGES)
    root = folder_of(name, data_dir)
    published = CIFAR.get(name)
    if root is None and published is not None:
        images = (published.classes * published.train, published.classes * published.test)
        return DatasetIdentity(name=name, classes=published.classes, fingerprint=None, images=images)
    folder = scan(root or data_dir)
    check_split(folder, validation_fraction)
    return DatasetIdentity(
        name=name,
        classes=len(folder.classes),
        fingerprint=None if published and folder.is_whole(published) else fingerprint_of(folder),
        images=(len(folder.train), len(folder.test)),
    )


def folder_of(name: str, data_dir: Path) -> Path | None:
    """The image folder of a normalised name: a user's own, or the copy of a published set; None without one."""
    if name.startswith(FOLDER):
        return Path(name.removeprefix(FOLDER))
    copy = data_dir / name
    return copy if copy.is_dir() else None


def scan(root: Path) -> ImageFolder:
    """List an image folder without opening an image. Raises DataError naming what is missing and where."""
    if not root.is_dir():
        fix = f"create {root}/train/<class>/ and {root}/test/<class>/ with images, or name another folder"
        raise DataError(f"there is no image folder {root}", fix=fix)
    for part in PARTS:
        if not (root / part).is_dir():
            raise DataError(f"{root} has no folder {part}/", fix=f"put images into {root}/{part}/<class>/")
    try:
        return _scan(root)
    except OSError as error:
        raise DataError(f"cannot read {root}: {error}", fix="make the folder readable for this user") from error


def class_counts(files: Iterable[ImageFile], classes: int) -> list[int]:
    """How many files each class has."""
    counts = [0] * classes
    for file in files:
        counts[file.label] += 1
    return counts


def check_split(folder: ImageFolder, validation_fraction: float) -> None:
    """Raise DataError when the training images are too few for a stratified validation part."""
    counts = class_counts(folder.train, len(folder.classes))
    if min(counts) < 2:
        place = folder.root / "train" / folder.classes[counts.index(min(counts))]
        raise DataError(f"{place} has a single image: too few to split", fix="add an image of that class")
    validation = math.ceil(validation_fraction * len(folder.train))
    if min(validation, len(folder.train) - validation) < len(counts):
        raise DataError(
            f"{folder.root}/train has {len(folder.train)} images of {len(counts)} classes: too few to split with "
            f"validation_fraction {validation_fraction:g}",
            fix="add images, so that each class can have one in the training and one in the validation part",
        )


def fingerprint_of(folder: ImageFolder) -> str:
    """sha256 of the images' paths and contents; reads every file. Raises DataError naming an unreadable one."""
    # threads would make it slower: these are many small files
    return combined((file, hashlib.sha256(read_bytes(folder.root / file.path)).digest()) for file in folder.files)


def combined(digests: Iterable[tuple[ImageFile, bytes]]) -> str:
    """The fingerprint of a folder from each of its files, in order, with the sha256 of its contents."""
    whole = hashlib.sha256()
    for file, digest in digests:
        # a path cannot hold a NUL, so no two lists of files give the same bytes
        whole.update(file.path.encode() + b"\0" + digest)
    return whole.hexdigest()


def read_bytes(path: Path) -> bytes:
    """The file's contents. Raises DataError naming the file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", fix="mend or remove that file") from error


def _scan(root: Path) -> ImageFolder:
    classes = _class_names(root)
    ignored: list[str] = []
    train, test = (
        tuple(file for label, name in enumerate(classes) for file in _class_files(root, part, name, label, ignored))
        for part in PARTS
    )
    return ImageFolder(root=root, classes=classes, train=train, test=test, ignored=tuple(ignored))


def _class_names(root: Path) -> tuple[str, ...]:
    train, test = ({entry.name for entry in _visible(root / part) if entry.is_dir()} for part in PARTS)
    for here, there, extra in (("train", "test", train - test), ("test", "train", test - train)):
        if extra:
            shown = ", ".join(sorted(map(repr, extra))[:5])
            raise DataError(
                f"{root}: classes in {here}/ that {there}/ does not have: {shown}",
                fix=f"give {root}/train and {root}/test the same class folders",
            )
    for name in train:
        if not name.isprintable():
            raise DataError(f"{root}: a class name that is no printable text: {name!a}", fix="rename the folders")
    if len(train) < 2:
        raise DataError(f"{root}/train has too few class folders: {len(train)}", fix="at least 2 classes are needed")
    return tuple(sorted(train))


def _class_files(root: Path, part: str, name: str, label: int, ignored: list[str]) -> list[ImageFile]:
    files = []
    for entry in sorted(_visible(root / part / name), key=lambda entry: entry.name):
        path = f"{part}/{name}/{entry.name}"
        if not _is_text(path):
            raise DataError(f"{root}: a file name that is no valid text: {path!a}", fix="rename the file")
        # what is no regular file, a pipe say, could keep its reader waiting for ever
        if _is_special(entry) or os.path.splitext(entry.name)[1].lower() not in IMAGE_SUFFIXES:  # noqa: PTH122
            ignored.append(path)
            continue
        status = _status(entry, root / path)
        files.append(ImageFile(path, label, status.st_size, status.st_mtime_ns))
    if not files:
        place = root / part / name
        fix = f"add images ({' '.join(sorted(IMAGE_SUFFIXES))}), or remove the class from train/ and test/"
        raise DataError(f"the class {place} has no image", fix=fix)
    return files


def _status(entry: "os.DirEntry[str]", path: Path) -> os.stat_result:
    try:
        return entry.stat()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", fix="mend or remove that file") from error


def _is_special(entry: "os.DirEntry[str]") -> bool:
    """Whether it is there and no file; a link that leads nowhere is named when its status is asked."""
    return os.path.exists(entry.path) and not entry.is_file()  # noqa: PTH110


def _is_text(name: str) -> bool:
    # bytes that are not UTF-8 arrive as lone surrogates
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _visible(folder: Path) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if not entry.name.startswith("."))
