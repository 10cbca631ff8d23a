"""bench as a user types it: real broker, real store, real training, on the digits."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DIGITS = ["--dataset", "digits", "--epochs", "1"]


def bench(*words, cwd, code=0, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def status(cwd):
    return json.loads(bench("status", "--json", cwd=cwd).stdout)


def test_the_whole_suite_is_twelve_jobs_and_submitting_again_adds_none(bench_home, tmp_path):
    plan = json.loads(bench("plan", "--all", "--json", cwd=tmp_path).stdout)["jobs"]
    assert [job["state"] for job in plan] == ["new"] * 12
    assert {job["variant"]: job["parameters"] for job in plan}["resnet"] == 4_330_324
    assert not (bench_home / "bench.db").exists()
    assert "12 jobs added" in bench("submit", "--all", cwd=tmp_path).stdout
    assert "0 jobs added, 12 already waiting" in bench("submit", "--all", cwd=tmp_path).stdout
    assert "24 jobs added" in bench("submit", "--all", "--seeds", "3", cwd=tmp_path).stdout
    assert status(tmp_path)["counts"]["queued"] == 36


def test_a_run_trains_reports_and_leaves_nothing_running(bench_home, tmp_path):
    words = ["run", "--variant", "baseline", "--variant", "batchnorm", *DIGITS, "--slots", "2"]
    done = bench(*words, cwd=tmp_path)
    assert "Baseline" in done.stdout
    assert (tmp_path / "report" / "report.html").is_file()
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["counts"] == {"queued": 0, "running": 0, "done": 2, "failed": 0, "cancelled": 0}
    assert report["reference"] == {}
    assert not (bench_home / "broker" / "valkey.sock").exists()
    again = bench(*words, cwd=tmp_path)
    assert "0 jobs added, 2 already done" in again.stderr
    assert again.stdout == done.stdout


@pytest.fixture
def production(bench_home, postgres_url, valkey_url, monkeypatch):
    """A home whose store is a Postgres and whose broker is reached over TCP."""
    monkeypatch.setenv("BENCH_DATABASE_URL", postgres_url)
    monkeypatch.setenv("BENCH_BROKER_URL", valkey_url)
    return bench_home


def test_a_worker_drains_the_queue_on_postgres_and_a_broker_over_tcp(production, tmp_path):
    bench("submit", "--variant", "baseline", *DIGITS, "--seeds", "2", cwd=tmp_path)
    bench("worker", "--slots", "2", "--drain", cwd=tmp_path)
    jobs = status(tmp_path)["jobs"]
    assert [job["state"] for job in jobs] == ["done", "done"]
    assert all(0 < job["val_accuracy"] <= 1 for job in jobs)
    bench("report", cwd=tmp_path)
    assert "2 done" in (tmp_path / "report" / "report.md").read_text()


def test_lost_messages_lose_no_job(bench_home, tmp_path, valkey_url, monkeypatch):
    import redis

    monkeypatch.setenv("BENCH_BROKER_URL", valkey_url)
    bench("submit", "--variant", "baseline", *DIGITS, cwd=tmp_path)
    with redis.Redis.from_url(valkey_url) as client:
        assert client.llen("bench") == 1
        client.flushall()
    bench("worker", "--slots", "1", "--drain", cwd=tmp_path)
    assert status(tmp_path)["counts"]["done"] == 1


def test_a_stopped_run_goes_on_where_it_was(bench_home, tmp_path):
    words = [
        sys.executable,
        "-m",
        "cli",
        "run",
        "--variant",
        "both",
        "--dataset",
        "digits",
        "--epochs",
        "8",
        "--slots",
        "1",
    ]
    running = subprocess.Popen(words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and not _epoch(tmp_path, bench_home):
        time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=60) == 130
    assert b"To go on: bench run" in running.stderr.read()
    running.stderr.close()
    (job,) = status(tmp_path)["jobs"]
    assert (job["state"], job["cause"]) == ("queued", "preempted")
    bench(*words[3:], cwd=tmp_path)
    log = (bench_home / "logs" / "job-1-attempt-2.log").read_text()
    assert "epoch 1:" not in log
    assert "epoch 8:" in log


def _epoch(cwd, home):
    return (home / "bench.db").exists() and any(job["epoch"] for job in status(cwd)["jobs"])


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["submit"], 2, "nothing is selected"),
        (["submit", "--variant", "vgg"], 2, "no variant 'vgg'"),
        (["submit", "--all", "--variant", "baseline"], 2, "exclude each other"),
        (["submit", "--all", "--dataset", "mnist"], 2, "mnist"),
        (["submit", "--all", "--epochs", "0"], 2, "--epochs"),
        (["submit", "--all", "--seeds", "0"], 2, "--seeds must be 1"),
        (["submit", "--all", "--seeds", "2", "--seed", "7"], 2, "exclude each other"),
        (["submit", "--all", "--suite", "none.toml"], 2, "no suite file"),
        (["submit", "--all", "--dataset", "folder:nowhere"], 2, "nowhere"),
        (["report"], 2, "no submission yet"),
        (["report", "--submission", "5"], 2, "no submission 5"),
        (["worker", "--device", "tpu"], 2, "--device must be"),
        (["cancel", "7"], 2, "no job 7"),
        (["retry"], 2, "say which jobs"),
        (["db", "check"], 3, "no store"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_line_that_names_its_mend(bench_home, tmp_path, words, code, error):
    done = bench(*words, cwd=tmp_path, code=code)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("error: ")
    assert error in lines[0]
    assert lines[1].startswith("fix: ")
    assert done.stdout == ""


def test_a_store_that_cannot_be_reached_is_exit_code_3(bench_home, tmp_path):
    away = "postgresql+psycopg://bench:secret@127.0.0.1:1/bench"
    done = bench("status", cwd=tmp_path, code=3, BENCH_DATABASE_URL=away)
    assert "secret" not in done.stderr
    assert "does not answer" in done.stderr


def test_jobs_are_kept_when_the_broker_is_away(bench_home, tmp_path):
    away = "redis://:secret@127.0.0.1:1/0"
    done = bench("submit", "--variant", "baseline", *DIGITS, cwd=tmp_path, code=3, BENCH_BROKER_URL=away)
    assert "1 jobs added" in done.stdout
    assert "secret" not in done.stderr
    assert status(tmp_path)["counts"]["queued"] == 1
