"""Why an attempt ended, what that does to its job, and what becomes of the process that ran it."""

import os
import signal
from pathlib import Path

import psutil
import pytest
from real_worker import (
    POSTGRES_IN_THE_LONG_RUN,
    ROOT,
    children,
    job,
    outcomes,
    pid_of,
    running_at,
    submit_digits,
    until,
    worker,
)
from sqlalchemy import update

from db.records import Cause, JobState
from db.tables import jobs
from scheduler.suite import load_suite


def suite(tmp_path, **fields):
    """A suite of one variant on the digits with these config fields."""
    lines = "".join(f"{name} = {value}\n" for name, value in fields.items())
    path = tmp_path / "suite.toml"
    path.write_text(f'[suite]\nname = "causes"\ndataset = "digits"\n[variants.a]\n{lines}')
    return load_suite(str(path))


def drained(tmp_path, **variables):
    with worker(tmp_path, drain=True, **variables) as only:
        assert only.wait(timeout=180) in (0, 1)


@POSTGRES_IN_THE_LONG_RUN
def test_a_loss_that_is_not_finite_ends_the_job_with_its_mend(store, here, tmp_path):
    submit_digits(store, here, "a", suite=suite(tmp_path, learning_rate=1e30), epochs=3)
    drained(tmp_path)
    assert (job(store).state, job(store).cause) == (JobState.FAILED, Cause.DIVERGED)
    assert "lower learning_rate" in job(store).message
    assert outcomes(store) == [Cause.DIVERGED]


@POSTGRES_IN_THE_LONG_RUN
def test_a_network_that_does_not_fit_is_tried_once_more_alone_and_then_given_up(store, here, tmp_path):
    (big,) = submit_digits(
        store, here, "a", suite=suite(tmp_path, arguments="{ conv_depths = [65536], hidden_units = 65536 }"), epochs=1
    )
    (after,) = submit_digits(store, here, "baseline", epochs=1)
    drained(tmp_path)
    assert (job(store, big).state, outcomes(store, big)) == (JobState.FAILED, [Cause.OOM, Cause.OOM])
    assert "2 attempts ended this way" in job(store, big).message
    assert job(store, after).state is JobState.DONE
    owners = {attempt.owner for attempt in store.attempts([big])[big]}
    assert len(owners) == 2  # a process that ran out of memory is replaced


@POSTGRES_IN_THE_LONG_RUN
def test_an_error_in_the_code_is_recorded_with_its_traceback_and_its_process_replaced(store, here, tmp_path):
    broken, after = submit_digits(store, here, "both", "baseline", epochs=1)
    with store._writing() as connection:
        unknown = {**job(store, broken).config, "model": "of_tomorrow"}
        connection.execute(update(jobs).where(jobs.c.id == broken).values(config=unknown, priority=1))
    drained(tmp_path)
    (attempt,) = store.attempts([broken])[broken]
    assert (job(store, broken).state, attempt.outcome) == (JobState.FAILED, Cause.CODE)
    assert "of_tomorrow" in attempt.traceback or "choose one of" in attempt.traceback
    assert "Traceback" in (tmp_path / "home" / "logs" / f"job-{broken}-attempt-1.log").read_text()
    assert job(store, after).state is JobState.DONE
    assert store.attempts([after])[after][0].owner != attempt.owner


@POSTGRES_IN_THE_LONG_RUN
def test_a_job_over_its_timeout_stops_and_goes_on_when_it_is_given_more(store, here, tmp_path):
    hurried = submit_after_a_warm_up(store, here, tmp_path, timeout_s=8)
    drained(tmp_path)
    assert (job(store, hurried).state, job(store, hurried).cause) == (JobState.FAILED, Cause.TIMEOUT)
    assert "timeout_s of 8 s" in job(store, hurried).message
    assert "did not stop" not in job(store, hurried).message  # by its own loop, not by the parent
    submit_digits(store, here, "a", suite=suite(tmp_path, timeout_s=600), epochs=400)
    assert store.retry([hurried]) == [hurried]
    with worker(tmp_path):
        until(lambda: job(store, hurried).attempt == 2)
        until(lambda: _began(store.attempts([hurried])[hurried][1]) > (0, 0))


def _began(attempt):
    return attempt.start_epoch, attempt.start_step


