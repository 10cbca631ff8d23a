"""Short leases, a store of each kind, and the numbers that an undisturbed training gives."""

from collections.abc import Callable

import pytest
from real_worker import numbers, submit_digits

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


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> Callable:
    """Gives the numbers of a config of the built-in suite on the digits, trained in one go; each is trained once."""
    known = {}

    def train(label: str, *, epochs: int, seed: int = 42) -> tuple:
        wanted = (label, epochs, seed)
        if wanted not in known:
            known[wanted] = _in_one_go(tmp_path_factory.mktemp("undisturbed"), *wanted)
        return known[wanted]

    return train


def _in_one_go(home, label, epochs, seed):
    import torch

    from worker.attempt import Slot, run_attempt

    torch.set_num_threads(1)  # as a worker's slot: numbers are promised for one thread count
    settings = load_settings(home=home, database_url="", broker_url="")
    store = open_store(settings.database, create=True)
    submit_digits(store, settings, label, epochs=epochs, seeds=[seed])
    claim = store.claim_next("alone", lease_s=600)
    assert run_attempt(store, claim, Slot(device="cpu", settings=settings)) is JobState.DONE
    found = numbers(store)
    store.close()
    return found
