"""The data of one job, by name: loaded, checked against what was submitted, and split."""

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from db.errors import DataError
from scheduler.config import Config
from scheduler.datasets import (
    CIFAR,
    DIGITS,
    ImageFolder,
    Published,
    check_split,
    folder_of,
    normalise,
    scan,
)
from worker.array_cache import Arrays, Source, cached
from worker.splits import Part, Splits

Notify = Callable[[str], None]


def load_splits(
    config: Config, *, data_dir: Path, cache_dir: Path, fingerprint: str | None = None, notify: Notify
) -> Splits:
    """Training, validation and test part of the config's data set, with what a reader should know of it as notices.

    `fingerprint` is that of the submitted image folder; None for a published set, or to take a folder as it is.
    Writes into `cache_dir`, and into `data_dir` only what it downloads. Raises DataError.
    """
    name = normalise(config.dataset)
    arrays, content = _load(name, data_dir, cache_dir, notify)
    _check_submitted(name, arrays, fingerprint)
    for notice in arrays.notices:
        notify(f"{name}: {notice}")
    train, val = stratified(arrays.train, fraction=config.validation_fraction, seed=config.split_seed)
    return Splits(
        name=name,
        fingerprint=content,
        classes=arrays.classes,
        train=train,
        val=val,
        test=arrays.test,
        notices=arrays.notices,
    )


def stratified(part: Part, *, fraction: float, seed: int) -> tuple[Part, Part]:
    """Training and validation part, each class in both in the same proportion: scikit-learn's `train_test_split`.

    Raises DataError when the images are too few for that.
    """
    from sklearn.model_selection import train_test_split

    try:
        train, val = train_test_split(
            np.arange(len(part.labels)), test_size=fraction, random_state=seed, stratify=part.labels
        )
    except ValueError as error:
        fix = "add images, or change validation_fraction in the suite"
        raise DataError(f"the training images are too few to split: {error}", fix=fix) from error
    if len(np.unique(part.labels[train])) < len(np.unique(part.labels)):
        message = f"with validation_fraction {fraction:g} a class has no training image left"
        raise DataError(message, fix="add images of the small classes, or lower validation_fraction in the suite")
    return tuple(Part(images=part.images[chosen], labels=part.labels[chosen]) for chosen in (train, val))  # type: ignore[return-value]


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
        return _as_published(arrays, folder, published) if published else arrays

    return cached(Source(name=name, place=str(root), manifest=manifest), cache_dir, read, notify)
