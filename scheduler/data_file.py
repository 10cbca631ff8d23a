"""A user's own file of pictures and labels, `.npz` or Parquet, as far as its labels tell; no picture is decoded."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from db.errors import DataError
from scheduler.image_files import combined
from scheduler.parts import check_parts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NPZ, PARQUET = ".npz", ".parquet"


class Columns(NamedTuple):
    """Of Parquet files the columns of pictures and labels, where somebody has named them."""

    image: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`name` is relative to the path that the data set names: empty where that is the file itself."""

    name: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """`labels` of the parts that are given, train always, as indices of `classes`; `ignored`: what is not read."""

    path: Path
    classes: tuple[str, ...]
    labels: "Mapping[str, NDArray[np.int64]]"
    ignored: tuple[str, ...] = ()

    def check_split(self, validation_fraction: float, test_fraction: float) -> tuple[int, int]:
        """How many images train or validate, and how many test. Raises DataError when they are too few for that."""
        sizes = {part: len(labels) for part, labels in self.labels.items()}
        taken = check_parts(
            f"the training part of {self.path}",
            lambda label: f"{self.path}: class {self.classes[label]!r}",
            class_sizes(self.labels["train"], len(self.classes)),
            val="val" in sizes,
            test="test" in sizes,
            validation_fraction=validation_fraction,
            test_fraction=test_fraction,
        )
        return sizes["train"] + sizes.get("val", 0) - taken, sizes.get("test", 0) + taken


def class_sizes(labels: "NDArray[np.int64]", classes: int) -> list[int]:
    """How many images each class has."""
    import numpy as np

    return [int(count) for count in np.bincount(labels, minlength=classes)]


def files_of(path: Path) -> tuple[StoredFile, ...]:
    """The file itself, or the Parquet files of a folder by name. Raises DataError when there is none to read."""
    try:
        if path.is_dir():
            inside = [one for one in path.iterdir() if one.suffix.lower() == PARQUET and not one.name.startswith(".")]
            found = sorted(one for one in inside if one.is_file())
            if not found:
                fix = "name an .npz or Parquet file, a folder of train-*.parquet, or folder:PATH for pictures"
                raise DataError(f"{path} is a folder without a Parquet file", fix=fix)
            statuses = [(one.name, one.stat()) for one in found]
        elif path.suffix.lower() not in (NPZ, PARQUET):
            raise DataError(
                f"{path} is neither .npz nor .parquet by its ending",
                fix="save it as one of these, or name a folder with a folder of images for each class: folder:PATH",
            )
        elif path.exists() and not path.is_file():  # a pipe could keep its reader waiting for ever
            raise DataError(f"{path} is no regular file", fix="name an .npz or Parquet file")
        else:
            statuses = [("", path.stat())]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", fix="name a file that this user may read") from error
    return tuple(StoredFile(name, status.st_size, status.st_mtime_ns) for name, status in statuses)


def read_labels(path: Path, columns: Columns) -> DataFile:
    """Classes, labels and parts; an `.npz` has no columns. Raises DataError naming the file and what is wrong there."""
    files = files_of(path)
    if path.suffix.lower() == NPZ and not path.is_dir():
        from scheduler.npz_file import read_npz

        return read_npz(path)
    from scheduler.parquet_files import read_parquet

    return read_parquet(path, [one.name for one in files], columns)


def fingerprint_of_files(path: Path, files: Sequence[StoredFile]) -> str:
    """sha256 of the contents, and of a folder the names too; reads every file. Raises DataError naming the file."""
    digests = [(one.name, _sha256(path / one.name)) for one in files]
    return combined(digests)


def _sha256(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", fix="mend or remove that file") from error
