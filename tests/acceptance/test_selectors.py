"""Commands with selectors, and what `bench cancel` and `bench retry` ask before many jobs change."""

import json
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from command import on_a_terminal
from records import new_job, submission

from db import open_store
from db.records import Cause


@pytest.fixture
def url(bench_home, valkey_url, monkeypatch):
    monkeypatch.setenv("BENCH_BROKER_URL", valkey_url)
    bench_home.mkdir()
    return f"sqlite:///{bench_home / 'bench.db'}"


def fill(url, number=4, *, causes=()):
    """Jobs of two variants in turn, `slow` with the higher learning rate; the first of them end by these causes."""
    Path(url.removeprefix("sqlite:///")).write_bytes(_filled(number, tuple(causes)))


@cache
def _filled(number, causes):
    sides = [("baseline", {}), ("slow", {"learning_rate": 0.1})]
    asked = [new_job(seed, sides[seed % 2][0], **sides[seed % 2][1]) for seed in range(number)]
    variants = {label: {"title": label, "config": {}} for label, _ in sides}
    with TemporaryDirectory() as folder:
        with closing(open_store(f"sqlite:///{folder}/bench.db", create=True)) as store:
            store.submit(submission(variants=variants), asked)
            for cause in causes:
                store.fail(store.claim_next("w/1", lease_s=60), cause, "so it is")
        return Path(folder, "bench.db").read_bytes()


def states(url):
    with closing(open_store(url)) as store:
        return [str(job.state) for job in store.jobs()]


@pytest.mark.parametrize(
    ("words", "cancelled"),
    [
        (["--all"], [1, 2, 3, 4]),
        (["2", "3"], [2, 3]),
        (["--variant", "slow"], [2, 4]),
        (["--variant", "slow", "--where", "seed>1"], [4]),
        (["--submission", "1", "--where", "lr<=0.01"], [1, 3]),
        (["--state", "running"], []),
        (["1", "2", "--variant", "slow"], [2]),
    ],
    ids=str,
)
def test_cancel_takes_what_all_selectors_mean(url, typed, words, cancelled):
    fill(url)
    assert typed("cancel", *words).out.startswith(f"{len(cancelled)} job")
    assert [place for place, state in enumerate(states(url), 1) if state == "cancelled"] == cancelled


@pytest.mark.parametrize(
    ("words", "again"),
    [
        (["--failed"], [1, 2]),
        (["--failed", "--cancelled"], [1, 2, 3]),
        (["--state", "cancelled"], [3]),
        (["--cause", "code"], [1]),
        (["--failed", "--variant", "slow"], [2]),
        (["--where", "cause!=code", "--where", "seed<2"], [2]),
        (["--submission", "1"], [1, 2, 3]),
    ],
    ids=str,
)
def test_retry_takes_what_all_selectors_mean(url, typed, words, again):
    fill(url, 4, causes=[Cause.CODE, Cause.DIVERGED])
    typed("cancel", "3")
    before = states(url)
    assert typed("retry", *words).out == f"{len(again)} job{'' if len(again) == 1 else 's'} queued again.\n"
    assert before == ["failed", "failed", "cancelled", "queued"]
    assert [place for place in (1, 2, 3) if states(url)[place - 1] == "queued"] == again


def test_a_job_that_was_named_and_left_out_is_told(url, typed):
    fill(url, 4, causes=[Cause.CODE])
    assert typed("cancel", "1", "3", "--variant", "slow").err.splitlines() == [
        "job 1 is failed already: nothing to cancel",
        "job 3 does not meet the rest: nothing to cancel",
    ]
    assert typed("retry", "1", "--where", "cause=oom").err == "job 1 does not meet the rest: nothing to retry\n"


@pytest.mark.parametrize(
    ("words", "what", "fix"),
    [
        (["cancel", "--all", "--variant", "slow"], "give selectors or --all, not both", "leave one"),
        (["cancel", "--variant", "fast"], "no variant 'fast' was submitted", "choose among baseline, slow"),
        (["cancel", "--state", "gone"], "unknown state 'gone'", "queued, running"),
        (["retry", "--where", "lr"], "--where 'lr': this is no condition", "as 'val_accuracy>0.5'"),
        (["retry", "--where", "speed>1"], "no job has a field 'speed'", "learning_rate"),
        (["cancel", "--where", "seed>x"], "seed is a number", "fields: id, variant, seed"),
    ],
)
def test_a_bad_selector_is_one_error_with_its_mend_and_changes_nothing(url, typed, words, what, fix):
    fill(url)
    error, mend = typed(*words, code=2).err.splitlines()
    assert what in error
    assert fix in mend
    assert set(states(url)) == {"queued"}


def test_without_a_terminal_more_than_a_hundred_jobs_need_a_yes(url, typed):
    fill(url, 101)
    said = typed("cancel", "--all", code=2).err
    assert said == "error: 101 jobs would be cancelled: more than 100 need a yes\nfix: add --yes\n"
    assert set(states(url)) == {"queued"}
    assert typed("cancel", "--all", "--yes").out.startswith("101 jobs cancelled")
    assert "--yes" in typed("retry", "--cancelled", code=2).err
    assert typed("retry", "--cancelled", "-y").out == "101 jobs queued again.\n"
    assert typed("cancel", "--where", "seed<100").out.startswith("100 jobs cancelled")


@pytest.mark.parametrize(("answer", "code", "left"), [("\n", 1, "queued"), ("y\n", 0, "cancelled")])
def test_on_a_terminal_bench_asks_before_more_than_a_hundred_jobs_change(url, tmp_path, answer, code, left):
    fill(url, 101)
    said = on_a_terminal("cancel", "--all", cwd=tmp_path, code=code, answer=answer)
    assert "101 jobs will be cancelled. Go on? [y/N]" in said
    assert ("Nothing was changed." in said) is (code == 1)
    assert set(states(url)) == {left}


MEANT = [
    ([], [1, 2, 3, 4]),
    (["2", "3"], [2, 3]),
    (["--variant", "slow"], [2, 4]),
    (["--variant", "slow", "--where", "seed>1"], [4]),
    (["--submission", "1", "--where", "lr<=0.01"], [1, 3]),
    (["--state", "failed"], [1]),
    (["--state", "done"], []),
]


@pytest.mark.parametrize(("words", "meant"), MEANT, ids=str)
def test_status_and_export_take_what_all_selectors_mean(url, typed, words, meant):
    fill(url, causes=[Cause.CODE])
    assert [job["id"] for job in json.loads(typed("status", "--json", *words).out)["jobs"]] == meant
    rows = typed("export", "--what", "jobs", *words).out.splitlines()[1:]
    assert [int(row.partition(",")[0]) for row in rows] == meant


def test_a_watch_follows_the_jobs_that_are_meant_and_no_others(url, typed):
    fill(url, causes=[Cause.CODE])
    said = typed("watch", "--state", "failed")  # three others wait: it would not end
    assert "1 job: 0 queued, 0 running, 0 done, 1 failed" in said.out


def test_a_report_is_no_part_of_a_submission(url, typed):
    fill(url)
    said = typed("export", "--what", "report", "--state", "done", code=2).err
    assert said == "error: a report is of a whole submission\nfix: give --submission alone\n"
