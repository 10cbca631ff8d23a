"""The data of one job, by name: loaded, checked against what was submitted, and split."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from db.errors import DataError
from scheduler.config import CHANNELS, SIDE, Config
from scheduler.data_file import Columns, files_of
from scheduler.datasets import CIFAR, DIGITS, FILE, folder_of, is_whole, normalise
from scheduler.image_files import ImageFolder, scan
from worker.array_cache import Arrays, Source, cached
from worker.division import divided
from worker.pictures import resized
from worker.splits import Part, Splits

Notify = Callable[[str], object]


def load_splits(
    config: Config,
    *,
    data_dir: Path,
    cache_dir: Path,
    fingerprint: str | None = None,
    notify: Notify = lambda notice: None,
) -> Splits:
    """Training, validation and test part of the config's data set, with what a reader should know of it as notices.

    `fingerprint` is the one that was submitted: None for a published set, or to take a user's files as they are.
    Writes into `cache_dir`, and into `data_dir` only what it downloads. Raises DataError.
    """
    name = normalise(config.dataset)
    wanted = _Wanted(config.image_size, config.channels)
    arrays, content = _load(name, wanted, config.columns, data_dir, cache_dir, notify)
    _check_submitted(name, arrays, fingerprint)
    splits = divided(name, arrays, content, config, cache_dir)
    for notice in splits.notices:
        notify(f"{name}: {notice}")
    return splits


class _Wanted(NamedTuple):
    """How the pictures are to be."""

    side: int
    channels: int

    def place(self, place: str) -> str:
        """Where a copy of them stands for; of the usual ones the place alone, as before there were others."""
        return place if self == (SIDE, CHANNELS) else f"{place} {self.side}x{self.side}x{self.channels}"

    def of(self, arrays: Arrays) -> Arrays:
        """Published pictures scaled and in grey or colour: after they were ordered, so that parts stay the same."""
        if self == (SIDE, CHANNELS):
            return arrays
        told = f"all images were made {self.side}x{self.side}" + (", in grey by their luminance" * (self.channels == 1))
        parts = {part: resized(one, *self) for part, one in arrays.parts().items()}
        return replace(arrays, **parts, notices=(told, *arrays.notices))  # type: ignore[arg-type] # parts are Parts


def _load(
    name: str, wanted: _Wanted, columns: Columns, data_dir: Path, cache_dir: Path, notify: Notify
) -> tuple[Arrays, str]:
    if name == DIGITS:
        from worker.digits import read_digits

        source = Source(name=name, place=wanted.place("scikit-learn"), manifest=())
        return cached(source, cache_dir, lambda: read_digits(*wanted), notify)
    if name.startswith(FILE):
        return _load_file(name, wanted, columns, cache_dir, notify)
    root = folder_of(name, data_dir)
    if root is not None:
        return _load_folder(name, root, wanted, cache_dir, notify)
    from worker.published import fetch, read_published

    source = fetch(name, data_dir, cache_dir, notify)
    source = replace(source, place=wanted.place(source.place))
    return cached(source, cache_dir, lambda: wanted.of(_in_content_order(read_published(name, data_dir))), notify)


def _load_file(name: str, wanted: _Wanted, columns: Columns, cache_dir: Path, notify: Notify) -> tuple[Arrays, str]:
    from worker.data_file import read_data_file

    path = Path(name.removeprefix(FILE))
    files = files_of(path)
    place = wanted.place(str(path))
    if columns != Columns():
        place += f" {json.dumps(columns)}"  # other labels of the same files are another copy
    source = Source(name=name, place=place, manifest=[(f.name, f.size, f.mtime_ns) for f in files])

    def read() -> Arrays:
        notify(f"reading {path}")
        return read_data_file(path, files, *wanted, columns)

    return cached(source, cache_dir, read, notify)


def _load_folder(name: str, root: Path, wanted: _Wanted, cache_dir: Path, notify: Notify) -> tuple[Arrays, str]:
    folder = scan(root)
    published = CIFAR.get(name)
    manifest = [(file.path, file.size, file.mtime_ns) for file in folder.files]

    def read() -> Arrays:
        from worker.image_folder import read_folder

        notify(f"reading {len(folder.files):,} images from {root}")
        if published and is_whole(folder, published):
            return wanted.of(_in_content_order(replace(read_folder(folder), files_fingerprint=None)))
        arrays = read_folder(folder, *wanted)
        return _with_sizes(arrays, name, folder) if published else arrays

    return cached(Source(name=name, place=wanted.place(str(root)), manifest=manifest), cache_dir, read, notify)


def _with_sizes(arrays: Arrays, name: str, folder: ImageFolder) -> Arrays:
    notice = (
        f"not the whole {name}: {len(folder.classes)} classes, {len(folder.train):,} training and "
        f"{len(folder.test or ()):,} test images in {folder.root}"
    )
    return replace(arrays, notices=(notice, *arrays.notices))


def _in_content_order(arrays: Arrays) -> Arrays:
    """By class, then by the sha256 of the pixels: a published set is the same whatever copy it came from.

    Its name alone is in a job's key, so the split and the order of the test set must not depend on how a copy names
    or orders its images.
    """
    return replace(arrays, **{name: _sorted(part) for name, part in arrays.parts().items()})  # type: ignore[arg-type]


def _sorted(part: Part) -> Part:
    digests = [hashlib.sha256(image.tobytes()).digest() for image in part.images]
    labels = part.labels.tolist()
    order = np.array(sorted(range(len(labels)), key=lambda index: (labels[index], digests[index])), np.intp)
    return Part(images=part.images[order], labels=part.labels[order])


def _check_submitted(name: str, arrays: Arrays, fingerprint: str | None) -> None:
    incomplete = fingerprint is None and name in CIFAR and arrays.files_fingerprint is not None
    if incomplete or fingerprint not in (None, arrays.files_fingerprint):
        message = f"the images of {name} here are not those that were submitted: they changed, or this is another copy"
        raise DataError(message, fix="run `bench submit` again: changed images are new data, and so new jobs")
