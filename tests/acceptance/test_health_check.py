"""`bench worker --healthy`, the health check of a container, asks for this host's own worker."""

import os
import signal
import socket

import pytest
from command import bench
from real_worker import until, worker

from db import open_store
from scheduler.settings import load_settings


@pytest.fixture
def store(bench_home):
    opened = open_store(load_settings().database, create=True)
    yield opened
    opened.close()


def add_worker(store, *, host):
    """One whose process, this one, lives."""
    store.register_worker(f"{host}:x", host=host, pid=os.getpid(), slots=1, device="cpu")


def test_a_worker_that_lives_is_healthy_until_it_is_killed(store, tmp_path):
    with worker(tmp_path) as living:
        until(lambda: store.workers(seen_within_s=60))
        bench("worker", "--healthy", cwd=tmp_path)
        os.killpg(living.pid, signal.SIGKILL)
        living.wait()
        done = bench("worker", "--healthy", cwd=tmp_path, code=1)
    assert f"no worker of {socket.gethostname()} was heard of" in done.stderr


def test_a_worker_of_another_host_does_not_count(store, tmp_path):
    add_worker(store, host="another")
    bench("worker", "--healthy", cwd=tmp_path, code=1)
    add_worker(store, host=socket.gethostname())
    bench("worker", "--healthy", cwd=tmp_path)
    store.worker_seen(f"{socket.gethostname()}:x", stopped=True)
    bench("worker", "--healthy", cwd=tmp_path, code=1)
