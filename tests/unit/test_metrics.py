"""Metrics are what the store holds, in text that Prometheus reads; what is away is a 0."""

import http.client
import re
import socket
import subprocess
import sys
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from fake_nvml import MIB, FakeNvml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from records import EPOCH, new_job, predictions, result, submission

from db import open_store
from db.errors import ConfigError
from db.records import Cause
from db.store import Store
from scheduler.app import doorbells
from scheduler.metrics import Overview
from scheduler.settings import load_settings
from worker.devices import visible_cards
from worker.metrics import Cards, Endpoint, metrics_text

ROOT = Path(__file__).parent.parent.parent
AWAY = "postgresql+psycopg://bench:hunter2@127.0.0.1:1/bench"


@pytest.fixture
def store(tmp_path):
    with closing(open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)) as opened:
        yield opened


@pytest.fixture
def here(tmp_path):
    return load_settings(home=tmp_path)


def samples(text):
    """Each value under its name and its labels' values, in the order of the labels' names."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(one.name, *(one.labels[name] for name in sorted(one.labels))): one.value for one in found}


def read(overview):
    registry = CollectorRegistry()
    registry.register(overview)
    return samples(generate_latest(registry).decode())


def overview(store, depth=lambda: 3):
    return Overview(looking=lambda: nullcontext(store), depth=depth, seen_within_s=60)


def fill(store):
    """A done job, a failed one, one that runs and one that waits, on a worker of two slots."""
    store.register_worker("host:1:a", host="host", pid=1, slots=2, device="cpu")
    store.submit(submission(), [new_job(seed) for seed in range(4)])
    for _ in range(2):
        claim = store.claim_next("host:1:a/2", lease_s=60)
        store.record_epoch(claim, EPOCH)
        store.finish(claim, result(), predictions()) if claim.seed == 0 else store.fail(claim, Cause.DIVERGED, "")
    store.claim_next("other:1:b/2", lease_s=-1)
    store.claim_next("host:1:a/2", lease_s=60)


def test_each_metric_is_what_the_store_holds(store):
    fill(store)
    found = read(overview(store))
    assert {state: found.pop(("bench_jobs", state)) for state in store.counts()} == store.counts()
    assert {name: found.pop(("bench_attempts_total", name)) for name in store.outcomes()} == store.outcomes()
    assert 0 <= found.pop(("bench_oldest_queued_seconds",)) < 60
    assert found == {
        ("bench_store_up",): 1,
        ("bench_broker_up",): 1,
        ("bench_broker_messages",): 3,
        ("bench_lease_expiries_total",): 1,
        ("bench_epoch_seconds_count", "cpu", "small_cnn"): 2,
        ("bench_epoch_seconds_sum", "cpu", "small_cnn"): 2 * EPOCH.epoch_s,
        ("bench_workers", "cpu"): 1,
        ("bench_workers", "cuda"): 0,
        ("bench_slots", "cpu"): 2,
        ("bench_slots", "cuda"): 0,
    }


def test_a_store_that_is_away_is_a_zero_and_leaves_the_rest(caplog):
    with closing(Store(AWAY)) as away:
        found = read(overview(away))
    assert found == {("bench_broker_up",): 1, ("bench_broker_messages",): 3, ("bench_store_up",): 0}
    assert "does not answer" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_broker_that_is_away_is_a_zero_and_leaves_the_rest(store, tmp_path):
    settings = load_settings(home=tmp_path, broker_url="redis://:hunter2@127.0.0.1:1/0")
    found = read(overview(store, doorbells(settings).depth))
    assert found["bench_broker_up",] == 0
    assert ("bench_broker_messages",) not in found
    assert found["bench_store_up",] == 1


def test_the_documents_list_has_every_metric_and_no_other(store, here):
    fill(store)
    families = text_string_to_metric_families(metrics_text(store, here))
    # without a server and without a card these have no samples here
    exposed = {family.name for family in families} | {"bench_broker_messages"}
    rows = re.findall(r"^\| `(bench_\w+)", (ROOT / "docs" / "operations.md").read_text(), flags=re.MULTILINE)
    assert {name.removesuffix("_total") for name in rows} == exposed


def test_each_card_of_this_machine_has_its_memory(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    used, total = Cards().collect()
    assert len(used.samples) == len(total.samples) == len(visible_cards())


def test_a_divided_card_has_the_memory_of_its_parts(monkeypatch):
    cards = {"GPU-a": (81_000, 80_000), "GPU-b": (40_000, 30_000)}
    parts = {"GPU-a": {0: ("MIG-a", 9_984, 9_900), 2: ("MIG-b", 19_968, 5_000)}}
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(cards, parts))
    used, total = ({one.labels["card"]: one.value / MIB for one in kind.samples} for kind in Cards().collect())
    assert used == {"0:0": 84, "0:2": 14_968, "1": 10_000}
    assert total == {"0:0": 9_984, "0:2": 19_968, "1": 40_000}


@pytest.mark.parametrize("address", ["", ":", "metrics", "70000", "9400:host", "::1:x", "-1", "²"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ConfigError, match="PORT or HOST:PORT"):
        Endpoint(address)


def test_a_port_that_is_taken_is_refused_before_anything_is_started():
    first = Endpoint("0")
    try:
        with pytest.raises(ConfigError, match="cannot listen on"):
            Endpoint(str(first.place[1]))
    finally:
        first.stop()


@pytest.mark.parametrize(("address", "host"), [("0", "127.0.0.1"), ("localhost:0", "127.0.0.1"), ("[::1]:0", "::1")])
def test_the_endpoint_answers_at_its_address_until_it_is_stopped(here, store, address, host):
    fill(store)
    endpoint = Endpoint(address)
    endpoint.start(here, lambda: closing(store))
    place = endpoint.place
    try:
        assert place[0] == host
        with closing(http.client.HTTPConnection(*place, timeout=20)) as connection:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            assert answer.status == 200
            assert samples(answer.read().decode())["bench_jobs", "running"] == 1
    finally:
        endpoint.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place, timeout=5)


FORK = """
import os, sys, threading, time
from db import open_store
from scheduler.settings import load_settings
from worker.keeper import Keeper
from worker.stopping import StopPipe
here = load_settings(home=sys.argv[1])
keeper = Keeper(open_store(here.database, create=True), here, "host:1:a", StopPipe(), drain=False)
inside, ended_at = threading.Event(), []
def look():
    with keeper.looking() as store:
        store.counts()
        inside.set()
        time.sleep(0.5)
        ended_at.append(time.monotonic())
thread = threading.Thread(target=look)
thread.start()
inside.wait()
if os.fork() == 0:
    os._exit(0)
print(bool(ended_at) and time.monotonic() >= ended_at[0])
os.wait()
thread.join()
"""


def test_no_child_is_forked_while_a_scrape_has_the_store_open(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FORK, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "True\n", done.stderr
