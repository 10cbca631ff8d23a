"""From a config to its splits: found, decoded once, checked, split."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.errors import DataError
from scheduler.config import Config
from scheduler.datasets import FOLDER, folder_fingerprint
from worker.arrays import Arrays, cached
from worker.image_folder import manifest, read_image_folder
from worker.published import read_cifar, read_digits
from worker.splits import Part, Splits


def load_splits(
    config: Config,
    *,
    data_dir: Path,
    cache_dir: Path,
    fingerprint: str | None = None,
    notify: Callable[[str], object] = lambda notice: None,
) -> Splits:
    """The training, validation and test part that the config asks for.

    `fingerprint` is that of a user's own files at submit: DataError when they have changed since. DataError too for
    data that is missing, damaged or too small to split.
    """
    arrays, found = _find(config.dataset, data_dir, cache_dir, fingerprint)
    for notice in arrays.notices:
        notify(notice)
    train, val = split_rows(arrays.train_labels, config.validation_fraction, config.split_seed)
    return Splits(
        name=config.dataset,
        fingerprint=found,
        classes=arrays.classes,
        train=Part(arrays.train_images[train], arrays.train_labels[train]),
        val=Part(arrays.train_images[val], arrays.train_labels[val]),
        test=Part(arrays.test_images, arrays.test_labels),
        notices=arrays.notices,
    )


def split_rows(labels: NDArray[np.int64], fraction: float, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows of the training and of the validation part: scikit-learn's stratified split. Raises DataError."""
    from sklearn.model_selection import train_test_split

    try:
        train, val = train_test_split(np.arange(len(labels)), test_size=fraction, random_state=seed, stratify=labels)
    except ValueError as error:
        raise DataError(f"the training images cannot be split: {error}", fix="add images to every class") from error
    return train, val


def _find(dataset: str, data_dir: Path, cache_dir: Path, fingerprint: str | None) -> tuple[Arrays, str]:
    if dataset.startswith(FOLDER):
        root = Path(dataset.removeprefix(FOLDER))
        # the manifest comes first: files that change while they are read are noticed next time
        seen = manifest(root)
        if fingerprint is not None and folder_fingerprint(root) != fingerprint:
            raise DataError(f"the images in {root} have changed since the job was submitted", fix="submit again")
        return cached(cache_dir, dataset, seen, lambda: read_image_folder(root))
    own = data_dir / dataset
    if own.is_dir():
        return cached(cache_dir, f"{dataset} in {own}", manifest(own), lambda: read_image_folder(own))
    if dataset == "digits":
        return cached(cache_dir, dataset, "scikit-learn", read_digits)
    return cached(cache_dir, f"{dataset} of torchvision", "published", lambda: read_cifar(dataset, data_dir))
