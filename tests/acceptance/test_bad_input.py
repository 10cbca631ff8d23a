"""Bad input is refused in one line with its mend, before anything is written: files and rows stay as they were."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from cli.main import main
from db import open_store
from db.errors import DataError
from scheduler.config import Config
from scheduler.planning import make_plan
from scheduler.queue import submit
from scheduler.suite import load_suite
from worker.datasets import load_splits

ROOT = Path(__file__).parents[2]
HEAD = "[suite]\nname = 'mine'\ndataset = 'digits'\n"
ONE = HEAD + "[variants.a]\n"
SWEEP = ONE + "[sweeps.s]\nbase = 'a'\n"
FIGURE = ONE + "[[figures]]\nname = 'f'\n"
TABLE = ONE + "[[tables]]\nname = 't'\n"
PRINTED = ONE + "[reference]\nsource = 'x'\n"
EVERY_NAME = ", ".join([*load_suite().variants, *load_suite().sweeps])
SUBMIT = ["submit", "--variant", "baseline", "--dataset", "digits"]


@pytest.fixture(scope="module")
def filled_home(tmp_path_factory):
    """A home whose store holds one queued job."""
    home = tmp_path_factory.mktemp("filled") / "home"
    plan = make_plan(load_suite(), ["baseline"], [1], data_dir=home, dataset="digits")
    with closing(open_store(f"sqlite:///{home / 'bench.db'}", create=True)) as store:
        submit(store, plan)
    return home


@pytest.fixture
def place(filled_home, tmp_path, monkeypatch):
    """The folder that a command is called in, with such a home beside it."""
    shutil.copytree(filled_home, tmp_path / "home")
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BENCH_DATA_DIR", str(tmp_path / "data"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def refused(place, capsys, monkeypatch):
    """Calls bench, and checks that it answers with one error, one fix and this exit code, and changes nothing."""

    def call(*words, error, fix, code=2, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setattr(sys, "argv", ["bench", *words])
        before = everything(place.parent)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        check_words(said.err, error, fix)
        assert (ended.value.code, said.out) == (code, "")
        assert everything(place.parent) == before

    return call


def check_words(stderr, error, fix):
    first, second = stderr.splitlines()
    assert first.startswith("error: ")
    assert error in first
    assert second.startswith("fix: ")
    assert fix in second


def everything(folder):
    """Each file with its contents; of a store its rows, since SQLite moves them between its files as it likes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name == "bench.db" and path.parent.name == "home":
            found[name] = rows(path)
        elif path.is_file() and not path.name.startswith("bench.db-"):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif not path.name.startswith("bench.db-"):
            found[name] = "folder or link"
    return found


