"""A worker on a host of its own, a network namespace, whose link is cut: only the other host's result counts."""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager

import pytest
from crashable import crashable_postgres
from real_worker import ROOT, first_attempts_rows, job, numbers, outcomes, running_at, submit_digits, until, worker
from servers import valkey_server

from db import open_store
from db.records import Cause, JobState
from scheduler.settings import load_settings

EPOCHS = 8


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


class Host:
    """A network namespace that one link joins to this machine."""

    def __init__(self):
        name = uuid.uuid4().hex[:6]
        self.space, self.link, self.inner = f"bench-{name}", f"bo{name}", f"bi{name}"
        net = int(name[:2], 16)
        self.here, self.there = f"10.213.{net}.1", f"10.213.{net}.2"

    def make(self):
        steps = [
            ("netns", "add", self.space),
            ("link", "add", self.link, "type", "veth", "peer", "name", self.inner, "netns", self.space),
            ("addr", "add", f"{self.here}/24", "dev", self.link),
            ("link", "set", self.link, "up"),
            ("-n", self.space, "addr", "add", f"{self.there}/24", "dev", self.inner),
            ("-n", self.space, "link", "set", self.inner, "up"),
            ("-n", self.space, "link", "set", "lo", "up"),
        ]
        for step in steps:
            done = ip(*step)
            if done.returncode:
                self.remove()
                pytest.skip(f"no network namespaces here: ip {' '.join(step)}: {done.stderr.strip()}")

    def cut(self):
        assert ip("link", "set", self.link, "down").returncode == 0

    def heal(self):
        assert ip("link", "set", self.link, "up").returncode == 0

    def reaches(self):
        words = ["ip", "netns", "exec", self.space, "ping", "-c", "1", "-W", "1", self.here]
        if shutil.which("ping") is None:
            probe = f"import socket; socket.create_connection(({self.here!r}, 5432), timeout=1)"
            words = ["ip", "netns", "exec", self.space, sys.executable, "-c", probe]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def remove(self):
        ip("netns", "del", self.space)
        ip("link", "del", self.link)


@pytest.fixture
def other_host():
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    host = Host()
    host.make()
    yield host
    host.remove()


@contextmanager
def worker_there(host, cwd):
    words = ["ip", "netns", "exec", host.space, sys.executable, "-m", "cli", "worker", "--slots", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (cwd / "there.log").open("ab") as log:
        started = subprocess.Popen(
            [*words, "--device", "cpu"], cwd=cwd, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield started
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()


@pytest.mark.long
def test_a_host_that_is_cut_off_for_longer_than_its_lease_changes_nothing(
    other_host, bench_home, monkeypatch, tmp_path, undisturbed
):
    with crashable_postgres(other_host.here) as postgres, valkey_server(other_host.here) as broker:
        shared = {
            "DATABASE_URL": postgres.url,
            "BROKER_URL": f"{broker}/0",
            "ARTIFACTS_URL": f"file://{tmp_path}/shared",
        }
        for name, value in {**shared, "LEASE_S": "6", "HEARTBEAT_S": "0.5", "CHECKPOINT_S": "0.2"}.items():
            monkeypatch.setenv(f"BENCH_{name}", value)
        settings = load_settings()
        store = open_store(settings.database, create=True)
        submit_digits(store, settings, "both", epochs=EPOCHS)
        with worker_there(other_host, tmp_path):
            until(lambda: running_at(store, 2))
            theirs = job(store).owner
            other_host.cut()
            assert not other_host.reaches()
            reached = job(store).epoch
            time.sleep(2)
            assert job(store).epoch <= reached + 1  # nothing arrives any more
            with worker(tmp_path) as here:
                until(lambda: job(store).attempt == 2)
                assert theirs not in (job(store).owner, None)
                until(lambda: job(store).state is JobState.DONE, seconds=180)
                before = job(store), first_attempts_rows(store)
                other_host.heal()
                until(other_host.reaches)
                log = settings.logs / "job-1-attempt-1.log"
                until(lambda: "no longer ours" in log.read_text() or "another attempt was" in log.read_text(), 120)
                assert here.poll() is None
        assert (job(store), first_attempts_rows(store)) == before
        assert outcomes(store) == [Cause.WORKER_LOST, "done"]
        second = store.attempts([1])[1][1]
        assert second.owner != theirs
        assert second.start_epoch + second.start_step > 0  # it went on from the other host's checkpoint
        assert len(store.results([1])) == 1
        assert numbers(store) == undisturbed("both", epochs=EPOCHS)
        store.close()
