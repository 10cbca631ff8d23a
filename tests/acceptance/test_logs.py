"""`bench logs`: an attempt's log, while it grows, after a failure, and when the file is gone."""

import os
import signal
import subprocess
import sys
from contextlib import closing, contextmanager

import four_jobs
import pytest
from command import ROOT

from db import open_store
from db.records import Cause

LOG = "2026-11-28T07:00:00Z INFO job=1 attempt=2 epoch 3: val_accuracy 0.4000\n2026-11-28T07:00:01Z INFO job=1 done\n"


@pytest.fixture(scope="module")
def _home(tmp_path_factory):
    return made(tmp_path_factory.mktemp("logs") / "home")


@pytest.fixture
def home(_home, monkeypatch):
    """Four jobs and the logs of the attempts that ended; for all tests that change nothing."""
    monkeypatch.setenv("BENCH_HOME", str(_home))
    return _home


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The same for one test alone."""
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "home"))
    return made(tmp_path / "home")


def made(home):
    four_jobs.make(home)
    (home / "logs").mkdir()
    write(home, 1, 1, "the first attempt\n")
    write(home, 1, 2, LOG)
    write(home, 3, 1, "started\nERROR ended: code: bad\n" + indented(four_jobs.TRACEBACK))
    return home


def write(home, job_id, attempt, text):
    with (home / "logs" / f"job-{job_id}-attempt-{attempt}.log").open("a") as file:
        file.write(text)


def indented(text):
    return "".join(f"    {line}\n" for line in text.splitlines())


def test_the_newest_attempts_log_is_printed_or_that_of_another(home, typed):
    assert typed("logs", 1).out == LOG
    assert typed("logs", 1, "--attempt", 1).out == "the first attempt\n"
    assert typed("logs", "--variant", "baseline", "--state", "done").out == LOG


def test_the_traceback_of_a_failure_is_the_last_thing_and_printed_once(own, typed):
    said = typed("logs", 3).out
    assert said.endswith(indented(four_jobs.TRACEBACK))
    assert said.count("Traceback") == 1
    write(own, 3, 1, "WARNING the job's checkpoints were not removed\n")
    said = typed("logs", 3).out
    assert said.endswith(four_jobs.TRACEBACK)


def test_an_attempt_that_ended_without_a_traceback_says_how(home, typed):
    assert typed("logs", 1, "--attempt", 1).err == "attempt 1 ended: preempted: its worker was stopped\n"


def test_a_log_that_is_gone_says_where_it_was_and_a_kept_traceback_is_printed(own, typed):
    for path in (own / "logs").iterdir():
        path.unlink()
    error, fix = typed("logs", 2, code=2).err.splitlines()
    assert error == f"error: the log of attempt 1 of job 2 is gone: {own}/logs/job-2-attempt-1.log"
    assert "host:17:c0ffee/18" in fix
    assert "`bench show 2`" in fix
    said = typed("logs", 3)
    assert said.out == four_jobs.TRACEBACK
    assert "is gone" in said.err


@pytest.mark.parametrize(
    ("words", "error", "fix"),
    [
        (["4"], "job 4 is queued and no attempt of it has begun", "`bench logs 4 --follow`"),
        (["1", "--attempt", "7"], "job 1 has no attempt 7", "choose among 1, 2"),
        (["--submission", "1"], "`bench logs` takes 1 job, not 4 (1, 2, 3, 4)", "the id of one job"),
        (["--state", "cancelled"], "`bench logs` takes 1 job, not 0", "the id of one job"),
        ([], "say which job", "bench status"),
        (["9"], "no job 9", "bench status"),
    ],
    ids=str,
)
def test_a_log_that_there_is_not_is_one_error_with_its_mend(home, typed, words, error, fix):
    said = typed("logs", *words, code=2)
    assert said.err.startswith(f"error: {error}")
    assert fix in said.err.splitlines()[1]


def test_a_log_may_be_at_any_url(own, typed, tmp_path):
    (tmp_path / "a log").write_text("elsewhere\n")
    with closing(open_store(four_jobs.url(own))) as store:
        for place in (f"file://{tmp_path}/a log", "nowhere://a:secret@b/c"):
            claim = store.claim_next("w:1:a/2", lease_s=60)
            store.note_log(claim, place)
            store.fail(claim, Cause.PREEMPTED, "stopped")
    assert typed("logs", 4, "--attempt", 1).out == "elsewhere\n"
    said = typed("logs", 4, code=2).err
    assert "of job 4 cannot be read" in said
    assert "secret" not in said


@contextmanager
def following(home, job_id):
    command = [sys.executable, "-m", "cli", "logs", str(job_id), "-f"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=home, env=environment, text=True, **pipes) as started:
        try:
            yield started
        finally:
            started.kill()


def test_following_waits_for_a_job_and_ends_with_its_attempt(own):
    with closing(open_store(four_jobs.url(own))) as store, following(own, 4) as started:
        assert started.stderr.readline() == "Job 4 is queued; its log follows as soon as there is one.\n"
        claim = store.claim_next("w:1:a/2", lease_s=60)
        write(own, 4, 1, "epoch 1\nepo")
        store.note_log(claim, str(own / "logs" / "job-4-attempt-1.log"))
        assert started.stdout.readline() == "epoch 1\n"
        write(own, 4, 1, "ch 2\n")
        assert started.stdout.readline() == "epoch 2\n"
        store.fail(claim, Cause.CODE, "ValueError: bad", traceback=four_jobs.TRACEBACK)
        write(own, 4, 1, "the end")
        said, _ = started.communicate(timeout=30)
    assert said == "the end\n" + four_jobs.TRACEBACK
    assert started.returncode == 0


def test_ctrl_c_leaves_the_job_and_a_reader_who_goes_ends_the_following(own, tmp_path):
    with following(own, 4) as started:
        started.stderr.readline()
        started.send_signal(signal.SIGINT)
        said = started.communicate(timeout=30)[1]
    assert said == ("Job 4 goes on, if it runs; `bench logs 4 --follow` follows it again, `bench cancel 4` stops it.\n")
    assert started.returncode == 130
    with closing(open_store(four_jobs.url(own))) as store:
        claim = store.claim_next("w:1:a/2", lease_s=60)
        store.note_log(claim, str(own / "logs" / "job-4-attempt-1.log"))
        write(own, 4, 1, "epoch 1\n")
        with following(own, 4) as started:
            started.stdout.readline()
            started.stdout.close()
            write(own, 4, 1, "epoch 2\n")
            assert started.wait(timeout=30) == 0
