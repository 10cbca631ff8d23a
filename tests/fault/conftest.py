"""Short leases, a store of each kind, and the numbers that an undisturbed training gives."""

from collections.abc import Callable

import pytest
from real_worker import attempt_here, job, numbers, submit_digits, weights

from db import open_store
from db.records import JobState
from scheduler.broker import ensure_broker
from scheduler.settings import load_settings

SHORT = {"LEASE_S": "6", "HEARTBEAT_S": "0.5", "CHECKPOINT_S": "0.2"}


@pytest.fixture
def here(request, bench_home, monkeypatch):
    """Settings with short leases and a running embedded broker; SQLite unless a test asks for Postgres."""
    for name, value in SHORT.items():
        monkeypatch.setenv(f"BENCH_{name}", value)
    if getattr(request, "param", "sqlite") == "postgres":
        monkeypatch.setenv("BENCH_DATABASE_URL", request.getfixturevalue("postgres_url"))
    settings = load_settings()
    ensure_broker(settings)
    return settings


@pytest.fixture
def store(here):
    opened = open_store(here.database, create=True)
    yield opened
    opened.close()


@pytest.fixture
def interrupted(here):
    """A store whose one job, the baseline for four epochs, was asked to stop after two of them."""
    store = open_store(here.database, create=True)
    submit_digits(store, here, "baseline", epochs=4)
    assert attempt_here(store, here, stopping=lambda: job(store).epoch >= 2) is JobState.QUEUED
    yield store
    store.close()


@pytest.fixture(scope="session")
def _in_one_go(tmp_path_factory) -> Callable:
    """Gives a store in which a config of the built-in suite was trained in one go; each is trained once."""
    known = {}

    def train(label: str, epochs: int, seed: int):
        wanted = (label, epochs, seed)
        if wanted not in known:
            known[wanted] = _trained(tmp_path_factory.mktemp("undisturbed"), *wanted)
        return known[wanted]

    yield train
    for store in known.values():
        store.close()


@pytest.fixture(scope="session")
def undisturbed(_in_one_go) -> Callable:
    """Gives the numbers of a training on the digits that nothing disturbed."""
    return lambda label, *, epochs, seed=42: numbers(_in_one_go(label, epochs, seed))


@pytest.fixture(scope="session")
def undisturbed_weights(_in_one_go) -> Callable:
    """Gives its last and its best weights."""
    return lambda label, *, epochs, seed=42: weights(_in_one_go(label, epochs, seed))


def _trained(home, label, epochs, seed):
    settings = load_settings(home=home, database_url="", broker_url="", keep_checkpoints=True)
    store = open_store(settings.database, create=True)
    submit_digits(store, settings, label, epochs=epochs, seeds=[seed])
    assert attempt_here(store, settings) is JobState.DONE
    return store
