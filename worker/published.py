"""The published data sets: CIFAR through torchvision, digits from scikit-learn.

CIFAR's archives hold pickles, as their authors published them. torchvision unpickles them only after their md5 sums
have matched the ones in its source, which is why that is accepted here and nowhere else.
"""

import contextlib
import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from db.errors import DataError
from worker.arrays import SIDE, Arrays

_TWENTY = 20
_SPLIT_SEED = 42  # of digits' own test split


def read_digits() -> Arrays:
    """scikit-learn's handwritten digits, 8 x 8 grey in 17 steps, enlarged to 32 x 32 RGB; a fifth is the test set."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    found = load_digits()
    grey = np.rint(found.images * (255 / 16)).astype(np.uint8)
    large = np.kron(grey, np.ones((1, SIDE // 8, SIDE // 8), dtype=np.uint8))
    images = np.repeat(large[:, None], 3, axis=1)
    labels = found.target.astype(np.int64)
    train, test = train_test_split(np.arange(len(labels)), test_size=0.2, random_state=_SPLIT_SEED, stratify=labels)
    return Arrays(
        classes=tuple(str(digit) for digit in range(10)),
        train_images=images[train],
        train_labels=labels[train],
        test_images=images[test],
        test_labels=labels[test],
    )


def read_cifar(name: str, data_dir: Path) -> Arrays:
    """CIFAR-10 or CIFAR-100, or the first 20 fine classes of the latter; downloaded when it is not there.

    Raises DataError with the ways out when there is neither a copy nor a network, or when an archive is damaged.
    """
    from torchvision import datasets

    kind = datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100
    with _only_one(data_dir, kind.base_folder):
        train, test = _open(kind, name, data_dir)
    arrays = _arrays(tuple(train.classes), train, test)
    if name == "cifar100-20":
        first = sorted(range(len(arrays.classes)), key=lambda label: arrays.classes[label])[:_TWENTY]
        return only_classes(arrays, first)
    return arrays


def _open(kind: Any, name: str, data_dir: Path) -> tuple[Any, Any]:
    """torchvision checks every file's md5; what is absent or damaged is fetched anew."""
    with contextlib.suppress(RuntimeError):
        return _parts(kind, data_dir)
    try:
        _download(kind, data_dir)
        return _parts(kind, data_dir)
    except (OSError, RuntimeError, EOFError) as error:
        raise DataError(
            f"there is no whole copy of {name} in {data_dir}, and it could not be downloaded: {error}",
            fix=(
                f"connect to the network and run it again, or put an image folder at {data_dir / name} "
                "(train/<class>/*.png, test/<class>/*.png), or use --dataset digits"
            ),
        ) from error


def _parts(kind: Any, root: Path) -> tuple[Any, Any]:
    return kind(str(root), train=True, download=False), kind(str(root), train=False, download=False)


def _download(kind: Any, data_dir: Path) -> None:
    """Into a folder aside, moved when it is whole, so that nothing half-written is ever found."""
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=".download-") as aside:
        kind(aside, train=True, download=True)
        target = data_dir / kind.base_folder
        if target.exists():
            target.rename(Path(aside) / "damaged")
        (Path(aside) / kind.base_folder).rename(target)


@contextmanager
def _only_one(data_dir: Path, folder: str) -> Iterator[None]:
    """Two workers that both miss the data set: one downloads, the other waits. A copy that is there needs no lock."""
    if (data_dir / folder).is_dir():
        yield
        return
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / f".{folder}.lock").open("w")
    except OSError as error:
        fix = "set BENCH_DATA_DIR to a folder of yours"
        raise DataError(f"cannot write to {data_dir}: {error.strerror}", fix=fix) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _arrays(classes: tuple[str, ...], train: Any, test: Any) -> Arrays:
    return Arrays(
        classes=classes,
        train_images=np.ascontiguousarray(train.data.transpose(0, 3, 1, 2)),
        train_labels=np.array(train.targets, dtype=np.int64),
        test_images=np.ascontiguousarray(test.data.transpose(0, 3, 1, 2)),
        test_labels=np.array(test.targets, dtype=np.int64),
    )


def only_classes(arrays: Arrays, labels: list[int]) -> Arrays:
    """Those classes alone, relabelled 0, 1, 2 ... in the order given."""
    new = np.full(len(arrays.classes), -1, dtype=np.int64)
    new[labels] = np.arange(len(labels))
    train, test = new[arrays.train_labels] >= 0, new[arrays.test_labels] >= 0
    return Arrays(
        classes=tuple(arrays.classes[label] for label in labels),
        train_images=arrays.train_images[train],
        train_labels=new[arrays.train_labels[train]],
        test_images=arrays.test_images[test],
        test_labels=new[arrays.test_labels[test]],
    )
