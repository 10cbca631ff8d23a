"""bench as a user types it: real broker, real store, real training, on the digits."""

import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from importlib import metadata
from pathlib import Path

import psutil
import pytest
from command import on_a_terminal

from cli._schemas import SCHEMAS
from cli.main import main
from db import open_store
from db.records import Cause
from scheduler.planning import make_plan
from scheduler.queue import submit
from scheduler.suite import load_suite

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


@pytest.fixture
def here(capsys, monkeypatch):
    """The same without a process of its own, for commands that load torch: gives what was said."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["bench", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return capsys.readouterr()

    return call


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


@pytest.fixture
def queued(bench_home, tmp_path):
    """A store with two submissions, of which nobody has heard yet: 12 jobs, then one more."""
    suite = load_suite()
    with closing(open_store(f"sqlite:///{bench_home / 'bench.db'}", create=True)) as store:
        submit(store, make_plan(suite, [*suite.variants], [42], data_dir=tmp_path, dataset="digits"))
        submit(store, make_plan(suite, ["resnet"], [7], data_dir=tmp_path, dataset="digits"), priority=3)
    return bench_home


def documented(command):
    """The keys of a job that docs/commands.md names: the indented lines after the command."""
    text = (ROOT / "docs" / "commands.md").read_text().partition(f"`bench {command} --json`")[2]
    return re.search(r"(?:^    .*\n)+", text, re.MULTILINE)[0].split()


def test_plan_gives_machines_the_documented_keys(queued, here):
    found = json.loads(here("plan", "--variant", "resnet", "--dataset", "digits", "--json").out)
    assert [*found] == [*SCHEMAS["plan"].keys]
    assert (found["time_left_s"], found["jobs"][0]["time_left_s"], found["jobs"][0]["time_from"]) == (None, None, None)
    (job,) = found["jobs"]
    assert [*job] == documented("plan") == [*SCHEMAS["plan"].within["jobs"]]
    assert (job["variant"], job["seed"], job["state"]) == ("resnet", 42, "queued")
    assert (job["dataset"], job["epochs"], job["learning_rate"]) == ("digits", 50, 0.1)
    heard = here("plan", "--variant", "resnet", *DIGITS)
    head, row = heard.out.splitlines()
    assert dict(zip(head.replace("learn. rate", "rate").split(), row.split(), strict=True))["rate"] == "0.1"
    assert "Data: digits." in heard.err
    assert "Time: unknown, nothing like 1 job was measured yet." in heard.err


def test_status_gives_machines_the_documented_keys_and_narrows_to_a_submission(queued, tmp_path):
    everything = status(tmp_path)
    assert [*everything] == ["schema", "counts", "time_left_s", "jobs"]
    assert everything["time_left_s"] is None
    assert everything["counts"] == {"queued": 13, "running": 0, "done": 0, "failed": 0, "cancelled": 0}
    second = json.loads(bench("status", "--json", "--submission", "2", cwd=tmp_path).stdout)
    assert second["counts"] == {"queued": 1, "running": 0, "done": 0, "failed": 0, "cancelled": 0}
    (job,) = second["jobs"]
    keys = (
        "id variant seed state epoch epochs val_accuracy epoch_s time_left_s attempt priority cause message worker key"
    )
    assert [*job] == [*keys.split(), "created_at", "started_at", "finished_at"]
    assert (job["variant"], job["seed"], job["priority"]) == ("resnet", 7, 3)


def test_status_lists_the_submissions_with_their_ids(queued, tmp_path):
    lines = bench("status", cwd=tmp_path).stdout.splitlines()
    assert lines[-2].startswith("submission 2: report on digits, 20")
    assert lines[-1].startswith("submission 1: report on digits, 20")


@pytest.mark.parametrize("words", [["status", "--watch"], ["watch"]], ids=" ".join)
def test_a_watch_ends_when_the_store_is_gone(queued, tmp_path, words):
    command = [sys.executable, "-m", "cli", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    ours, theirs = pty.openpty()  # on a terminal it looks every two seconds
    watch = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=theirs, stderr=subprocess.PIPE, text=True)
    try:
        os.read(ours, 1)
        shutil.rmtree(queued)
        assert "there is no store" in watch.communicate(timeout=60)[1]
        assert watch.returncode == 3
    finally:
        watch.kill()
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("words", [["status", "--watch"], ["watch"], ["watch", "--submission", "2"]], ids=" ".join)
def test_ctrl_c_of_a_watch_says_how_to_go_on(queued, tmp_path, words):
    command, environment = [sys.executable, "-m", "cli", *words], {**os.environ, "PYTHONPATH": str(ROOT)}
    watch = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        said = watch.communicate(timeout=60)[1]
    finally:
        watch.kill()
    assert watch.returncode == 130
    assert said == "The jobs go on. `bench watch` follows them again, `bench cancel` stops them.\n"


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


def test_the_help_of_retry_explains_every_cause(here):
    words = here("retry", "--help").out
    assert [cause for cause in Cause if not re.search(rf"\b{cause}\s+\(", words)] == []


def test_the_list_of_commands_is_cut_nowhere(here):
    assert "..." not in here("--help").out.partition("Commands:")[2].partition("Exit codes")[0]


@pytest.mark.parametrize("words", ["cancel", "retry", "db backup", "submit", "status", "show", "logs", "diff"])
def test_a_help_names_no_type_of_the_programs(here, words):
    assert not re.search(r"<\w", here(*words.split(), "--help").out.replace("<=x<=", ""))


def test_the_version_is_told(here):
    assert here("--version").out == f"bench {metadata.version('bench')}\n"


def test_a_priority_reaches_the_job(bench_home, tmp_path, monkeypatch, valkey_url):
    monkeypatch.setenv("BENCH_BROKER_URL", valkey_url)
    bench("submit", "--variant", "baseline", *DIGITS, "--priority", "-5", cwd=tmp_path)
    assert [job["priority"] for job in status(tmp_path)["jobs"]] == [-5]


def test_a_suites_own_seeds_are_planned_unless_others_are_named(bench_home, tmp_path, here):
    (tmp_path / "mine.toml").write_text("[suite]\nname='mine'\ndataset='digits'\nseeds=[7, 9]\n[variants.a]\n")

    def seeds(*words):
        said = here("plan", "--all", "--suite", str(tmp_path / "mine.toml"), "--json", *words)
        return [job["seed"] for job in json.loads(said.out)["jobs"]]

    assert (seeds(), seeds("--seeds", "1"), seeds("--seed", "3")) == ([7, 9], [42], [3])


def test_a_shortened_copy_of_the_suite_says_that_the_printed_values_stay_out(bench_home, tmp_path, here):
    (tmp_path / "short.toml").write_text(load_suite().text.replace("epochs = 50", "epochs = 5"))
    words = ["plan", "--variant", "baseline"]
    assert 'write: protocol = "' in here(*words, "--suite", str(tmp_path / "short.toml")).err
    assert "protocol" not in here(*words).err


COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")
CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_a_table_fits_a_terminal_of_80_columns_and_is_coloured(queued, tmp_path):
    said = on_a_terminal("plan", "--all", "--dataset", "digits", "--seeds", "2", cwd=tmp_path)
    said += on_a_terminal("status", cwd=tmp_path)
    lines = CODE.sub("", said).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("hidden_units=256" in line for line in lines) == 3
    assert COLOUR.search(said)


def test_a_narrow_terminal_cuts_the_names_and_nothing_else(queued, tmp_path):
    said = CODE.sub("", on_a_terminal("plan", "--variant", "advanced", "--dataset", "digits", cwd=tmp_path, columns=64))
    head, row = said.splitlines()[:2]
    assert head.split()[-6:] == ["epochs", "learn.", "rate", "parameters", "MFLOP/image", "state"]
    assert row.split()[1:6] == ["42", "50", "0.001", "3,380,298", "310.0"]
    assert len(head) <= 64


def test_a_plan_names_the_precision_where_it_is_not_float32(here):
    words = ["plan", "--variant", "baseline", "--dataset", "digits"]
    head, row = here(*words, "--precision", "bfloat16").out.splitlines()
    assert (head.split()[-1], row.split()[-1]) == ("precision", "bfloat16")
    assert "precision" not in here(*words).out
    assert [job["precision"] for job in json.loads(here(*words, "--json").out)["jobs"]] == ["float32"]


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_there_is_no_colour_where_it_is_not_wanted(queued, tmp_path, variables):
    assert not COLOUR.search(on_a_terminal("status", cwd=tmp_path, **variables))


def test_a_pipe_gets_plain_unbroken_lines(queued, tmp_path):
    said = bench("status", cwd=tmp_path, FORCE_COLOR="1", COLUMNS="20").stdout
    assert "\x1b" not in said
    (line,) = [line for line in said.splitlines() if "conv_depths=128x256" in line]
    assert line.split()[1:] == ["conv_depths=128x256", "42", "queued", "0/50", "-"]
    assert line == line.rstrip()


def test_a_watched_terminal_is_drawn_over_and_shows_every_job_at_the_end(queued, tmp_path):
    bench("cancel", "--all", cwd=tmp_path)
    said = on_a_terminal("status", "--watch", cwd=tmp_path, lines=12)
    assert "... and 7 more jobs: `bench status`" in said
    assert "\x1b[?25h" in said  # the cursor is back
    assert max(len(CODE.sub("", line)) for line in said.splitlines()) <= 80


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


def test_status_takes_back_what_a_dead_worker_held(queued, bench_home, tmp_path):
    with closing(open_store(f"sqlite:///{bench_home / 'bench.db'}")) as store:
        claim = store.claim_next("dead", lease_s=0.01)
        time.sleep(0.1)
        assert [job.state for job in store.jobs([claim.job_id])] == ["running"]  # nobody has looked since
        (shown,) = [job for job in status(tmp_path)["jobs"] if job["id"] == claim.job_id]
        assert (shown["state"], shown["cause"]) == ("queued", "worker_lost")
        assert [attempt.outcome for attempt in store.attempts([claim.job_id])[claim.job_id]] == [Cause.WORKER_LOST]
        assert ("lease expired", "status") in [(event.what, event.actor) for event in store.events(claim.job_id)]


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
