"""A real worker's metrics and log lines, as whoever operates it sees them."""

import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from prometheus_client.parser import text_string_to_metric_families
from real_worker import ROOT, job, pid_of, running_at, stop, submit_digits, until, worker

from db import open_store
from db.records import JobState
from scheduler.settings import load_settings

TEXT_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (DEBUG|INFO|WARNING|ERROR|CRITICAL) .*|    .*")
QUICK = {"BENCH_HEARTBEAT_S": "1"}


@pytest.fixture
def here(bench_home):
    return load_settings()


@pytest.fixture
def store(here):
    with closing(open_store(here.database, create=True)) as opened:
        yield opened


def bench_metrics(cwd, code=0, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "cli", "metrics"],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    return done


def samples(text):
    """Each value under its name and its labels' values, in the order of the labels' names."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(one.name, *(one.labels[name] for name in sorted(one.labels))): one.value for one in found}


def port_of(cwd):
    """Where the worker says that its metrics are."""
    log = cwd / "worker.log"
    found = until(lambda: re.search(r"http://127\.0\.0\.1:(\d+)/metrics", log.read_text()) if log.exists() else None)
    return int(found[1])


def scrape(port):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert answer.status == 200
        return samples(answer.read().decode())


def test_a_worker_shows_the_job_that_it_runs_and_then_that_it_is_done(here, store, tmp_path):
    submit_digits(store, here, "baseline", epochs=8)
    submit_digits(store, here, "batchnorm", epochs=1)
    with worker(tmp_path, BENCH_METRICS="0", **QUICK):
        port = port_of(tmp_path)
        until(lambda: running_at(store, 1))
        found = scrape(port)
        assert (found["bench_jobs", "running"], found["bench_jobs", "queued"]) == (1, 1)
        assert (found["bench_workers", "cpu"], found["bench_slots", "cpu"]) == (1, 1)
        assert (found["bench_store_up",], found["bench_broker_up",]) == (1, 1)
        assert found["bench_epoch_seconds_count", "cpu", "small_cnn"] >= 1
        assert found["bench_oldest_queued_seconds",] > 0
        until(lambda: job(store, 2).state is JobState.DONE)
        assert scrape(port)["bench_attempts_total", "done"] == 2
    with pytest.raises(ConnectionError):
        scrape(port)


@pytest.mark.long
def test_scrapes_go_on_while_a_child_dies_and_another_is_forked(here, store, tmp_path):
    submit_digits(store, here, "baseline", epochs=8)
    answers, ended = [], threading.Event()
    with worker(tmp_path, BENCH_METRICS="0", **QUICK):
        port = port_of(tmp_path)

        def keep_scraping():
            while not ended.wait(0.05):
                answers.append(scrape(port)["bench_store_up",])

        scraper = threading.Thread(target=keep_scraping)
        scraper.start()
        try:
            until(lambda: running_at(store, 1))
            os.kill(pid_of(store), signal.SIGKILL)
            until(lambda: job(store).state is JobState.DONE, seconds=180)
        finally:
            ended.set()
            scraper.join()
        assert scrape(port)["bench_attempts_total", "worker_lost"] == 1
    assert len(answers) > 10
    assert set(answers) == {1}
    with closing(sqlite3.connect(here.folder / "bench.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_command_prints_what_the_store_holds_and_starts_nothing(here, store, tmp_path):
    submit_digits(store, here, "baseline", "batchnorm")
    found = samples(bench_metrics(tmp_path).stdout)
    assert found["bench_jobs", "queued"] == 2
    assert found["bench_broker_up",] == 0
    assert not here.socket.exists()


def test_the_command_without_a_store_or_with_one_that_is_away_is_exit_code_3(bench_home, tmp_path):
    assert "there is no store" in bench_metrics(tmp_path, code=3).stderr
    assert not bench_home.exists()
    away = "postgresql+psycopg://bench:hunter2@127.0.0.1:1/bench"
    done = bench_metrics(tmp_path, code=3, BENCH_DATABASE_URL=away)
    assert "does not answer" in done.stderr
    assert "hunter2" not in done.stderr
    assert "no metrics" not in done.stderr  # what happened is said once
    assert samples(done.stdout) == {("bench_store_up",): 0, ("bench_broker_up",): 0}


@pytest.mark.long
@pytest.mark.parametrize("kind", ["text", "json"])
def test_every_line_of_a_worker_has_the_one_format_ids_and_no_secret(
    bench_home, tmp_path, valkey_url, postgres_url, kind
):
    # neither server asks for a password, and both accept one
    secrets = {
        "BENCH_BROKER_URL": valkey_url.replace("://", "://default:hunter2@"),
        "BENCH_DATABASE_URL": postgres_url.replace("bench@", "bench:hunter2@"),
    }
    here = load_settings(database_url=secrets["BENCH_DATABASE_URL"], broker_url=secrets["BENCH_BROKER_URL"])
    with closing(open_store(here.database, create=True)) as store:
        submit_digits(store, here, "baseline", epochs=5)
        with worker(tmp_path, BENCH_LOG_FORMAT=kind, BENCH_LOG_LEVEL="debug", **QUICK, **secrets) as started:
            until(lambda: running_at(store, 1))
            os.kill(pid_of(store), signal.SIGKILL)
            until(lambda: job(store).state is JobState.DONE, seconds=180)
            assert stop(started) == 0
    own = (tmp_path / "worker.log").read_text()
    both = [(bench_home / "logs" / f"job-1-attempt-{number}.log").read_text() for number in (1, 2)]
    assert not [line for text in (own, *both) for line in text.splitlines() if not _is_formatted(line, kind)]
    for number, text in enumerate(both, 1):
        assert all(_about(number, kind) in line for line in text.splitlines())
    assert "epoch 1:" in both[0]
    (gone,) = [line for line in own.splitlines() if "is gone" in line]
    assert _about(1, kind) in gone
    assert all(words in own for words in ("Warm shutdown", "pool workers joined"))  # of Celery and of its pool
    assert "hunter2" not in own + "".join(both)


def _about(attempt, kind):
    ids = {"submission": 1, "job": 1, "attempt": attempt}
    return json.dumps(ids)[1:-1] if kind == "json" else " ".join(f"{name}={value}" for name, value in ids.items())


def _is_formatted(line, kind):
    if kind == "json":
        return {"at", "level", "logger", "message"} <= set(json.loads(line))
    return TEXT_LINE.fullmatch(line)
