"""How jobs look: what tells them apart, what is said of those that end early or badly, and what a log gets."""

import io
from dataclasses import replace

import pytest
import timed
from rich.console import Console
from timed import WORKER

from cli._progress import Screen, between, failures, render, span_list
from cli._tables import plain, table
from db.records import Cause, JobState, Measured
from scheduler.duration import Durations
from scheduler.epoch_time import Span

JOB = replace(timed.JOB, key="abcdef0123456789", config={"dataset": "digits"}, attempt=1)
RUNNING = replace(JOB, state=JobState.RUNNING, epoch=1, val_accuracy=0.5, epoch_s=2.0, owner="w/7")
FAILED = replace(JOB, state=JobState.FAILED, cause=Cause.DATA, message="no image")
MEASURED = replace(timed.ATTEMPT, config=JOB.config, epoch_s=15.0, around_s=0.0, flops=None)


def drawn(*jobs, workers=(WORKER,), durations=None, **how):
    return plain(render(jobs, workers, durations, **how)).splitlines()


def known(*workers):
    return Durations(Measured(attempts=[MEASURED]), workers)


@pytest.mark.parametrize(
    ("fields", "column", "cells"),
    [
        ({"config": {"dataset": "folder:/there/pets"}}, "data", ["digits", "folder:pets"]),
        ({"key": "0123456789abcdef"}, "key", ["abcdef", "012345"]),
    ],
    ids=["data", "key"],
)
def test_jobs_that_differ_in_nothing_else_are_told_apart(fields, column, cells):
    head, *rows = drawn(JOB, replace(JOB, id=2, **fields))[2:5]
    assert head.split()[-1] == column
    assert [row.split()[-1] for row in rows] == cells


def test_jobs_of_one_data_set_need_no_further_column():
    assert drawn(JOB, replace(JOB, id=2, seed=43))[2].endswith("time left")


def test_a_job_that_stopped_early_says_so():
    early, whole = (replace(JOB, state=JobState.DONE, epoch=epoch) for epoch in (29, 40))
    assert drawn(early)[2].endswith("stopped early")
    assert "early" not in drawn(whole)[2]


def test_a_running_job_of_a_worker_that_is_not_heard_of_is_named():
    assert "Nothing is heard of whoever runs 1" in drawn(RUNNING, workers=())[-1]
    assert len(drawn(RUNNING)) == 4


def test_whoever_starts_a_worker_himself_misses_none():
    assert drawn(JOB, workers=())[-1] == "Nobody works: start `bench worker`."
    assert len(drawn(JOB, workers=(), closed=True)) == 3


def test_the_time_left_is_a_range_and_says_on_how_many_slots():
    queued = [replace(JOB, id=number, seed=number) for number in range(4)]
    assert drawn(*queued, durations=known(WORKER))[1] == "Time left: about 15-26 min on 2 slots."
    assert drawn(*queued, workers=(), durations=known())[1] == "Time left: about 30-55 min with one slot."


def test_a_running_job_tells_its_own_time_left():
    assert drawn(RUNNING)[3].endswith("50.0 %   55-110 s")
    early = replace(RUNNING, config=JOB.config | {"early_stopping_patience": 10}, epoch=35)
    assert drawn(early)[3].endswith("< 13 s")
    assert drawn(replace(RUNNING, epoch_s=None))[3].endswith("?")


def test_what_was_never_measured_is_not_invented():
    other = replace(JOB, id=2, config={"dataset": "cifar10"})
    said = "Time left: unknown, nothing like {} was measured yet."
    assert drawn(JOB, other)[1] == said.format("2 jobs")
    some = "Time left: about 7-13 min on 2 slots, and 1 job unlike all that was measured."
    assert drawn(JOB, other, durations=known(WORKER))[1] == some


