"""A data set as arrays, and its copy on disk: read once from its images, from then on from one file.

One `.npz` per source (no pickle in it), written aside and renamed, so that a reader sees a whole file or none. It is
used only while the source's manifest is the one it was made from and its own sha256 still fits; else it is made anew.
"""

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from db.errors import DataError
from scheduler.parts import PARTS
from worker.splits import Part

CACHE_REVISION = 1
"""Raised whenever the same source gives other arrays."""
_DAMAGED = (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error)
"""Also what an array file raises that is not there; what it was made from is still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """All of a data set; `files_fingerprint` is that of the user's files it came from (None: another source).

    None for a part that was not given with it.
    """

    classes: tuple[str, ...]
    train: Part
    val: Part | None = None
    test: Part | None
    files_fingerprint: str | None = None
    notices: tuple[str, ...] = ()

    def parts(self) -> dict[str, Part]:
        """Those that were given, by name."""
        parts = {"train": self.train, "val": self.val, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}

    def fingerprint(self) -> str:
        """sha256 of images, labels and class names."""
        whole = hashlib.sha256(json.dumps(self.classes).encode())
        for part in self.parts().values():
            for array in (part.images, part.labels.astype("<i8")):
                whole.update(f"{array.shape}".encode())
                whole.update(np.ascontiguousarray(array).data)
        return whole.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a copy on disk stands for: `place` names its file, `manifest` says when it is out of date."""

    name: str
    place: str
    manifest: Sequence[tuple[str | int, ...]]

    def digest(self) -> str:
        text = json.dumps([CACHE_REVISION, self.name, self.place, self.manifest])
        return hashlib.sha256(text.encode()).hexdigest()


def cached(
    source: Source, cache_dir: Path, read: Callable[[], Arrays], notify: Callable[[str], object]
) -> tuple[Arrays, str]:
    """The source's arrays and their fingerprint, from the copy in `cache_dir` or from `read`, which is then copied.

    Of several processes one reads and the others wait for its copy. Without room for a copy, `notify` tells so.
    """
    kind = "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in source.name)[-40:]
    path = cache_dir / f"{kind}-{hashlib.sha256(source.place.encode()).hexdigest()[:12]}.npz"
    with locked(path):
        found = _load(path, source.digest())
        if found is None:
            arrays = read()
            found = arrays, arrays.fingerprint()
            try:
                _save(path, source.digest(), *found)
            except OSError as error:
                notify(f"could not keep a copy of {source.name} in {cache_dir}: {error.strerror}")
    return found


def locked(path: Path) -> FileLock:
    """A lock between processes, beside `path`, whose folder is created. Raises DataError when that is impossible."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            return FileLock(path.with_suffix(".lock"))
    except OSError as error:
        message = f"cannot write into the cache folder {path.parent}: {error.strerror}"
        raise DataError(message, fix="make it writable, or set BENCH_HOME to a folder that is") from error


def _load(path: Path, digest: str) -> tuple[Arrays, str] | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            head = json.loads(str(stored["head"]))
            if head["source"] != digest:
                return None
            parts = {
                name: Part(images=stored[f"{name}_images"], labels=stored[f"{name}_labels"])
                for name in PARTS
                if f"{name}_images" in stored
            }
            arrays = Arrays(
                classes=tuple(head["classes"]),
                train=parts["train"],
                val=parts.get("val"),
                test=parts.get("test"),
                files_fingerprint=head["files_fingerprint"],
                notices=tuple(head["notices"]),
            )
    except _DAMAGED:
        return None
    fingerprint = arrays.fingerprint()
    return (arrays, fingerprint) if fingerprint == head["fingerprint"] else None


def _save(path: Path, digest: str, arrays: Arrays, fingerprint: str) -> None:
    head = {
        "classes": arrays.classes,
        "files_fingerprint": arrays.files_fingerprint,
        "notices": arrays.notices,
        "source": digest,
        "fingerprint": fingerprint,
    }
    parts = {
        f"{name}_{field}": getattr(part, field)
        for name, part in arrays.parts().items()
        for field in ("images", "labels")
    }
    _write(path, parts | {"head": np.array(json.dumps(head))})


def cached_rows(
    path: Path, images: int, divide: Callable[[], tuple[NDArray[np.intp], NDArray[np.intp]]]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The two parts of so many images as row numbers: those of the copy at `path`, or what `divide` gives, copied."""
    with locked(path):
        found = _load_rows(path, images)
        if found is None:
            found = divide()
            with suppress(OSError):  # without room for a copy they are divided anew each time
                _write(path, {"train": found[0], "val": found[1]})
    return found


def _load_rows(path: Path, images: int) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            train, val = stored["train"], stored["val"]
    except _DAMAGED:
        return None
    whole = np.sort(np.concatenate([train, val])) if train.ndim == val.ndim == 1 else ()
    return (train, val) if np.array_equal(whole, np.arange(images)) else None


def _write(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Written aside and renamed; under the lock, so a name that a killed process left behind is simply used again."""
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type] # its third argument is a flag
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
