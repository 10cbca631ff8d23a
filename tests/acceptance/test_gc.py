"""`bench gc`: what it lists, what it removes, and above all what it leaves."""

import json
import os
import pty
import subprocess
import sys
import time
from contextlib import closing, suppress

import pytest
from command import ROOT, bench
from records import new_job, predictions, result, submission

from cli._schemas import SCHEMAS
from db import open_store
from db.records import Artifact, Cause

DAY_S = 86_400


def aged(path, days, content=b"x" * 2**20):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    for changed in (path, path.parent):
        os.utime(changed, (0, time.time() - days * DAY_S))
    return path


@pytest.fixture
def store(bench_home):
    with closing(open_store(f"sqlite:///{bench_home / 'bench.db'}", create=True)) as opened:
        yield opened


@pytest.fixture
def job(store, bench_home):
    """Gives the checkpoint folder of a new job in the state that is asked for, with an old checkpoint in it."""
    logs = bench_home / "logs"

    def make(seed, state, *, days=2.0):
        new = new_job(seed)
        store.submit(submission(), [new])
        if state != "queued":
            claim = store.claim_next("w", lease_s=3600)
            store.note_log(claim, str(aged(logs / f"job-{claim.job_id}-attempt-1.log", 100)))
            store.start_attempt(claim)
        if state in ("done", "kept"):
            kept = [Artifact(kind="checkpoint", url="file:///x", sha256="0", bytes=1)] if state == "kept" else []
            store.finish(claim, result(), predictions(), kept=kept)
        if state == "failed":
            store.fail(claim, Cause.CODE, "broken")
        return aged(bench_home / "artifacts" / "checkpoints" / new.key / "000001-00000001.safetensors", days).parent

    return make


def removed(before, home):
    return sorted(path.name for path in before if not path.exists())


def everything(home):
    return [path for path in home.rglob("*") if not path.name.startswith("bench.db")]


def test_only_what_is_of_no_use_goes(bench_home, tmp_path, job):
    done, young, kept, failed = job(1, "done"), job(2, "done", days=0.1), job(3, "kept"), job(4, "failed")
    aged(failed / "000001-00000002.safetensors.partial", 2)
    running = job(5, "running")
    aged(running / "000001-00000002.safetensors.partial", 2)
    queued = job(6, "queued")
    other = aged(bench_home / "artifacts" / "checkpoints" / "0123456789abcdef" / "000001-00000001.safetensors", 400)
    aged(bench_home / "cache" / "split-1.npz", 400)
    before = everything(bench_home)
    listed = bench("gc", cwd=tmp_path)
    assert removed(before, bench_home) == []
    assert "Nothing was removed: `bench gc --yes` removes it." in listed.stderr
    assert "Left alone: 1 folder, 1.0 MiB" in listed.stderr
    # the logs of the three jobs that are done; the split stays while jobs wait
    assert listed.stdout.splitlines()[-1] == "5 items, 5.0 MiB."
    assert "Removed: 5.0 MiB." in bench("gc", "--yes", cwd=tmp_path).stderr
    gone = [done.name, "000001-00000001.safetensors", "000001-00000002.safetensors.partial"]
    logs = [f"job-{number}-attempt-1.log" for number in (1, 2, 3)]
    assert removed(before, bench_home) == sorted([*gone, *logs])
    assert all(folder.is_dir() for folder in (young, kept, failed, running, queued, other.parent))
    assert bench("gc", cwd=tmp_path).stdout == "0 items, 0.0 MiB.\n"


def test_splits_go_once_they_are_old_and_no_job_may_need_one(bench_home, tmp_path, job):
    job(1, "done", days=0.1)
    old, new = aged(bench_home / "cache" / "split-1.npz", 40), aged(bench_home / "cache" / "split-2.npz", 20)
    other = aged(bench_home / "cache" / "digits-1.npz", 400)
    bench("gc", "--yes", "--days", "30", cwd=tmp_path)
    assert (old.exists(), new.exists(), other.exists()) == (False, True, True)


def test_empty_folders_of_jobs_that_ended_go(bench_home, tmp_path, job):
    failed, queued = job(1, "failed"), job(2, "queued")
    for folder in (failed, queued):
        (folder / "000001-00000001.safetensors").unlink()
        os.utime(folder, (0, time.time() - 2 * DAY_S))
    bench("gc", "--yes", cwd=tmp_path)
    assert (failed.exists(), queued.exists()) == (False, True)


def test_a_link_in_the_place_of_a_jobs_folder_is_left_with_all_that_it_leads_to(bench_home, tmp_path, job):
    done = job(1, "done")
    done.rename(tmp_path / "elsewhere")
    done.symlink_to(tmp_path / "elsewhere")
    assert "checkpoints" not in bench("gc", "--yes", cwd=tmp_path).stdout
    assert (tmp_path / "elsewhere" / "000001-00000001.safetensors").exists()


def on_a_terminal(*words, cwd, types):
    """What a terminal receives on which somebody types this."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "cli", *words]
    os.write(ours, types.encode())
    started = subprocess.Popen(command, cwd=cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    with suppress(OSError):  # Linux's way to say that the last writer is gone
        while part := os.read(ours, 65536):
            said += part
    os.close(ours)
    assert started.wait(timeout=60) in (0, 1)
    return said.decode()


@pytest.mark.parametrize("answer", ["y\n", "\n", "\x04"], ids=["y", "enter", "Ctrl-D"])
def test_on_a_terminal_it_asks_first(bench_home, tmp_path, job, answer):
    done = job(1, "done")
    said = on_a_terminal("gc", cwd=tmp_path, types=answer)
    assert "Remove it? [y/N]" in said
    assert done.exists() == (answer != "y\n")


def test_without_a_store_nothing_is_known_and_nothing_touched(bench_home, tmp_path):
    path = aged(bench_home / "artifacts" / "checkpoints" / "0123456789abcdef" / "x.safetensors", 400)
    assert "no store" in bench("gc", "--yes", cwd=tmp_path, code=3).stderr
    assert path.exists()


def test_artifacts_that_are_away_are_told_without_a_password(bench_home, tmp_path, job):
    job(1, "done")
    done = bench("gc", "--yes", cwd=tmp_path, code=2, BENCH_ARTIFACTS_URL="ftp://me:marker0zq@127.0.0.1:1/x")
    assert "the artifacts at ftp://127.0.0.1:1/x/checkpoints cannot be opened" in done.stderr
    assert "marker0zq" not in done.stderr


def test_machines_get_the_list_in_its_schema_and_nothing_goes_without_a_yes(bench_home, tmp_path, job):
    folder = job(1, "done")
    other = aged(bench_home / "artifacts" / "checkpoints" / "0123456789abcdef" / "000001-00000001.safetensors", 400)
    found = json.loads(bench("gc", "--json", cwd=tmp_path).stdout)
    schema = SCHEMAS["gc"]
    assert (tuple(found), found["schema"]) == (schema.keys, schema.number)
    assert {tuple(one) for part in ("leftovers", "left_alone") for one in found[part]} == {schema.within["leftovers"]}
    assert any(folder.name in one["path"] for one in found["leftovers"])
    assert [other.parent.name in one["path"] for one in found["left_alone"]] == [True]
    assert folder.exists()
    bench("gc", "--json", "--yes", cwd=tmp_path)
    assert not list(folder.parent.glob(f"{folder.name}/*.safetensors"))
    assert other.exists()
