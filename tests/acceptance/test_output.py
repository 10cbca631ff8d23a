"""What a command says where its streams are closed or full, letters, a folder, a store or a broker are missing."""

import json
import os
import re
import subprocess
import sys
from contextlib import closing

import pytest
from command import ROOT, bench
from records import new_job, submission

from db import open_store
from db.records import Cause

SUITE = "[suite]\nname='mine'\ndataset='digits'\n[variants.a]\ntitle='\N{GREEK SMALL LETTER PI}'\n"
FULL = "error: cannot write: No space left on device\nfix: make room, or send the output elsewhere\n"


def shell(line, *, cwd, **environment):
    """Exit code, stdout and stderr of a shell's line, in which `bench` is a command."""
    start = f'bench() {{ "{sys.executable}" -m cli "$@"; }}; '
    done = subprocess.run(
        ["/bin/sh", "-c", start + line],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def failed(bench_home):
    """A store in which two jobs have failed, one was cancelled, and one waits; gives its URL."""
    url = f"sqlite:///{bench_home / 'bench.db'}"
    with closing(open_store(url, create=True)) as store:
        store.submit(submission(), [new_job(seed) for seed in range(4)])
        for cause in (Cause.CODE, Cause.DIVERGED):
            store.fail(store.claim_next("w/1", lease_s=60), cause, "so it is")
        store.cancel([3])
    return url


@pytest.mark.parametrize("unbuffered", ["1", ""])
@pytest.mark.parametrize("words", ["status", "metrics", "--help"])
def test_a_full_disk_behind_stdout_is_one_line(failed, tmp_path, words, unbuffered):
    done = shell(f"bench {words} >/dev/full", cwd=tmp_path, PYTHONUNBUFFERED=unbuffered, BENCH_BROKER_URL="redis://a:1")
    assert (done[0], done[2][-len(FULL) :]) == (1, FULL)
    assert "Traceback" not in done[2]


def test_streams_that_are_closed_are_dev_null(failed, tmp_path):
    store = failed.removeprefix("sqlite:///")
    assert shell("bench status >&-", cwd=tmp_path)[:2] == (0, "")
    (tmp_path / "mine.toml").write_text(SUITE)
    code, out, _ = shell("bench submit --all --suite mine.toml <&- 2>&-", cwd=tmp_path)
    assert (code, out) == (0, "Submission 2: 1 job added.\n")
    assert shell("bench cancel 99 2>&-; bench cancel 99 2>/dev/full", cwd=tmp_path) == (2, "", "")
    assert shell("bench db check >&- 2>&-", cwd=tmp_path)[0] == 0
    with open(store, "rb") as file:  # noqa: PTH123 - its first bytes: nothing was printed into the store
        assert file.read(15) == b"SQLite format 3"


def test_letters_that_an_encoding_lacks_are_replaced(bench_home, tmp_path, valkey_url):
    (tmp_path / "mine.toml").write_text(SUITE)
    bench("submit", "--all", "--suite", "mine.toml", cwd=tmp_path, BENCH_BROKER_URL=valkey_url)
    code, out, err = shell("bench report", cwd=tmp_path, PYTHONIOENCODING="latin-1")
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split()[0] == "?"


def test_a_reader_who_has_heard_enough_is_no_error(failed, tmp_path):
    assert shell("bench status | head -1", cwd=tmp_path)[0] == 0
    assert "Traceback" not in shell("bench --help | true; bench status | true", cwd=tmp_path)[2]


@pytest.mark.parametrize("home", [".bench", "home"])
def test_a_current_folder_that_was_deleted_is_named(tmp_path, home):
    (tmp_path / "gone").mkdir()
    home = home if home.startswith(".") else tmp_path / home
    code, out, err = shell("cd gone; rmdir ../gone; bench status", cwd=tmp_path, BENCH_HOME=str(home))
    assert (code, out) == (2, "")
    assert err.endswith("error: the current folder is gone\nfix: go to another one with cd\n")


def test_a_look_where_there_is_no_store_makes_none(bench_home, tmp_path):
    assert "No jobs yet. Next: `bench plan --all`" in bench("status", cwd=tmp_path).stdout
    assert "No jobs yet" in bench("status", "--watch", cwd=tmp_path).stdout
    found = json.loads(bench("status", "--json", cwd=tmp_path).stdout)
    assert (found["jobs"], {*found["counts"].values()}) == ([], {0})
    assert "there is no store" in bench("report", cwd=tmp_path, code=3).stderr
    assert "there is no store" in bench("status", "--submission", "1", cwd=tmp_path, code=3).stderr
    assert not bench_home.exists()


@pytest.mark.parametrize("words", [["status"], ["status", "--json"]], ids=" ".join)
def test_status_says_that_the_broker_is_silent_while_jobs_wait(failed, tmp_path, words):
    done = bench(*words, cwd=tmp_path, BENCH_BROKER_URL="redis://:secret@127.0.0.1:1/0")
    assert done.stderr == "the broker redis://127.0.0.1:1/0 does not answer; 1 job waits in the store\n"
    assert "does not answer" not in done.stdout
    assert bench(*words, cwd=tmp_path).stderr == ""  # an embedded one that nobody has started is not missed


def test_a_submit_that_queues_nothing_names_no_worker_and_the_failed_jobs_by_their_ids(
    bench_home, tmp_path, valkey_url
):
    (tmp_path / "mine.toml").write_text(SUITE)
    (tmp_path / "other.toml").write_text(SUITE + "epochs = 3\n")
    words, there = ["submit", "--all", "--seeds", "2", "--suite"], {"BENCH_BROKER_URL": valkey_url}
    assert "Next: `bench worker`" in bench(*words, "mine.toml", cwd=tmp_path, **there).stderr
    bench(*words, "other.toml", cwd=tmp_path, **there)
    with closing(open_store(f"sqlite:///{bench_home / 'bench.db'}")) as store:
        for _ in range(4):
            store.fail(store.claim_next("w/1", lease_s=60), Cause.CODE, "so it is")
    done = bench(*words, "mine.toml", cwd=tmp_path, **there)
    assert done.stdout == "Submission 3: 0 jobs added, 2 failed (`bench retry 1 2` queues them again).\n"
    assert "Next" not in done.stderr


def test_the_documentation_lists_every_command():
    text = (ROOT / "docs" / "commands.md").read_text()
    for group in ([], ["config"], ["db"]):
        listed = (
            bench(*group, "--help", cwd=ROOT, COLUMNS="200").stdout.partition("Commands:\n")[2].partition("\n\n")[0]
        )
        for line in listed.splitlines():
            name, words = line.split(maxsplit=1)
            assert name in ("config", "db") or re.search(
                rf"^    {' '.join([*group, name])} +{words}$", text, re.MULTILINE
            )