def rows(path):
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "error", "fix"),
    [
        pytest.param("[suite\n", "not valid TOML", "mend that line", id="not TOML"),
        pytest.param(b"[suite]\nname = '\xff'\n", "cannot read", "UTF-8", id="not UTF-8"),
        pytest.param("", "[suite]: is missing", "name, title, dataset, image_size", id="empty"),
        pytest.param(HEAD, "[variants]: is missing", "a table", id="no variants"),
        pytest.param(ONE + "[more]\n", "[more]: no such field", "sweeps", id="unknown table"),
        pytest.param(ONE + "lr = 1\n", "[variants.a] lr: no such field", "learning_rate", id="unknown field"),
        pytest.param(ONE + "[defaults]\nlr = 1\n", "[defaults] lr", "learning_rate", id="unknown default"),
        pytest.param(ONE + "epochs = '5'\n", "(it is '5')", "whole number", id="wrong type"),
        pytest.param(ONE + "batch_size = 1\n", "(it is 1)", "at least 2", id="out of range"),
        pytest.param(ONE + "learning_rate = nan\n", "(it is nan)", "above 0", id="not a number"),
        pytest.param(ONE + "epochs = 99999999999999999999\n", "64 bits", "smaller", id="huge number"),
        pytest.param(ONE + f"x = {'[' * 3000}{']' * 3000}\n", "within each other", "flatter", id="nested"),
        pytest.param(ONE + "model = 'vgg'\n", "no such network", "resnet", id="unknown network"),
        pytest.param(ONE + "optimizer = 'lion'\n", "(it is 'lion')", "adam, sgd", id="unknown choice"),
        pytest.param(ONE + "nesterov = true\n", "needs momentum", "momentum above 0", id="nesterov alone"),
        pytest.param(ONE + "arguments = { depth = 1 }\n", "arguments.depth", "conv_depths", id="unknown argument"),
        pytest.param(ONE + "arguments = { conv_depths = [] }\n", "1 to 4 layers", "conv_depths", id="bad argument"),
        pytest.param(
            ONE + "augmentation = ['flp']\n", "'flp'", "crop, cutmix, cutout, flip", id="unknown augmentation"
        ),
        pytest.param(ONE + "augmentation = [{}]\n", "augmentation.1: has no name", "mixup", id="no augmentation"),
        pytest.param(ONE + "title = 1\n", "title: not text", "text", id="title"),
        pytest.param(ONE.replace("digits", "mnist"), "[suite] dataset", "cifar10", id="unknown data set"),
        pytest.param(HEAD + "seeds = [1, 1]\n[variants.a]\n", "1 twice", "once", id="seed twice"),
        pytest.param(HEAD + "seeds = [-1]\n[variants.a]\n", "[suite.seeds] 1", "at least 0", id="seed below 0"),
        pytest.param(HEAD + "[variants.'a\\nb']\n", "not a name", "letter or digit", id="bad name"),
        pytest.param(HEAD + '[variants."a\\nb\\u001b[31m"]\n', r"a\nb\x1b[31m", "letter", id="control codes"),
        pytest.param(ONE + "[sweeps.s]\nbase = 'b'\n", "no variant 'b'", "choose one of a", id="unknown base"),
        pytest.param(
            ONE + "[sweeps.a]\nbase = 'a'\n", "name of a variant", "another name", id="sweep named as variant"
        ),
        pytest.param(
            SWEEP + "grid = { epochs = [1] }\nlist = [{}]\n", "needs one of", "one of them", id="grid and list"
        ),
        pytest.param(SWEEP + "grid = { epochs = [] }\n", "no values", "at least one", id="empty grid"),
        pytest.param(SWEEP + "grid = { epochs = [1, 1] }\n", "two points", "name the points", id="one point twice"),
        pytest.param(SWEEP + f"grid = {{ epochs = {[1] * 10001} }}\n", "10,001", "10,000", id="huge grid"),
        pytest.param(
            SWEEP + "grid = { optimizer = ['a b'] }\n", "unusual letters", "name the points", id="point's name"
        ),
        pytest.param(
            SWEEP + "grid = { 'model.x' = [1] }\n", "no field 'model.x'", "arguments.NAME", id="point's field"
        ),
        pytest.param(FIGURE + "kind = 'pie'\n", "[[figures]] 1 kind", "confusion", id="kind of figure"),
        pytest.param(FIGURE + "kind = 'history'\n", "shows no variant", "of a", id="empty figure"),
        pytest.param(
            FIGURE + "kind = 'history'\nvariants = ['z']\n", "no variant 'z'", "among a", id="figure's variant"
        ),
        pytest.param(FIGURE + "kind = 'tuning'\nsweeps = ['z']\n", "no sweep 'z'", "(none)", id="figure's sweep"),
        pytest.param(
            FIGURE + "kind = 'samples'\n" + FIGURE[len(ONE) :] + "kind = 'samples'\n",
            "another one has",
            "name",
            id="figure twice",
        ),
        pytest.param(TABLE + "kind = 'tuning'\n", "no sweep ''", "(none)", id="table's sweep"),
        pytest.param(
            PRINTED + "[reference.variants.z]\n", "[reference]: no variant 'z'", "among a", id="printed variant"
        ),
        pytest.param(
            PRINTED + "[reference.variants.a]\nf1 = 1\n", "f1: no such field", "test_accuracy", id="printed key"
        ),
        pytest.param(
            PRINTED + "[reference.variants.a]\ntest_accuracy = 55\n", "(it is 55)", "at most 1", id="printed percent"
        ),
    ],
)
def test_a_suite_file(place, refused, content, error, fix):
    write(place / "mine.toml", content)
    refused("submit", "--all", "--suite", "mine.toml", error=error, fix=fix)


