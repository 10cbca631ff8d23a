"""CIFAR through torchvision: downloaded once, checked by its published md5 sums, never half there.

CIFAR's files are pickles, and torchvision unpickles them. That is accepted here, and only here: they are read only when
the md5 sum of every file is the one that torchvision's release carries, so their bytes are known before they are
opened. Nothing that users, queue, store or checkpoints supply is ever unpickled.
"""

import http.client
import shutil
import socket
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.errors import DataError
from scheduler.datasets import CIFAR
from worker.array_cache import Arrays, Source, locked
from worker.splits import Part

_SILENCE_S = 60.0
_ABANDONED_S = 24 * 3600.0


def fetch(name: str, data_dir: Path, cache_dir: Path, notify: Callable[[str], object]) -> Source:
    """Make sure that `data_dir` holds torchvision's files of the set `name`: its own, or downloaded now.

    Of several processes one downloads and the others wait. Raises DataError naming a damaged file, or the three ways
    out when there is neither a copy nor a network.
    """
    kind = _torchvision_class(name)
    folder = data_dir / kind.base_folder
    with locked(cache_dir / f"{kind.base_folder}.download"):
        if not folder.exists():
            _unpack(name, kind, data_dir, notify)
    manifest = []
    for file, _ in _checksums(kind):
        if not (folder / file).is_file():
            raise _damaged(folder / file)
        status = (folder / file).stat()
        manifest.append((file, status.st_size, status.st_mtime_ns))
    return Source(name=name, place=str(folder), manifest=manifest)


def read_published(name: str, data_dir: Path) -> Arrays:
    """The set from torchvision's files in `data_dir`. Raises DataError naming a file with another md5 sum."""
    kind = _torchvision_class(name)
    _check(kind, data_dir)
    train, test = kind(data_dir, train=True), kind(data_dir, train=False)
    classes = tuple(sorted(train.classes)[: CIFAR[name].classes])
    label_of = {train.class_to_idx[label]: index for index, label in enumerate(classes)}
    return Arrays(classes=classes, train=_part(train, label_of), test=_part(test, label_of))


def _torchvision_class(name: str) -> Any:
    from torchvision import datasets

    return datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100


def _part(data: Any, label_of: dict[int, int]) -> Part:
    labels = np.array([label_of.get(target, -1) for target in data.targets], np.int64)
    images: NDArray[np.uint8] = data.data[labels >= 0].transpose(0, 3, 1, 2)
    return Part(images=np.ascontiguousarray(images), labels=labels[labels >= 0])


def _checksums(kind: Any) -> list[tuple[str, str]]:
    return [*map(tuple, kind.train_list), *map(tuple, kind.test_list), (kind.meta["filename"], kind.meta["md5"])]


def _check(kind: Any, root: Path) -> None:
    from torchvision.datasets.utils import check_integrity

    for file, md5 in _checksums(kind):
        path = root / kind.base_folder / file
        if not check_integrity(path, md5):
            raise _damaged(path)


def _damaged(path: Path) -> DataError:
    fix = f"delete the folder {path.parent} and run again; it is then downloaded anew"
    return DataError(f"{path} is missing, cut short or altered: its md5 sum is not the published one", fix=fix)


def _unpack(name: str, kind: Any, data_dir: Path, notify: Callable[[str], object]) -> None:
    with _aside(data_dir, kind.base_folder) as aside:
        archive = _own_archive(kind, data_dir) or _download(name, kind, data_dir, aside, notify)
        try:
            _extract(kind, archive, aside / kind.base_folder)
        except OSError as error:
            message = f"cannot unpack {archive.name} in {data_dir}: {error.strerror or error}"
            raise DataError(message, fix="make room there, or set BENCH_DATA_DIR to a folder that has it") from error
        _check(kind, aside)
        _open_to_all(aside / kind.base_folder)
        try:
            (aside / kind.base_folder).rename(data_dir / kind.base_folder)
        except OSError:
            # somebody else, on another host perhaps, was quicker
            _check(kind, data_dir)


def _extract(kind: Any, archive: Path, folder: Path) -> None:
    """Only the known files, under their own names, whatever else an archive may hold and whatever its members are."""
    folder.mkdir()
    with tarfile.open(archive) as tar:
        members = {member.name: member for member in tar if member.isreg()}  # no links, no devices
        for file, _ in _checksums(kind):
            member = members.get(f"{kind.base_folder}/{file}")
            content = tar.extractfile(member) if member else None
            if content is None:
                message = f"{archive} holds no file {kind.base_folder}/{file}"
                raise DataError(message, fix=f"delete {archive} and run again; it is then downloaded anew")
            with (folder / file).open("xb") as target:
                shutil.copyfileobj(content, target)


def _open_to_all(folder: Path) -> None:
    """CIFAR is public, and BENCH_DATA_DIR may serve several users, though a worker's own files are private."""
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _own_archive(kind: Any, data_dir: Path) -> Path | None:
    from torchvision.datasets.utils import check_integrity

    archive: Path = data_dir / kind.filename
    if not archive.exists():
        return None
    if not check_integrity(archive, kind.tgz_md5):
        message = f"{archive} is cut short or altered: its md5 sum is not the published one"
        raise DataError(message, fix=f"delete {archive} and run again; it is then downloaded anew")
    return archive


def _download(name: str, kind: Any, data_dir: Path, aside: Path, notify: Callable[[str], object]) -> Path:
    from torchvision.datasets.utils import download_url

    notify(f"downloading {name} into {data_dir}")
    try:
        with _impatient():
            download_url(kind.url, str(aside), kind.filename, kind.tgz_md5)
    except (OSError, http.client.HTTPException) as error:
        message = f"{name} is not in {data_dir}{_if_empty(data_dir)} and cannot be downloaded: {error}"
        raise DataError(message, fix=_ways_out(name, data_dir)) from error
    except RuntimeError as error:  # torchvision's word for another md5 sum
        message = f"the download of {kind.filename} came cut short or altered: its md5 sum is not the published one"
        raise DataError(message, fix=_ways_out(name, data_dir)) from error
    archive: Path = aside / kind.filename
    return archive


def _if_empty(data_dir: Path) -> str:
    """A mistyped BENCH_DATA_DIR is a folder that nobody has put anything into."""
    filled = any(not path.name.startswith(".") for path in data_dir.iterdir())
    return "" if filled else " (BENCH_DATA_DIR: a new or empty folder)"


def _ways_out(name: str, data_dir: Path) -> str:
    return (
        f"connect to the network once and run again, or put an image folder at {data_dir / name} "
        "(train/<class>/*.png and test/<class>/*.png), or use --dataset digits, which needs no network"
    )


@contextmanager
def _aside(data_dir: Path, name: str) -> Iterator[Path]:
    """A folder on the same disk that is gone afterwards, however that comes."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        for old in data_dir.glob(f".{name}.*.partial"):  # left by a killed process
            if time.time() - old.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(old, ignore_errors=True)
        folder = tempfile.TemporaryDirectory(dir=data_dir, prefix=f".{name}.", suffix=".partial")
    except OSError as error:
        message = f"cannot write into the data folder {data_dir}: {error.strerror}"
        raise DataError(message, fix="make it writable, or set BENCH_DATA_DIR to a folder that is") from error
    with folder:
        yield Path(folder.name)


@contextmanager
def _impatient() -> Iterator[None]:
    """Connections opened inside give up after a minute of silence; urllib alone would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
