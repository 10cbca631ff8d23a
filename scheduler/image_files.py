"""An image folder as it lies there: its classes, parts and files, and what identifies it, without opening an image.

`PATH/{train,val,test}/<class>/<image>`, of which `val/` (or `validation/`) and `test/` may be absent, or class folders
alone, `PATH/<class>/<image>`. Parts that are absent are made of the training images when they are loaded.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from db.errors import DataError
from scheduler.parts import check_parts

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm"})
_FOLDERS = {"train": "train", "val": "val", "validation": "val", "test": "test"}
"""Names of folders, and the part that each holds."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """`path` is relative to the image folder, with slashes; `label` the index of its class."""

    path: str
    label: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFolder:
    """What lies in an image folder, in the order of classes and file names; None for a part that is not given."""

    root: Path
    classes: tuple[str, ...]
    train: tuple[ImageFile, ...]
    val: tuple[ImageFile, ...] | None
    test: tuple[ImageFile, ...] | None
    ignored: tuple[str, ...]

    @property
    def files(self) -> tuple[ImageFile, ...]:
        return self.train + (self.val or ()) + (self.test or ())


def scan(root: Path) -> ImageFolder:
    """List an image folder without opening an image. Raises DataError naming what is missing and where."""
    if root.is_file():
        raise DataError(f"{root} is a file, no image folder", fix=f"write file:{root} for an .npz or Parquet file")
    if not root.is_dir():
        fix = f"create {root}/<class>/ with images for each class, or name another folder"
        raise DataError(f"there is no image folder {root}", fix=fix)
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


def check_split(folder: ImageFolder, validation_fraction: float, test_fraction: float) -> tuple[int, int]:
    """How many images train or validate, and how many test. Raises DataError when they are too few for that."""
    counts = class_counts(folder.train, len(folder.classes))
    place = (folder.root / folder.train[0].path).parent.parent
    taken = check_parts(
        str(place),
        lambda label: str(place / folder.classes[label]),
        counts,
        val=folder.val is not None,
        test=folder.test is not None,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
    )
    return len(folder.train) + len(folder.val or ()) - taken, len(folder.test or ()) + taken


def fingerprint_of(folder: ImageFolder) -> str:
    """sha256 of the images' paths and contents; reads every file. Raises DataError naming an unreadable one."""
    # threads would make it slower: these are many small files
    return combined((file.path, hashlib.sha256(read_bytes(folder.root / file.path)).digest()) for file in folder.files)


def combined(digests: Iterable[tuple[str, bytes]]) -> str:
    """The fingerprint of many files from the path of each, in order, with the sha256 of its contents."""
    whole = hashlib.sha256()
    for path, digest in digests:
        # a path cannot hold a NUL, so no two lists of files give the same bytes
        whole.update(path.encode() + b"\0" + digest)
    return whole.hexdigest()


def read_bytes(path: Path) -> bytes:
    """The file's contents. Raises DataError naming the file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", fix="mend or remove that file") from error


def is_text(name: str) -> bool:
    # bytes that are not UTF-8 arrive as lone surrogates
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _scan(root: Path) -> ImageFolder:
    folders = _part_folders(root)
    classes = _class_names(root, folders)
    ignored: list[str] = []

    def files(part: str) -> tuple[ImageFile, ...] | None:
        if part not in folders:
            return None
        inside = f"{folders[part]}/" if folders[part] else ""
        return tuple(
            file
            for label, name in enumerate(classes)
            # a class may be absent from a validation part, but from no other
            if part != "val" or (root / inside / name).is_dir()
            for file in _class_files(root, f"{inside}{name}", label, ignored)
        )

    return ImageFolder(
        root=root,
        classes=classes,
        train=files("train") or (),
        val=files("val"),
        test=files("test"),
        ignored=tuple(ignored),
    )


def _part_folders(root: Path) -> dict[str, str]:
    """The folder of each part that is given; of class folders alone "", the root itself, for the training part."""
    here = _folders(root)
    there = [name for name in _FOLDERS if name in here]
    # a class may be called train: then there are others beside it, and no folders in it
    if not there or (here - {*there} and not any(_folders(root / name) for name in there)):
        return {"train": ""}
    if "train" not in there:
        raise DataError(f"{root} has no folder train/", fix=f"put images into {root}/train/<class>/")
    if {"val", "validation"} <= {*there}:
        raise DataError(f"{root} has both val/ and validation/", fix="keep one of them")
    return {_FOLDERS[name]: name for name in there}


def _folders(folder: Path) -> set[str]:
    return {entry.name for entry in _visible(folder) if entry.is_dir()}


def _class_names(root: Path, folders: dict[str, str]) -> tuple[str, ...]:
    of_parts = {part: _folders(root / name) for part, name in folders.items()}
    train = of_parts["train"]
    for part, found in of_parts.items():
        for here, there, extra in (("train", part, train - found), (part, "train", found - train)):
            if extra and not (part == "val" and here == "train"):
                shown = ", ".join(sorted(map(repr, extra))[:5])
                raise DataError(
                    f"{root}: classes in {folders[here]}/ that {folders[there]}/ does not have: {shown}",
                    fix=f"give {root}/{folders['train']} and {root}/{folders[part]} the same class folders",
                )
    for name in train:
        if not name.isprintable():
            raise DataError(f"{root}: a class name that is no printable text: {name!a}", fix="rename the folders")
    if len(train) < 2:
        place = root / folders["train"]
        fix = f"put the images of each class into a folder of its own, {place}/<class>/; at least 2 classes are needed"
        raise DataError(f"{place} has too few class folders: {len(train)}", fix=fix)
    return tuple(sorted(train))


def _class_files(root: Path, place: str, label: int, ignored: list[str]) -> list[ImageFile]:
    files = []
    for entry in sorted(_visible(root / place), key=lambda entry: entry.name):
        path = f"{place}/{entry.name}"
        if not is_text(path):
            raise DataError(f"{root}: a file name that is no valid text: {path!a}", fix="rename the file")
        # what is no regular file, a pipe say, could keep its reader waiting for ever
        if _is_special(entry) or _suffix(entry.name) not in IMAGE_SUFFIXES:
            ignored.append(path)
            continue
        status = _status(entry, root / path)
        files.append(ImageFile(path, label, status.st_size, status.st_mtime_ns))
    if not files:
        fix = f"add images ({' '.join(sorted(IMAGE_SUFFIXES))}), or remove the class, from train/ and test/ alike"
        raise DataError(f"the class {root / place} has no image", fix=fix)
    return files


def _status(entry: "os.DirEntry[str]", path: Path) -> os.stat_result:
    try:
        return entry.stat()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", fix="mend or remove that file") from error


def _is_special(entry: "os.DirEntry[str]") -> bool:
    """Whether it is there and no file; a link that leads nowhere is named when its status is asked."""
    try:
        # the folder has told of what is a file: only the rest is looked for
        return not entry.is_file() and Path(entry.path).exists()
    except OSError:
        return False


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - a Path for each file makes listing them a fifth slower


def _visible(folder: Path) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:  # unlike Path.iterdir it knows what is a file without asking for each
        yield from (entry for entry in entries if not entry.name.startswith("."))
