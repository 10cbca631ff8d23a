"""bench as a user types it: real broker, real store, real training, on the digits."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress

import psutil
import pytest
from command import DIGITS, ROOT, bench, status

from cli._schemas import SCHEMAS
from db import open_store


def test_the_whole_suite_is_twelve_jobs_and_submitting_again_adds_none(bench_home, tmp_path):
    plan = json.loads(bench("plan", "--all", "--json", cwd=tmp_path).stdout)["jobs"]
    assert [job["state"] for job in plan] == ["new"] * 12
    assert {job["variant"]: job["parameters"] for job in plan}["resnet"] == 4_330_324
    assert not (bench_home / "bench.db").exists()
    assert "12 jobs added" in bench("submit", "--all", cwd=tmp_path).stdout
    assert "0 jobs added, 12 already waiting" in bench("submit", "--all", cwd=tmp_path).stdout
    assert "24 jobs added" in bench("submit", "--all", "--seeds", "3", cwd=tmp_path).stdout
    assert status(tmp_path)["counts"]["queued"] == 36


def test_a_home_with_letters_that_mean_something_in_a_url_holds_everything(bench_home, tmp_path, monkeypatch):
    home = tmp_path / "50 %41 ? #1"
    monkeypatch.setenv("BENCH_HOME", str(home))
    try:
        bench("submit", "--variant", "baseline", *DIGITS, cwd=tmp_path)
        assert (home / "bench.db").is_file()
        assert "0 new, 1 waiting" in bench("plan", "--variant", "baseline", *DIGITS, cwd=tmp_path).stderr
        assert status(tmp_path)["counts"]["queued"] == 1
    finally:
        assert "has stopped" in bench("down", cwd=tmp_path).stderr


def test_a_command_that_is_not_utf_8_can_be_kept(bench_home, tmp_path):
    (tmp_path / os.fsdecode(b"\xff.toml")).write_text('[suite]\nname = "mine"\ndataset = "digits"\n[variants.a]\n')
    assert "Submission 1" in bench("submit", "--all", "--suite", b"\xff.toml", cwd=tmp_path).stdout


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


@pytest.mark.long  # over TLS, and so over TCP, one trains in each run
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
        "5",
        "--slots",
        "1",
    ]
    running = subprocess.Popen(words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and not _epoch(bench_home):
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=60) == 130
    assert b"To go on: bench run" in running.stderr.read()
    running.stderr.close()
    (job,) = status(tmp_path)["jobs"]
    assert (job["state"], job["cause"]) == ("queued", "preempted")
    bench(*words[3:], cwd=tmp_path)
    log = (bench_home / "logs" / "job-1-attempt-2.log").read_text()
    assert "epoch 1:" not in log
    assert "epoch 5:" in log


def _epoch(home):
    """The last one that is done; a command of bench would take a core for as long as an epoch."""
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(f"file:{home}/bench.db?mode=ro", uri=True)) as db:
        return db.execute("SELECT max(epoch) FROM epochs").fetchone()[0]


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
        (["report"], 3, "no store"),
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


def test_ctrl_c_of_a_worker_ends_it_orderly_and_says_how_to_go_on(bench_home, tmp_path):
    command, environment = (
        [sys.executable, "-m", "cli", "worker", "--slots", "1"],
        {**os.environ, "PYTHONPATH": str(ROOT)},
    )
    worker = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        said = ""
        while "is ready" not in said:
            line = worker.stderr.readline()
            assert line, said
            said += line
        worker.send_signal(signal.SIGINT)
        said = worker.communicate(timeout=60)[1]
    finally:
        worker.kill()
    assert worker.returncode == 0
    assert "stopping: each job saves a checkpoint and waits again, `bench worker` goes on with it; a second" in said


def test_a_job_that_cannot_be_cancelled_or_retried_says_why(queued, tmp_path, valkey_url, monkeypatch):
    monkeypatch.setenv("BENCH_BROKER_URL", valkey_url)
    assert bench("retry", "1", cwd=tmp_path).stderr == "job 1 is queued: nothing to retry\n"
    assert bench("cancel", "1", cwd=tmp_path).stdout == "1 job cancelled, 0 running asked to stop.\n"
    assert status(tmp_path)["jobs"][0]["message"] == "cancelled while it waited"
    assert bench("cancel", "1", cwd=tmp_path).stderr == "job 1 is cancelled already: nothing to cancel\n"
    other = bench("retry", "1", "--cause", "oom", cwd=tmp_path)
    assert other.stderr == "job 1 ended by cancelled, not oom: nothing to retry\n"
    assert bench("retry", "1", cwd=tmp_path).stdout == "1 job queued again.\n"


def test_a_priority_reaches_the_job(bench_home, tmp_path, monkeypatch, valkey_url):
    monkeypatch.setenv("BENCH_BROKER_URL", valkey_url)
    bench("submit", "--variant", "baseline", *DIGITS, "--priority", "-5", cwd=tmp_path)
    assert [job["priority"] for job in status(tmp_path)["jobs"]] == [-5]


@pytest.mark.parametrize(
    ("variables", "shown"), [({}, False), ({"BENCH_DEBUG": "0"}, False), ({"BENCH_DEBUG": "1"}, True)]
)
@pytest.mark.parametrize("words", [["cancel", "7"], ["submit", "--seeds", "x"]], ids=" ".join)
def test_only_bench_debug_shows_a_traceback(bench_home, tmp_path, words, variables, shown):
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert ("Traceback" in done.stderr) is shown
    assert "\nfix: " in done.stderr


def test_down_stops_the_embedded_broker(bench_home, tmp_path):
    assert "No embedded broker was running." in bench("down", cwd=tmp_path).stderr
    bench("submit", "--variant", "baseline", *DIGITS, cwd=tmp_path)
    socket = bench_home / "broker" / "valkey.sock"
    server = psutil.Process(int((bench_home / "broker" / "pid").read_text()))
    assert socket.exists()
    done = bench("down", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("", "The embedded broker has stopped.\n")
    assert not socket.exists()
    assert not server.is_running()
    assert status(tmp_path)["counts"]["queued"] == 1


def test_down_leaves_a_broker_alone_that_bench_did_not_start(bench_home, tmp_path, valkey_url):
    import redis

    assert "left alone" in bench("down", cwd=tmp_path, BENCH_BROKER_URL=valkey_url).stderr
    with redis.Redis.from_url(valkey_url) as client:
        assert client.ping()


HARM = """<script>alert('1')</script> & 50 % of $x$_{y} \\\\ #1 "two" 'three'"""
WILD = f"""
[suite]
name = "wild"
dataset = "digits"
title = {json.dumps(HARM)}
[defaults]
epochs = 1
[variants.tame]
title = {json.dumps(HARM)}
[variants.wild]
learning_rate = 1e30
optimizer = "sgd"
"""


