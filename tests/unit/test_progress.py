"""How jobs look: what tells them apart, what is said of those that end early or badly, and what a log gets."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cli._progress import Screen, failures, render
from cli._tables import plain
from db.records import Cause, Job, JobState, Worker

NOW = datetime(2026, 11, 24, tzinfo=UTC)
JOB = Job(
    id=1,
    key="abcdef0123456789",
    label="baseline",
    seed=42,
    config={"dataset": "digits"},
    fingerprint=None,
    state=JobState.QUEUED,
    priority=0,
    attempt=1,
    epoch=0,
    epochs=40,
    val_accuracy=None,
    epoch_s=None,
    cause=None,
    message="",
    owner=None,
    cancel_requested=False,
    created_at=NOW,
    started_at=None,
    finished_at=None,
)
RUNNING = replace(JOB, state=JobState.RUNNING, epoch=1, val_accuracy=0.5, epoch_s=2.0, owner="w/7")
FAILED = replace(JOB, state=JobState.FAILED, cause=Cause.DATA, message="no image")
WORKER = Worker(id="w", host="here", pid=6, slots=2, device="cpu", started_at=NOW, seen_at=NOW)


def drawn(*jobs, workers=(WORKER,), **how):
    return plain(render(jobs, workers, **how)).splitlines()


@pytest.mark.parametrize(
    ("fields", "column", "cells"),
    [
        ({"config": {"dataset": "folder:/there/pets"}}, "data", ["digits", "folder:pets"]),
        ({"key": "0123456789abcdef"}, "key", ["abcdef", "012345"]),
    ],
    ids=["data", "key"],
)
def test_jobs_that_differ_in_nothing_else_are_told_apart(fields, column, cells):
    head, *rows = drawn(JOB, replace(JOB, id=2, **fields))[1:4]
    assert head.split()[-1] == column
    assert [row.split()[-1] for row in rows] == cells


def test_jobs_of_one_data_set_need_no_further_column():
    assert drawn(JOB, replace(JOB, id=2, seed=43))[1].endswith("time left")


def test_a_job_that_stopped_early_says_so():
    early, whole = (replace(JOB, state=JobState.DONE, epoch=epoch) for epoch in (29, 40))
    assert drawn(early)[2].endswith("stopped early")
    assert "early" not in drawn(whole)[2]


def test_a_running_job_of_a_worker_that_is_not_heard_of_is_named():
    assert "Nothing is heard of whoever runs 1" in drawn(RUNNING, workers=())[-1]
    assert len(drawn(RUNNING)) == 3


def test_whoever_starts_a_worker_himself_misses_none():
    assert drawn(JOB, workers=())[-1] == "Nobody works: start `bench worker`."
    assert len(drawn(JOB, workers=(), closed=True)) == 3


def test_a_log_gets_a_line_for_each_change_of_a_job():
    out = io.StringIO()
    other = replace(JOB, id=2, seed=43)
    with Screen(out, closed=True) as screen:
        screen.show([JOB, other], [])
        screen.show([JOB, other], [WORKER])
        screen.show([RUNNING, other], [WORKER])
        screen.end([FAILED, other])
    assert out.getvalue().splitlines()[4:] == [
        "job 1, baseline, seed 42: running, epoch 1/40, val acc. 50.0 %",
        "job 1 failed (data): no image",
        "2 jobs: 1 queued, 0 running, 0 done, 1 failed, 0 cancelled.",
    ]


def test_a_failure_says_why_and_how_to_try_again():
    assert failures([JOB, replace(FAILED, id=3)]) == [
        "job 3 failed (data): no image",
        "Once mended: `bench retry 3`.",
    ]


@pytest.mark.parametrize(
    ("cause", "advice"),
    [
        (Cause.CODE, "Once mended: `bench retry 3 4`."),
        (Cause.WORKER_LOST, "Once mended: `bench retry 3 4`."),
        (Cause.DIVERGED, "The same config diverges again: change it in the suite and submit (jobs 3, 4)."),
        (Cause.OOM, "A smaller batch_size needs less memory: change it in the suite and submit (jobs 3, 4)."),
        (Cause.TIMEOUT, "Raise timeout_s in the suite and submit, then `bench retry 3 4`."),
    ],
)
def test_the_advice_is_that_of_the_cause(cause, advice):
    assert failures([replace(FAILED, id=job_id, cause=cause) for job_id in (3, 4)])[2:] == [advice]


def test_causes_that_need_the_same_share_a_line():
    causes = (Cause.DATA, Cause.OOM, Cause.CODE)
    said = failures([replace(FAILED, id=job_id, cause=cause) for job_id, cause in enumerate(causes)])
    assert said[3:] == [
        "Once mended: `bench retry 0 2`.",
        "A smaller batch_size needs less memory: change it in the suite and submit (job 1).",
    ]


def test_an_advice_names_ten_jobs_at_most():
    ids = [*range(1, 13)]
    (retry,) = failures([replace(FAILED, id=job_id) for job_id in ids])[12:]
    assert retry == "Once mended: `bench retry 1 2 3 4 5 6 7 8 9 10`."
    (change,) = failures([replace(FAILED, id=job_id, cause=Cause.OOM) for job_id in ids])[12:]
    assert change.endswith("(jobs 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, and 2 others).")
