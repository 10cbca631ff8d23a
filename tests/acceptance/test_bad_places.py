"""Settings, stores and data that cannot be used are refused in one line with their mend, before anything is written."""

import os
import shutil
import sqlite3
import urllib.request
from contextlib import closing

import pytest
from PIL import Image
from refusals import write

from db.errors import DataError
from scheduler.config import Config
from scheduler.planning import make_plan
from scheduler.suite import load_suite
from worker.datasets import load_splits

SUBMIT = ["submit", "--variant", "baseline", "--dataset", "digits"]


@pytest.mark.parametrize(
    ("name", "value", "error", "fix"),
    [
        ("BENCH_LEASE_S", "soon", "BENCH_LEASE_S", "a number, above 0"),
        ("BENCH_LEASE_S", "-1", "BENCH_LEASE_S", "a number, above 0"),
        ("BENCH_LEASE_S", "inf", "BENCH_LEASE_S", "a number, above 0"),
        (
            "BENCH_LEASE_S",
            "49",
            "at least 10 times BENCH_HEARTBEAT_S",
            "raise BENCH_LEASE_S or lower BENCH_HEARTBEAT_S",
        ),
        ("BENCH_HEARTBEAT_S", "0", "BENCH_HEARTBEAT_S", "a number, above 0"),
        ("BENCH_CHECKPOINT_S", "-1", "BENCH_CHECKPOINT_S", "a number, at least 0"),
        ("BENCH_KEEP_CHECKPOINTS", "perhaps", "BENCH_KEEP_CHECKPOINTS", "true or false"),
        ("BENCH_BROKER_URL", "kafka://here", "BENCH_BROKER_URL", "redis://"),
        ("BENCH_BROKER_URL", "localhost", "BENCH_BROKER_URL", "redis://"),
        ("BENCH_ARTIFACTS_URL", "ftpx://here", "BENCH_ARTIFACTS_URL", "file://"),
        ("BENCH_HOME", "/dev/null", "BENCH_HOME", "a folder"),
        ("BENCH_DATA_DIR", "/dev/null", "BENCH_DATA_DIR", "a folder"),
        ("BENCH_HOME", "~nosuch/x", "BENCH_HOME: there is no home of ~nosuch", "in full"),
        ("BENCH_ARTIFACTS_URL", "gs://bucket", "gs:// needs a package", "pip install gcsfs"),
        ("BENCH_LOG_LEVEL", "loud", "BENCH_LOG_LEVEL", "DEBUG, INFO"),
    ],
)
def test_a_setting(refused, name, value, error, fix):
    refused(*SUBMIT, error=error, fix=fix, **{name: value})


@pytest.mark.parametrize(
    ("content", "error", "fix"),
    [
        ("lease_s = [", "not valid TOML", "mend that line"),
        (b"home = '\xff'", "cannot read", "UTF-8"),
        ("leases = 60", "bench.toml: no setting 'leases'", "choose among database_url, broker_url"),
        ("lease_s = 'long'", "BENCH_LEASE_S", "a number, above 0"),
        ("home = 'elsewhere'", "bench.toml: no setting 'home'", "choose among database_url"),
    ],
)
def test_bench_toml(place, refused, content, error, fix):
    write(place.parent / "home/bench.toml", content)
    refused(*SUBMIT, error=error, fix=fix)


@pytest.mark.parametrize(
    ("url", "code", "error", "fix"),
    [
        ("nonsense", 2, "is not a database URL", "sqlite:////"),
        ("postgresql://host:port/bench", 2, "is not a database URL", "sqlite:////"),
        ("mysql://host/bench", 2, "'mysql'", "postgresql+psycopg://"),
        ("postgresql+asyncpg://host/bench", 2, "'postgresql+asyncpg'", "postgresql+psycopg://"),
        ("sqlite+aiosqlite:///x.db", 2, "'sqlite+aiosqlite'", "sqlite:////"),
        ("sqlite://", 2, "names no file", "sqlite:////"),
        ("sqlite:///file:x?mode=memory&uri=true", 2, "names no file", "sqlite:////"),
        ("sqlite:////dev/null/bench.db", 3, "does not answer", "check that /dev/null is a folder"),
        ("sqlite:///{place}", 3, "does not answer", "check that"),
        ("sqlite:///{place}/garbage.db", 3, "file is not a database", "BENCH_DATABASE_URL"),
        ("sqlite:///{place}/other.db", 3, "another program's", "BENCH_DATABASE_URL"),
        ("sqlite:///{place}/newer.db", 3, "schema 9999, newer", "update bench"),
        ("postgresql://bench:secret@127.0.0.1:1/bench", 3, "does not answer", "start Postgres"),
        ("postgresql://bench:secret@127.0.0.1:1/bench?colour=red", 3, "does not answer", "BENCH_DATABASE_URL"),
    ],
)
def test_a_database_url(place, filled_home, refused, url, code, error, fix):
    write(place / "garbage.db", b"no database at all" * 100)
    with closing(sqlite3.connect(place / "other.db")) as other, other:
        other.execute("CREATE TABLE recipes (id)")
    shutil.copy(filled_home / "bench.db", place / "newer.db")
    with closing(sqlite3.connect(place / "newer.db")) as newer, newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    refused(*SUBMIT, error=error, fix=fix, code=code, BENCH_DATABASE_URL=url.format(place=place))


