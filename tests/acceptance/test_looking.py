"""What plan, status, watch and the helps show: to people on a terminal, to a pipe, and to machines."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from importlib import metadata

import pytest
from command import DIGITS, ROOT, bench, on_a_terminal, status

from cli._schemas import SCHEMAS
from db import open_store
from db.records import Cause
from scheduler.suite import load_suite


def documented(command):
    """The keys of a job that docs/commands.md names: the indented lines after the command."""
    text = (ROOT / "docs" / "commands.md").read_text().partition(f"`bench {command} --json`")[2]
    return re.search(r"(?:^    .*\n)+", text, re.MULTILINE)[0].split()


def test_plan_gives_machines_the_documented_keys(queued, typed):
    found = json.loads(typed("plan", "--variant", "resnet", "--dataset", "digits", "--json").out)
    assert [*found] == [*SCHEMAS["plan"].keys]
    assert (found["time_left_s"], found["jobs"][0]["time_left_s"], found["jobs"][0]["time_from"]) == (None, None, None)
    (job,) = found["jobs"]
    assert [*job] == documented("plan") == [*SCHEMAS["plan"].within["jobs"]]
    assert (job["variant"], job["seed"], job["state"]) == ("resnet", 42, "queued")
    assert (job["dataset"], job["epochs"], job["learning_rate"]) == ("digits", 50, 0.1)
    heard = typed("plan", "--variant", "resnet", *DIGITS)
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


def test_the_help_of_retry_explains_every_cause(typed):
    words = typed("retry", "--help").out
    assert [cause for cause in Cause if not re.search(rf"\b{cause}\s+\(", words)] == []


def test_the_list_of_commands_is_cut_nowhere(typed):
    assert "..." not in typed("--help").out.partition("Commands:")[2].partition("Exit codes")[0]


@pytest.mark.parametrize("words", ["cancel", "retry", "db backup", "submit", "status", "show", "logs", "diff"])
def test_a_help_names_no_type_of_the_programs(typed, words):
    assert not re.search(r"<\w", typed(*words.split(), "--help").out.replace("<=x<=", ""))


def test_the_version_is_told(typed):
    assert typed("--version").out == f"bench {metadata.version('bench')}\n"


def test_a_suites_own_seeds_are_planned_unless_others_are_named(bench_home, tmp_path, typed):
    (tmp_path / "mine.toml").write_text("[suite]\nname='mine'\ndataset='digits'\nseeds=[7, 9]\n[variants.a]\n")

    def seeds(*words):
        said = typed("plan", "--all", "--suite", str(tmp_path / "mine.toml"), "--json", *words)
        return [job["seed"] for job in json.loads(said.out)["jobs"]]

    assert (seeds(), seeds("--seeds", "1"), seeds("--seed", "3")) == ([7, 9], [42], [3])


def test_a_shortened_copy_of_the_suite_says_that_the_printed_values_stay_out(bench_home, tmp_path, typed):
    (tmp_path / "short.toml").write_text(load_suite().text.replace("epochs = 50", "epochs = 5"))
    words = ["plan", "--variant", "baseline"]
    assert 'write: protocol = "' in typed(*words, "--suite", str(tmp_path / "short.toml")).err
    assert "protocol" not in typed(*words).err


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


def test_a_plan_names_the_precision_where_it_is_not_float32(typed):
    words = ["plan", "--variant", "baseline", "--dataset", "digits"]
    head, row = typed(*words, "--precision", "bfloat16").out.splitlines()
    assert (head.split()[-1], row.split()[-1]) == ("precision", "bfloat16")
    assert "precision" not in typed(*words).out
    assert [job["precision"] for job in json.loads(typed(*words, "--json").out)["jobs"]] == ["float32"]


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


def test_status_takes_back_what_a_dead_worker_held(queued, bench_home, tmp_path):
    with closing(open_store(f"sqlite:///{bench_home / 'bench.db'}")) as store:
        claim = store.claim_next("dead", lease_s=0.01)
        time.sleep(0.1)
        assert [job.state for job in store.jobs([claim.job_id])] == ["running"]  # nobody has looked since
        (shown,) = [job for job in status(tmp_path)["jobs"] if job["id"] == claim.job_id]
        assert (shown["state"], shown["cause"]) == ("queued", "worker_lost")
        assert [attempt.outcome for attempt in store.attempts([claim.job_id])[claim.job_id]] == [Cause.WORKER_LOST]
        assert ("lease expired", "status") in [(event.what, event.actor) for event in store.events(claim.job_id)]