@pytest.mark.long
def test_a_run_with_a_failed_job_ends_with_1_and_reports_the_cause(bench_home, tmp_path):
    (tmp_path / "wild.toml").write_text(WILD)
    done = bench("run", "--all", "--suite", "wild.toml", "--slots", "1", cwd=tmp_path, code=1)
    assert "1 failed: diverged" in done.stdout
    later = bench("run", "--all", "--suite", "wild.toml", "--slots", "1", cwd=tmp_path, code=1)
    assert "job 2 failed (diverged): " in later.stderr
    report = tmp_path / "report"
    assert "1 failed: diverged" in (report / "report.md").read_text()
    assert "<script>alert('1')" not in (report / "report.html").read_text()
    again = json.loads(bench("report", "--json", cwd=tmp_path).stdout)
    assert again["counts"] == {"queued": 0, "running": 0, "done": 1, "failed": 1, "cancelled": 0}
    assert again == json.loads((report / "report.json").read_text())
    assert (*again,) == SCHEMAS["report"].keys


@pytest.mark.long
def test_a_drained_worker_ends_with_1_when_a_job_failed_meanwhile(bench_home, tmp_path):
    (tmp_path / "wild.toml").write_text(WILD)
    bench("submit", "--variant", "wild", "--suite", "wild.toml", cwd=tmp_path)
    bench("worker", "--drain", "--slots", "1", cwd=tmp_path, code=1)
    bench("worker", "--drain", "--slots", "1", cwd=tmp_path, code=0)


@pytest.mark.long
def test_two_slots_train_two_jobs_at_once(bench_home, tmp_path):
    words = ["run", "--variant", "baseline", "--dataset", "digits", "--epochs", "4", "--seeds", "2", "--slots", "2"]
    bench(*words, cwd=tmp_path)
    with closing(open_store(f"sqlite:///{bench_home / 'bench.db'}")) as store:
        (one,), (two,) = store.attempts([1, 2]).values()
    assert one.started_at < two.ended_at
    assert two.started_at < one.ended_at
    assert one.owner.rpartition("/")[2] != two.owner.rpartition("/")[2]


def test_a_store_that_cannot_be_reached_is_exit_code_3(bench_home, tmp_path):
    away = "postgresql+psycopg://bench:secret@127.0.0.1:1/bench"
    done = bench("status", cwd=tmp_path, code=3, BENCH_DATABASE_URL=away)
    assert "secret" not in done.stderr
    assert "does not answer" in done.stderr


def test_jobs_are_kept_when_the_broker_is_away(bench_home, tmp_path):
    away = "redis://:secret@127.0.0.1:1/0"
    done = bench("submit", "--variant", "baseline", *DIGITS, cwd=tmp_path, code=3, BENCH_BROKER_URL=away)
    assert "1 job added" in done.stdout
    assert "secret" not in done.stderr
    assert status(tmp_path)["counts"]["queued"] == 1