@pytest.fixture
def pets(place):
    """Two classes of tiny pictures, six to train on and one to test with."""
    folder = place / "pets"
    for part, count in (("train", 6), ("test", 1)):
        for kind in ("cat", "dog"):
            (folder / part / kind).mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (8, 8), (40 * index, 0, 0)).save(folder / part / kind / f"{index}.png")
    return folder


def empty(folder):
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "error", "fix"),
    [
        pytest.param(shutil.rmtree, "there is no image folder", "pets/<class>/ with images", id="missing"),
        pytest.param(
            lambda p: (shutil.rmtree(p), p.mkdir(), (p / "0.png").write_bytes(b"x")),
            "too few class folders: 0",
            "put the images of each class into a folder of its own",
            id="pictures without class folders",
        ),
        pytest.param(
            lambda p: (shutil.rmtree(p), p.write_text("x")), "is a file, no image folder", "write file:", id="a file"
        ),
        pytest.param(lambda p: shutil.rmtree(p / "train"), "no folder train/", "put images", id="no train"),
        pytest.param(
            lambda p: [(p / x).mkdir() for x in ("val", "validation")],
            "both val/ and",
            "keep one",
            id="two validations",
        ),
        pytest.param(lambda p: (p / "val/cow").mkdir(parents=True), "'cow'", "the same class", id="class only in val"),
        pytest.param(
            lambda p: (shutil.rmtree(p / "test"), [(p / f"train/cat/{n}.png").unlink() for n in range(4)]),
            "has 2 images: too few to split",
            "add an image",
            id="too few for three parts",
        ),
        pytest.param(lambda p: empty(p / "train" / "cat"), "has no image", "add images", id="class with no image"),
        pytest.param(
            lambda p: (empty(p / "train" / "cat"), os.mkfifo(p / "train" / "cat" / "0.png")),
            "has no image",
            "add images",
            id="a pipe, which would keep its reader waiting",
        ),
        pytest.param(lambda p: (p / "test" / "cow").mkdir(), "'cow'", "the same class", id="class only in test"),
        pytest.param(
            lambda p: [shutil.rmtree(p / x / "cat") for x in ("train", "test")], "too few class", "2", id="one class"
        ),
        pytest.param(
            lambda p: [(p / "train/cat" / f"{n}.png").unlink() for n in range(5)],
            "a single image",
            "add",
            id="one image",
        ),
        pytest.param(
            lambda p: [(p / "train" / k / f"{n}.png").unlink() for k in ("cat", "dog") for n in range(4)],
            "too few to split",
            "add images",
            id="too few to split",
        ),
        pytest.param(
            lambda p: (p / "train/cat/9.png").symlink_to("nowhere"),
            "cannot read",
            "remove that file",
            id="dangling link",
        ),
        pytest.param(
            lambda p: (p / "train/cow\n").mkdir() or (p / "test/cow\n").mkdir(),
            "no printable text",
            "rename",
            id="class name",
        ),
        pytest.param(
            lambda p: (p / "train/cat" / os.fsdecode(b"\xff.png")).touch(), "no valid text", "rename", id="file name"
        ),
    ],
)
def test_an_image_folder(pets, refused, spoil, error, fix):
    spoil(pets)
    refused("submit", "--variant", "baseline", "--dataset", "folder:pets", error=error, fix=fix)


def test_a_picture_that_cannot_be_read_is_named_when_a_worker_loads_it(pets, tmp_path):
    write(pets / "train/cat/0.png", b"no picture")
    with pytest.raises(DataError, match=r"0\.png") as raised:
        load_splits(Config(dataset=f"folder:{pets}"), data_dir=tmp_path, cache_dir=tmp_path / "cache", notify=print)
    assert raised.value.fix


def test_a_published_set_without_a_copy_and_without_a_network_names_both_ways_out(tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    # urllib reads the proxies once and keeps them for the process: for this test anew, and as before afterwards
    monkeypatch.setattr(urllib.request, "_opener", None)
    with pytest.raises(DataError, match="cifar10") as raised:
        load_splits(Config(dataset="cifar10"), data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", notify=print)
    assert str(tmp_path / "data") in raised.value.fix
    assert "(BENCH_DATA_DIR: a new or empty folder)" in str(raised.value)


def test_a_plan_makes_no_data_folder(tmp_path):
    make_plan(load_suite(), ["baseline"], [1], data_dir=tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_broker_that_is_away_stops_a_worker_before_it_begins(refused):
    away = "redis://:secret@127.0.0.1:1/0"
    refused("worker", error="127.0.0.1:1", fix="BENCH_BROKER_URL", code=3, BENCH_BROKER_URL=away)