def test_nothing_is_said_of_time_where_nothing_is_left_or_a_worker_is_still_starting():
    assert drawn(FAILED)[1].startswith("job")
    assert drawn(JOB, workers=(), closed=True)[1].startswith("job")


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 0, "< 1 s"),
        (0, 2.2, "< 3 s"),
        (3.9, 7.1, "3-8 s"),
        (41, 88, "40-90 s"),
        (31, 119, "30-120 s"),
        (31, 121, "30 s-2.5 min"),
        (4 * 60, 6.9 * 60, "4-7 min"),
        (12 * 60, 20 * 60, "12-20 min"),
        (599, 601, "9-11 min"),
        (48 * 60, 71 * 60, "45-75 min"),
        (100 * 60, 190 * 60, "1.5-3.5 h"),
        (20 * 60, 96 * 60, "20-100 min"),
        (50 * 60, 90 * 60, "50-90 min"),
        (3600, 30 * 3600, "60 min-30 h"),
        (23 * 60, 9.5 * 3600, "23 min-10 h"),
        (30, 3600, "< 60 min"),
        (40, 3600, "40 s-60 min"),
        (4.5 * 3600, 8 * 86_400, "4.5 h-8 days"),
        (2 * 86_400, 3.1 * 86_400, "2-3.5 days"),
        (0, 1.7e9, "< 19700 days"),
        (3600 * 3, 3600 * 3, "3 h"),
    ],
    ids=str,
)
def test_a_range_is_rounded_outwards_and_never_falsely_precise(low, high, words):
    assert between(Span(low, high)) == words


def test_a_range_stays_short_enough_for_its_column():
    ends = [1.37**number for number in range(51)]  # up to 80 days
    longest = max((between(Span(low, high)) for low in ends for high in ends if low <= high), key=len)
    assert len(longest) <= len("stopped early") + 2


def test_machines_get_seconds_or_nothing():
    assert span_list(Span(1.234, 56.78)) == [1.2, 56.8]
    assert span_list(None) is None


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


def test_a_log_gets_the_time_left_once_it_is_known_and_whenever_a_job_has_ended():
    out = io.StringIO()
    queued = [replace(JOB, id=number, seed=number) for number in range(3)]
    ended = [replace(queued[0], state=JobState.DONE, epoch=40), *queued[1:]]
    with Screen(out, closed=True) as screen:
        screen.show(queued, [], Durations(Measured()))
        screen.show(queued, [], known())  # no worker is heard of, so nobody knows on how many slots
        screen.show(queued, [WORKER], Durations(Measured(), [WORKER]))
        for jobs in (queued, queued, ended, ended):
            screen.show(jobs, [WORKER], known(WORKER))
    assert out.getvalue().splitlines()[5:] == [
        "Time left: about 15-26 min on 2 slots.",
        "job 0, baseline, seed 0: done, epoch 40/40",
        "Time left: about 7-13 min on 2 slots.",
    ]


def test_a_log_that_begins_with_the_time_left_does_not_tell_it_twice():
    out = io.StringIO()
    with Screen(out) as screen:
        for _ in range(2):
            screen.show([JOB], [WORKER], known(WORKER))
    assert out.getvalue().count("Time left") == 1


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


@pytest.mark.parametrize("label", ["baseline", "猫と犬", "é" * 30, "a [bold]b", ""])
def test_a_pipe_gets_the_table_that_rich_would_draw(label):
    rows = [[1, label, "done"], [12_345, "x", "running"], [7, "some longer label", ""]]
    made = table(["job", "variant", "state"], rows, right={0}, shrinks=1)
    out = io.StringIO()
    Console(file=out, width=1000, force_terminal=False, no_color=True).print(made)
    assert plain(["above", made]).splitlines() == ["above", *(line.rstrip() for line in out.getvalue().splitlines())]


def test_a_line_break_in_a_cell_makes_no_second_row():
    assert plain([table(["data"], [["folder:a\nb\x1b[31m"]])]).splitlines() == ["data", "folder:a\\nb\\x1b[31m"]