@pytest.mark.parametrize(
    ("words", "error", "fix"),
    [
        (["submit"], "nothing is selected", f"--variant with one of: {EVERY_NAME}"),
        (["submit", "--all", "--variant", "resnet"], "exclude each other", "--variant"),
        (["submit", "--variant", "vgg"], "no variant 'vgg'", f"choose among {EVERY_NAME}"),
        (["submit", "--variant", "baselin"], "no variant 'baselin'", "did you mean baseline?"),
        (["submit", "--all", "--suite", "."], "cannot read", "TOML"),
        (["submit", "--all", "--suite", "none.toml"], "no suite file none.toml", "built-in suite: report"),
        (["submit", "--all", "--seeds", "0"], "--seeds must be 1", "how many"),
        (["submit", "--all", "--seeds", "10001"], "--seeds must be 1 to 10000", "how many"),
        (["submit", "--all", "--seeds", "1", "--seed", "1"], "exclude each other", "one of them"),
        (["submit", "--all", "--seed", "-1"], "--seed must be 0", "another seed"),
        (["submit", "--all", "--epochs", "0"], "--epochs: ", "at least 1 and at most 100000"),
        (["submit", "--all", "--epochs", "five"], "--epochs", "bench submit --help"),
        (["submit", "--all", "--precision", "fp8"], "--precision: ", "float32, tf32, bfloat16"),
        (["run", "--variant", "baseline", "--device", "cpu", "--precision", "tf32"], "tf32 needs CUDA", "bfloat16"),
        (["demo", "--device", "cpu", "--precision", "tf32"], "tf32 needs CUDA", "--precision float32"),
        (["submit", "--all", "--priority", str(2**40)], "--priority", "bench submit --help"),
        (["submit", "--all", "--colour"], "--colour", "bench submit --help"),
        (["submit", "--all", "--dataset", ""], "unknown data set ''", "cifar100-20"),
        (["submit", "--all", "--dataset", "folder:"], "needs a path", "folder:PATH"),
        (["submit", "--all", "--dataset", "folder:~nosuch/x"], "no home of ~nosuch", "in full"),
        (["submit", "--all", "--dataset", "folder:\udcff"], "a path in UTF-8", "rename"),
        (["submit", "--all", "--suite", "\udcff.toml"], "no suite file \\udcff.toml", "built-in suite: report"),
        (["train"], "'train'", "bench --help"),
        (["db"], "Missing command", "bench db --help"),
        (["run", "--variant", "baseline", "--device", "tpu"], "--device must be", "one of the three"),
        (["run", "--variant", "baseline", "--slots", "0"], "--slots", "bench run --help"),
        (["run", "--variant", "baseline", "--out", "/dev/null/report"], "cannot write the report", "--out"),
        (["demo", "--out", "/dev/null/demo"], "cannot write", "--out"),
        (["worker", "--device", "tpu"], "--device must be", "one of the three"),
        (["report", "--out", "/dev/null"], "cannot write the report", "--out"),
        (["report", "--submission", "9"], "no submission 9", "bench status"),
        (["report", "--submission", str(2**64)], "--submission", "bench report --help"),
        (["status", "--submission", "9"], "no submission 9", "choose among 1, see `bench status`"),
        (["status", "--watch", "--json"], "exclude each other", "one of them"),
        (["cancel"], "say which jobs", "--all"),
        (["cancel", "1", "--all"], "give ids or --all, not both", "leave one"),
        (["retry", "1", "--failed"], "give ids or --failed and --cancelled, not both", "leave one"),
        (["cancel", "1", "9"], "no job 9", "bench status"),
        (["cancel", "1x"], "JOB", "bench cancel --help"),
        (["cancel", str(2**64)], "JOB", "bench cancel --help"),
        (["retry"], "say which jobs", "--failed"),
        (["retry", "9"], "no job 9", "bench status"),
        (["retry", "--failed", "--cause", "bad luck"], "unknown cause 'bad luck'", "diverged"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option(refused, words, error, fix):
    refused(*words, error=error, fix=fix)


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


@pytest.mark.parametrize(
    ("words", "environment", "error", "fix"),
    [
        (["submit", "--all", "--suite", "mine.toml"], {}, "[variants.a] lr", "learning_rate"),
        (["submit", "--all"], {"BENCH_LEASE_S": "1"}, "BENCH_LEASE_S", "BENCH_HEARTBEAT_S"),
        (["submit", "--all", "--epochs", "x"], {}, "--epochs", "bench submit --help"),
    ],
)
def test_a_real_process_says_the_same(place, words, environment, error, fix):
    write(place / "mine.toml", ONE + "lr = 1\n")
    before = everything(place.parent)
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, "")
    check_words(done.stderr, error, fix)
    assert everything(place.parent) == before