@POSTGRES_IN_THE_LONG_RUN
@pytest.mark.long  # in each run one that hangs is killed for its cancel, in the same way
def test_a_loop_that_hangs_past_its_timeout_is_killed_by_its_parent(store, here, tmp_path):
    hanging = submit_after_a_warm_up(store, here, tmp_path, timeout_s=8)
    # the signal puts the training's thread to sleep for good, and only that: the heartbeat goes on
    hang = "import signal, time\nsignal.signal(signal.SIGUSR2, lambda *_: time.sleep(1e6))\n"
    (tmp_path / "sitecustomize.py").write_text(hang)
    (after,) = submit_digits(store, here, "baseline", seeds=[43], epochs=1, priority=-1)
    with worker(tmp_path, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)])) as only:
        until(lambda: running_at(store, 1, hanging))
        pid = pid_of(store, hanging)
        os.kill(pid, signal.SIGUSR2)
        until(lambda: job(store, hanging).state is JobState.FAILED)
        until(lambda: job(store, after).state is JobState.DONE)
        assert pid not in [child.pid for child in children(only)]
    assert not psutil.pid_exists(pid)
    assert job(store, hanging).cause is Cause.TIMEOUT
    assert "did not stop when asked to" in job(store, hanging).message


def submit_after_a_warm_up(store, here, tmp_path, *, timeout_s):
    """A job that would train for minutes, after a short one in which the child loads all that takes long."""
    submit_digits(store, here, "baseline", epochs=1, priority=1)
    (found,) = submit_digits(store, here, "a", suite=suite(tmp_path, timeout_s=timeout_s), epochs=400)
    return found


def test_a_job_that_takes_its_workers_with_it_is_given_up(store, here, tmp_path):
    submit_digits(store, here, "both", epochs=40)
    (after,) = submit_digits(store, here, "baseline", epochs=1, priority=-1)
    killed = []
    with worker(tmp_path, BENCH_CHECKPOINT_S="600"):
        while job(store).state is not JobState.FAILED:
            found = until(
                lambda: next((one for one in [job(store)] if one.epoch or one.state is JobState.FAILED), None)
            )
            pid = int(found.owner.rpartition("/")[2]) if found.owner else None
            if pid and pid not in killed:
                killed.append(pid)
                assert len(killed) <= 3
                os.kill(pid, signal.SIGKILL)
        until(lambda: job(store, after).state is JobState.DONE)
    assert len(killed) == 3
    assert outcomes(store) == [Cause.WORKER_LOST] * 3
    assert "3 attempts ended this way" in job(store).message


@POSTGRES_IN_THE_LONG_RUN
def test_a_data_set_that_changed_since_the_submit_ends_its_job(store, here, tmp_path):
    from PIL import Image

    for part, number in (("train", 10), ("test", 2)):
        for label in ("a", "b"):
            folder = tmp_path / "images" / part / label
            folder.mkdir(parents=True)
            for image in range(number):
                Image.new("RGB", (32, 32), (image * 20, 0, 0)).save(folder / f"{image}.png")
    from scheduler.planning import make_plan
    from scheduler.queue import submit

    plan = make_plan(load_suite(), ["baseline"], [42], data_dir=here.data, dataset=f"folder:{tmp_path / 'images'}")
    submit(store, plan)
    Image.new("RGB", (32, 32), (0, 0, 99)).save(tmp_path / "images" / "train" / "a" / "0.png")
    drained(tmp_path)
    assert (job(store).state, outcomes(store)) == (JobState.FAILED, [Cause.DATA])
    assert "data" in Path(store.attempts([1])[1][0].log).read_text()


@pytest.mark.parametrize("keep", ["true", pytest.param("false", marks=pytest.mark.long)])
def test_the_last_checkpoint_stays_only_when_it_is_asked_for(store, here, tmp_path, keep):
    submit_digits(store, here, "baseline", epochs=2)
    drained(tmp_path, BENCH_KEEP_CHECKPOINTS=keep)
    files = [path for path in (tmp_path / "home" / "artifacts").rglob("*") if path.is_file()]
    kept = store.artifacts([1])[1]
    assert len(files) == len(kept) == (1 if keep == "true" else 0)
    if kept:
        from hashlib import sha256

        assert kept[0].url.endswith(files[0].name)
        assert kept[0].sha256 == sha256(files[0].read_bytes()).hexdigest()
        assert kept[0].bytes == files[0].stat().st_size
