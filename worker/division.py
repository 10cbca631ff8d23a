"""Which images train, validate and test, where the data do not say so."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from db.class_sizes import unevenness
from db.errors import DataError
from scheduler.config import Config
from scheduler.data_file import class_sizes
from scheduler.parts import test_share
from worker.array_cache import Arrays, cached_rows
from worker.splits import Part, Splits

Labels = NDArray[np.int64]
Rows = NDArray[np.intp]


def divided(name: str, arrays: Arrays, content: str, config: Config, cache_dir: Path) -> Splits:
    """The parts as they were given, and those that were not, made of the training images. Raises DataError.

    `content` is the fingerprint of `arrays`. Row numbers are kept in `cache_dir`, because the import of scikit-learn
    costs each new worker two seconds.
    """
    fraction, seed, whole = config.validation_fraction, config.split_seed, arrays.train
    rest, notices, made = np.arange(len(whole.labels)), [*arrays.notices], []
    test, told = arrays.test, f"{content} {fraction} {seed}"
    if test is None:
        share, labels = config.test_fraction, whole.labels
        path = cache_dir / f"split-{_digest(f'{content} test {share} {seed}')}.npz"
        rest, taken = cached_rows(path, len(labels), lambda: tested(labels, fraction=share, seed=seed))
        test, told = _rows(whole, taken), f"{told} test {share}"
        made.append("test")
        notices.append(
            f"no test part was given: it is {100 * share:.4g} % of the images of each class, by split_seed {seed}"
        )
    train, val = rest, arrays.val
    if val is None:
        labels = whole.labels[rest]
        path = cache_dir / f"split-{_digest(told)}.npz"
        own, others = cached_rows(path, len(labels), lambda: stratified(labels, fraction=fraction, seed=seed))
        train, val = rest[own], _rows(whole, rest[others])
        made.append("val")
    else:
        notices.append("the validation part is the one given with the data; validation_fraction is not used")
    splits = Splits(
        name=name,
        fingerprint=content,
        classes=arrays.classes,
        train=_rows(whole, train) if made else whole,
        val=val,
        test=test,
        made=tuple(made),
    )
    train_counts, test_counts = (class_sizes(part.labels, len(splits.classes)) for part in (splits.train, splits.test))
    uneven = unevenness(splits.classes, train_counts, test_counts)
    return replace(splits, notices=(*notices, *filter(None, [uneven])))


def tested(labels: Labels, *, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Which images are left and which test: of each class that share, at least one and never all."""
    source = np.random.RandomState(seed)  # of its stream NumPy promises that no version changes it
    share = test_share(np.bincount(labels).tolist(), fraction)
    taken = [source.permutation(np.flatnonzero(labels == label))[:number] for label, number in enumerate(share)]
    test = np.sort(np.concatenate(taken)).astype(np.intp)
    return np.setdiff1d(np.arange(len(labels)), test), test


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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _rows(part: Part, rows: Rows) -> Part:
    return Part(images=part.images[rows], labels=part.labels[rows])
