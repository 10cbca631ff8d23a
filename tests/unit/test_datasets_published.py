"""CIFAR through torchvision: a small archive in the real format, from a real server on this machine."""

import functools
import hashlib
import http.server
import io
import os
import pickle
import resource
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets

from db.errors import DataError
from scheduler.config import Config
from scheduler.datasets import CIFAR, Published, identify
from worker.datasets import load_splits
from worker.splits import Splits

CLASSES = [f"class_{index:02}" for index in range(25)]
PER_CLASS = {"train": 6, "test": 2}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def batch(part: str) -> bytes:
    count = PER_CLASS[part] * len(CLASSES)
    random = np.random.default_rng(len(part))
    labels = random.permutation(np.arange(count) % len(CLASSES)).tolist()
    pixels = random.integers(0, 256, (count, 3072), dtype=np.uint8)
    pixels[:, 0] = labels
    return pickle.dumps({"data": pixels, "fine_labels": labels})


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CIFAR-100 of 25 classes as torchvision expects it, with md5 sums to match."""
    files = {"train": batch("train"), "test": batch("test"), "meta": pickle.dumps({"fine_label_names": CLASSES})}
    path = tmp_path / "served" / datasets.CIFAR100.filename
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        for name, content in {**files, "../escaped": b"never written"}.items():
            member = tarfile.TarInfo(f"{datasets.CIFAR100.base_folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(datasets.CIFAR100, "train_list", [["train", md5(files["train"])]])
    monkeypatch.setattr(datasets.CIFAR100, "test_list", [["test", md5(files["test"])]])
    monkeypatch.setattr(datasets.CIFAR100, "meta", {**datasets.CIFAR100.meta, "md5": md5(files["meta"])})
    monkeypatch.setattr(datasets.CIFAR100, "tgz_md5", md5(path.read_bytes()))
    return path


@pytest.fixture
def served(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    handler = functools.partial(Quiet, directory=str(archive.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setattr(datasets.CIFAR100, "url", f"http://127.0.0.1:{server.server_port}/{archive.name}")
        yield archive
        server.shutdown()


@pytest.fixture
def offline(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with socket.socket() as taken:  # bound, but not listening: every connection is refused
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(datasets.CIFAR100, "url", f"http://127.0.0.1:{taken.getsockname()[1]}/{archive.name}")
        yield


def load(tmp_path: Path, name: str = "cifar100-20", fingerprint: str | None = None) -> Splits:
    folders = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
    return load_splits(Config(dataset=name), **folders, fingerprint=fingerprint, notify=lambda _: None)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_download_gives_the_first_twenty_classes_and_leaves_only_whole_files(served, tmp_path, capsys):
    splits = load(tmp_path)
    assert splits.classes == tuple(CLASSES[:20])
    assert [len(part.labels) for part in (splits.train, splits.val, splits.test)] == [96, 24, 40]
    assert (splits.test.images[:, 0, 0, 0] == splits.test.labels).all()
    assert left_in(tmp_path / "data") == [datasets.CIFAR100.base_folder]
    assert left_in(tmp_path / "data" / datasets.CIFAR100.base_folder) == ["meta", "test", "train"]
    assert "100" in capsys.readouterr().err


def test_all_classes_come_from_the_same_download_without_another(served, tmp_path):
    load(tmp_path)
    served.unlink()
    assert load(tmp_path, "cifar100").classes == tuple(CLASSES)


def test_many_at_once_download_once(served, tmp_path, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(Quiet, "do_GET", counted(Quiet.do_GET, asked))
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(load(tmp_path).fingerprint)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert len([line for line in asked if line.startswith("GET")]) <= 2  # torchvision asks once for a redirect
    assert left_in(tmp_path / "data") == [datasets.CIFAR100.base_folder]


def counted(method, asked):
    def wrapper(self):
        asked.append(self.requestline)
        return method(self)

    return wrapper


def test_without_network_and_copy_the_error_names_the_three_ways_out(offline, tmp_path):
    with pytest.raises(DataError, match="cannot be downloaded") as error:
        load(tmp_path)
    assert "connect to the network once" in error.value.fix
    assert f"an image folder at {tmp_path / 'data' / 'cifar100-20'}" in error.value.fix
    assert "--dataset digits" in error.value.fix
    assert left_in(tmp_path / "data") == []


def test_a_download_that_comes_short_is_refused_and_leaves_nothing(served, tmp_path):
    served.write_bytes(served.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"cifar-100-python\.tar\.gz came cut short"):
        load(tmp_path)
    assert left_in(tmp_path / "data") == []


def test_an_archive_put_there_by_hand_is_used_without_network(archive, offline, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / archive.name).write_bytes(archive.read_bytes())
    assert len(load(tmp_path).classes) == 20


def test_a_truncated_archive_is_named_and_left_alone(archive, offline, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / archive.name).write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(DataError, match=archive.name):
        load(tmp_path)
    assert left_in(tmp_path / "data") == [archive.name]


def test_a_disk_without_room_to_unpack_is_named_and_left_as_it_was(archive, offline, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / archive.name).write_bytes(archive.read_bytes())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # a real write that fails, without a full disk
    try:
        with pytest.raises(DataError, match="cannot unpack") as caught:
            load(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "BENCH_DATA_DIR" in caught.value.fix
    assert left_in(tmp_path / "data") == [archive.name]


@pytest.mark.parametrize("name", ["train", "test", "meta"])
def test_a_file_with_another_md5_sum_is_never_unpickled(name, served, tmp_path):
    load(tmp_path)
    victim = tmp_path / "data" / datasets.CIFAR100.base_folder / name
    victim.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "owned").encode() + b"'\ntR.")
    with pytest.raises(DataError, match=f"{victim} is missing, cut short or altered") as error:
        load(tmp_path)
    assert "delete the folder" in error.value.fix
    assert not (tmp_path / "owned").exists()


def few_images(root: Path) -> Path:
    for part, count in PER_CLASS.items():
        for label, name in enumerate(CLASSES[:3]):
            folder = root / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (32, 32), (label, index, 0)).save(folder / f"{index}.png")
    return root


def test_an_image_folder_of_that_name_is_used_without_network(offline, tmp_path, monkeypatch):
    few_images(tmp_path / "data" / "cifar100-20")
    monkeypatch.setitem(CIFAR, "cifar100-20", Published(3, PER_CLASS["train"], PER_CLASS["test"]))
    splits = load(tmp_path)
    assert splits.classes == tuple(CLASSES[:3])
    assert (splits.test.images[:, 0, 0, 0] == splits.test.labels).all()
    assert splits.notices == ()


def test_an_incomplete_image_folder_is_used_only_where_it_was_submitted(offline, tmp_path):
    few_images(tmp_path / "data" / "cifar100-20")
    with pytest.raises(DataError, match="not those that were submitted"):
        load(tmp_path)
    submitted = identify("cifar100-20", tmp_path / "data").fingerprint
    splits = load(tmp_path, fingerprint=submitted)
    assert "not the whole cifar100-20: 3 classes, 18 training and 6 test images" in splits.notices[0]


def test_a_published_set_is_the_same_whatever_its_copy_calls_its_images(served, tmp_path, monkeypatch):
    splits = load(tmp_path)
    copy = tmp_path / "copy" / "cifar100-20"
    for name, part in (("train", splits.train), ("train", splits.val), ("test", splits.test)):
        for image, label in zip(part.images, part.labels, strict=True):
            folder = copy / name / splits.classes[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{len(list(folder.iterdir()))}.png")
    monkeypatch.setitem(CIFAR, "cifar100-20", Published(20, PER_CLASS["train"], PER_CLASS["test"]))
    (tmp_path / "data").rename(tmp_path / "downloaded")
    copy.parent.rename(tmp_path / "data")
    again = load(tmp_path)
    assert again.fingerprint == splits.fingerprint
    assert np.array_equal(again.val.images, splits.val.images)


def test_a_download_can_be_read_by_other_users_of_the_data_folder(served, tmp_path):
    before = os.umask(0o077)  # a worker's
    try:
        load(tmp_path)
    finally:
        os.umask(before)
    folder = tmp_path / "data" / datasets.CIFAR100.base_folder
    assert folder.stat().st_mode & 0o055 == 0o055
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in folder.iterdir())
