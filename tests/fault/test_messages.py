"""Garbage on the real queue: each piece is thrown away in one short line, and the worker does the next job."""

import base64
import json
import pickle

import pytest
import redis
from pickled import Creates
from real_worker import job, submit_digits, until, worker

from db import open_store
from db.records import JobState
from scheduler.app import QUEUE, TASK
from scheduler.broker import ensure_broker
from scheduler.settings import load_settings

NOTHING = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


ORDERS = {"eta": "2999-01-01T00:00:00+00:00", "timelimit": [0.01, 0.01], "ignore_result": False}
"""What Celery would do with a task: not before a moment, killed after a time."""


def body_of(arguments, names=None, embedded=NOTHING):
    return json.dumps([arguments, names or {}, embedded]).encode()


def message(body, *, task=TASK, kind="application/json", encoding="utf-8", headers=None):
    """An envelope as kombu writes it on Redis."""
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-type": kind,
            "content-encoding": encoding,
            "headers": {"task": task, "id": "an-id", **(headers or {})},
            "properties": {
                "delivery_tag": base64.b64encode(body[:8]).decode(),
                "delivery_info": {"exchange": "", "routing_key": QUEUE},
                "body_encoding": "base64",
                "priority": 0,
            },
        }
    ).encode()


ENVELOPES = {
    "text": b"garbage",
    "bytes": b"\xff\xfe\x00",
    "half": message(body_of([1]))[:-9],
    "deep": b"[" * 100_000,
    "an odd decimal": b'{"__type__": "decimal", "__value__": "x"}',
    "a bare list": b"[1, 2]",
    "a number": b"7",
    "an empty object": b"{}",
    "no base64": message(body_of([1])).replace(b'"body": "', b'"body": "*'),
    "a compressed body": message(body_of([1]), headers={"compression": "application/x-bz2"}),
    "a strange delivery tag": message(body_of([1])).replace(b'"delivery_tag": "', b'"delivery_tag": {}, "was": "'),
}
CONTENTS = {
    "an unknown task": message(body_of([1]), task="os.system"),
    "Celery's own task": message(body_of([[]], {"task": TASK}), task="celery.map"),
    "no task": message(body_of([1]), task=None),
    "no id": message(body_of([1]), headers={"id": None}),
    "yaml": message(body_of([1]), kind="application/x-yaml"),
    "no arguments": message(body_of([])),
    "one too many": message(body_of([1, 2])),
    "a name": message(body_of([1], {"job_id": 2})),
    "a callback": message(body_of([1], embedded=NOTHING | {"callbacks": [{"task": TASK, "args": [1]}]})),
    "not a list of three": message(b'{"args": [1]}'),
    "no JSON": message(b"not JSON"),
    "a text": message(body_of(["1"])),
    "a float": message(body_of([1.0])),
    "a bool": message(body_of([True])),
    "zero": message(body_of([0])),
    "a negative one": message(body_of([-1])),
    "a huge one": message(body_of([10**30])),
    "a list": message(body_of([[1]])),
    "none": message(body_of([None])),
    "a long text": message(body_of(["long" * 10_000 + "\n" * 10])),
}


def garbage(trap):
    pickled = pickle.dumps(Creates(trap))
    kinds = {"content type": "application/x-python-serialize", "claim to be JSON": "application/json"}
    pickles = {
        f"a pickle by {name} in {encoding}": message(pickled, kind=kind, encoding=encoding)
        for name, kind in kinds.items()
        for encoding in ("binary", "utf-8")
    }
    return ENVELOPES | CONTENTS | pickles | {"a bare pickle": pickled}


@pytest.fixture(params=["embedded", "tcp"])
def here(request, bench_home, monkeypatch):
    if request.param == "tcp":
        monkeypatch.setenv("BENCH_BROKER_URL", request.getfixturevalue("valkey_url"))
    settings = load_settings()
    ensure_broker(settings)
    return settings


@pytest.fixture
def queue(here):
    if here.embedded_broker:
        client = redis.Redis(unix_socket_path=str(here.socket))
    else:
        client = redis.Redis.from_url(here.broker)
    with client:
        yield client


def test_garbage_is_thrown_away_in_one_line_each_and_the_worker_lives_on(here, queue, tmp_path):
    trap, log = tmp_path / "unpickled", tmp_path / "worker.log"
    store = open_store(here.database, create=True)
    bad = garbage(trap)
    with worker(tmp_path) as living:
        for number, content in enumerate(bad.values(), 1):
            queue.lpush(QUEUE, content)
            until(lambda number=number: thrown_away(log) >= number or living.poll() is not None, seconds=30)
            assert living.poll() is None, list(bad)[number - 1]
        (after,) = submit_digits(store, here, "baseline", epochs=1)
        queue.lpush(QUEUE, message(body_of([after]), headers=ORDERS))
        until(lambda: job(store, after).state is JobState.DONE)
        until(lambda: queue.hlen("unacked") == 0)  # garbage, or a doorbell, that is only set aside would come back
    assert job(store, after).attempt == 1
    said = log.read_text()
    assert thrown_away(log) == len(bad)
    assert "Traceback" not in said
    assert max(map(len, said.splitlines())) < 300
    assert not trap.exists()
    store.close()


def thrown_away(log):
    return log.read_text().count("a message was thrown away")
