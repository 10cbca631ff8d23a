"""The data of one job, by name: loaded, checked against what was submitted, and split."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from db.errors import DataError
from scheduler.config import Config
from scheduler.datasets import CIFAR, DIGITS, ImageFolder, Published, folder_of, normalise, scan
from worker.array_cache import Arrays, Source, cached, cached_rows
from worker.splits import Part, Splits

Notify = Callable[[str], object]
Labels = NDArray[np.int64]
Rows = NDArray[np.intp]


def load_splits(
    config: Config,
    *,
    data_dir: Path,
    cache_dir: Path,
    fingerprint: str | None = None,
    notify: Notify = lambda notice: None,
) -> Splits:
    """Training, validation and test part of the config's data set, with what a reader should know of it as notices.

    `fingerprint` is the one that was submitted: None for a published set, or to take a user's folder as it is.
    Writes into `cache_dir`, and into `data_dir` only what it downloads. Raises DataError.
    """
    name = normalise(config.dataset)
    arrays, content = _load(name, data_dir, cache_dir, notify)
    _check_submitted(name, arrays, fingerprint)
    for notice in arrays.notices:
        notify(f"{name}: {notice}")
    fraction, seed = config.validation_fraction, config.split_seed
    # a copy, because the import of scikit-learn costs each new worker two seconds
    kept = hashlib.sha256(f"{content} {fraction} {seed}".encode()).hexdigest()[:12]
    labels = arrays.train.labels
    train, val = cached_rows(
        cache_dir / f"split-{kept}.npz", len(labels), lambda: stratified(labels, fraction=fraction, seed=seed)
    )
    return Splits(
        name=name,
        fingerprint=content,
        classes=arrays.classes,
        train=_rows(arrays.train, train),
        val=_rows(arrays.train, val),
        test=arrays.test,
        notices=arrays.notices,
    )


def stratified(labels: Labels, *, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Which images train and which validate, the classes in the same proportion: scikit-learn's `train_test_split`.

    Raises DataError when the images are too few for that.
    """
    from sklearn.model_selection import train_test_split

    try:
        train, val = train_test_split(np.arange(len(labels)), test_size=fraction, random_state=seed, stratify=labels)
    except ValueError as error:
        fix = "add images, or change validation_fraction in the suite"
        raise DataError(f"the training images are too few to split: {error}", fix=fix) from error
    if len(np.unique(labels[train])) < len(np.unique(labels)):
        message = f"with validation_fraction {fraction:g} a class has no training image left"
        raise DataError(message, fix="add images of the small classes, or lower validation_fraction in the suite")
    return train, val


def _rows(part: Part, rows: Rows) -> Part:
    return Part(images=part.images[rows], labels=part.labels[rows])


def _load(name: str, data_dir: Path, cache_dir: Path, notify: Notify) -> tuple[Arrays, str]:
    if name == DIGITS:
        from worker.digits import read_digits

        return cached(Source(name=name, place="scikit-learn", manifest=()), cache_dir, read_digits, notify)
    root = folder_of(name, data_dir)
    if root is not None:
        return _load_folder(name, root, cache_dir, notify)
    from worker.published import fetch, read_published

    source = fetch(name, data_dir, cache_dir, notify)
    return cached(source, cache_dir, lambda: _in_content_order(read_published(name, data_dir)), notify)


def _load_folder(name: str, root: Path, cache_dir: Path, notify: Notify) -> tuple[Arrays, str]:
    folder = scan(root)
    published = CIFAR.get(name)
    manifest = [(file.path, file.size, file.mtime_ns) for file in folder.files]

    def read() -> Arrays:
        from worker.image_folder import read_folder

        notify(f"reading {len(folder.files):,} images from {root}")
        arrays = read_folder(folder)
        return _as_published(arrays, name, folder, published) if published else arrays

    return cached(Source(name=name, place=str(root), manifest=manifest), cache_dir, read, notify)


def _as_published(arrays: Arrays, name: str, folder: ImageFolder, published: Published) -> Arrays:
    if folder.is_whole(published):
        return _in_content_order(replace(arrays, files_fingerprint=None))
    notice = (
        f"not the whole {name}: {len(folder.classes)} classes, {len(folder.train):,} training and "
        f"{len(folder.test):,} test images in {folder.root}"
    )
    return replace(arrays, notices=(notice, *arrays.notices))


def _in_content_order(arrays: Arrays) -> Arrays:
    """By class, then by the sha256 of the pixels: a published set is the same whatever copy it came from.

    Its name alone is in a job's key, so the split and the order of the test set must not depend on how a copy names
    or orders its images.
    """
    return replace(arrays, train=_sorted(arrays.train), test=_sorted(arrays.test))


def _sorted(part: Part) -> Part:
    digests = [hashlib.sha256(image.tobytes()).digest() for image in part.images]
    labels = part.labels.tolist()
    order = sorted(range(len(labels)), key=lambda index: (labels[index], digests[index]))
    return _rows(part, np.array(order, np.intp))


def _check_submitted(name: str, arrays: Arrays, fingerprint: str | None) -> None:
    incomplete = fingerprint is None and name in CIFAR and arrays.files_fingerprint is not None
    if incomplete or fingerprint not in (None, arrays.files_fingerprint):
        message = f"the images of {name} here are not those that were submitted: they changed, or this is another copy"
        raise DataError(message, fix="run `bench submit` again: changed images are new data, and so new jobs")
