"""Fixtures for every folder of tests: real servers, a home of one's own, and the promise that nothing stays behind."""

import logging
import os
import shutil
import signal
import sys
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import psutil
import pytest
import redis
from clock import Clock
from nursery import close_nursery
from servers import postgres_database, postgres_server, valkey_server

if TYPE_CHECKING:
    from db.store import Store

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

_RUN = f"BENCH_TEST_RUN={uuid.uuid4().hex}"
_NO_SKIP = frozenset(filter(None, os.environ.get("BENCH_TEST_NO_SKIP", "").split(",")))
_LINGER_S = 10.0


def pytest_configure() -> None:
    """Forget the user's own bench settings, mark all processes of this run, and stop servers on SIGTERM too.

    Below nohup, or in the background of a script, signals are ignored, and so would be by all that the tests start.
    """
    for name in [name for name in os.environ if name.startswith("BENCH_") and not name.startswith("BENCH_TEST_")]:
        del os.environ[name]
    name, value = _RUN.split("=")
    os.environ[name] = value
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device here")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = _unless_skipped((yield), item.path)
    log = getattr(item, "funcargs", {}).get("tmp_path", Path()) / "worker.log"
    if report.failed and log.is_file():
        report.sections.append(("worker.log", "\n".join(log.read_text(errors="replace").splitlines()[-40:])))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _unless_skipped((yield), collector.path)


def _unless_skipped(report: Report, path: Path) -> Report:
    """A skip inside a folder named in BENCH_TEST_NO_SKIP is a failure."""
    if report.skipped and _NO_SKIP.intersection(path.parts):
        report.outcome = "failed"
        report.longrepr = f"{path.name} may not skip here: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """Once the servers are stopped: whatever still carries this run's mark fails the run, and is ended."""
    yield
    close_nursery()
    left = _left_behind()
    _, left = psutil.wait_procs(left, timeout=_LINGER_S)
    for process in left:
        print(f"\nleft behind by a test: {process.pid} {_command(process)}", file=sys.stderr)  # noqa: T201
        process.kill()
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _left_behind() -> list[psutil.Process]:
    name, value = _RUN.split("=")
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.pid != os.getpid() and process.environ().get(name) == value
            if marked and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return "(gone)"


@pytest.fixture(autouse=True)
def _one_torch_thread() -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """What a command that a test runs in this process leaves to the next one: a private umask, and its log handlers."""
    umask, handlers = os.umask(0o022), logging.getLogger().handlers[:]
    yield
    os.umask(umask)
    for handler in logging.getLogger().handlers[:]:
        if handler not in handlers and not type(handler).__module__.startswith("_pytest"):
            logging.getLogger().removeHandler(handler)


@pytest.fixture(scope="session")
def _valkey() -> Iterator[str]:
    with valkey_server() as url:
        yield url


@pytest.fixture
def valkey_url(_valkey: str) -> Iterator[str]:
    """An empty Redis-protocol server over TCP."""
    with redis.Redis.from_url(_valkey) as client:
        client.flushall()
        yield f"{_valkey}/0"
        client.flushall()


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Callable[[str], str]]:
    from db import _database

    _database.SETTLE_S = 0  # this server is seconds old, and was not down before
    with postgres_server() as url:
        yield url


@pytest.fixture
def postgres_url(_postgres: Callable[[str], str]) -> Iterator[str]:
    """An empty Postgres database as `postgresql+psycopg://…`."""
    with postgres_database(_postgres) as url:
        yield url


@pytest.fixture
def bench_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """BENCH_HOME and BENCH_DATA_DIR in folders of this test, not yet made; the home's broker is stopped afterwards."""
    home = tmp_path / "home"
    monkeypatch.setenv("BENCH_HOME", str(home))
    monkeypatch.setenv("BENCH_DATA_DIR", str(tmp_path / "data"))
    yield home
    from scheduler.broker import stop_broker
    from scheduler.settings import load_settings

    for name in ("BENCH_BROKER_URL", "BENCH_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    settings = load_settings(home=home)
    stop_broker(settings)
    if not settings.socket.is_relative_to(home):
        shutil.rmtree(settings.socket.parent, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, once of each kind that a store can live in."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:///{tmp_path / 'bench.db'}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(request: pytest.FixtureRequest, store_url: str) -> Iterator["Store"]:
    """An empty one; it goes by `clock` where a test asks for that too."""
    from db import open_store

    clock = request.getfixturevalue("clock").sql if "clock" in request.fixturenames else None
    opened = open_store(store_url, create=True, clock=clock)
    yield opened
    opened.close()
