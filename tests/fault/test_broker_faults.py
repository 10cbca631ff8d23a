"""Messages that come twice, late or never, and a broker that dies: the store alone decides, so nothing changes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import redis
from real_worker import (
    POSTGRES_IN_THE_LONG_RUN,
    ROOT,
    children,
    job,
    numbers,
    outcomes,
    running_at,
    submit_digits,
    submit_endless,
    until,
    worker,
    writes_held,
)

from db._database import SETTLE_S
from db.errors import BrokerError
from db.records import JobState
from scheduler.app import QUEUE, doorbells
from scheduler.broker import ensure_broker, is_up, stop_broker
from scheduler.queue import reconcile, ring


def messages(here):
    """How many wait in the embedded broker's queue."""
    return connection(here).llen(QUEUE)


def connection(here):
    return redis.Redis(unix_socket_path=str(here.socket))


def server_pid(here):
    return int((here.folder / "broker" / "pid").read_text())


def all_done(store, job_ids):
    return all(one.state is JobState.DONE for one in store.jobs(job_ids))


@POSTGRES_IN_THE_LONG_RUN
def test_five_messages_for_each_job_make_one_attempt_of_each(store, here, tmp_path, undisturbed):
    seeds = range(42, 46)
    jobs = submit_digits(store, here, "baseline", seeds=seeds, epochs=1)
    for _ in range(5):
        doorbells(here).send(jobs)
    assert messages(here) == 5 * len(jobs)
    with worker(tmp_path, slots=2, drain=True) as only:
        assert only.wait(timeout=120) == 0
    assert [outcomes(store, one) for one in jobs] == [["done"]] * len(jobs)
    # two slots side by side change no number
    assert [numbers(store, one) for one in jobs] == [undisturbed("baseline", epochs=1, seed=seed) for seed in seeds]


@POSTGRES_IN_THE_LONG_RUN
@pytest.mark.long
def test_a_message_that_comes_again_while_its_job_runs_opens_no_second_attempt(store, here, tmp_path):
    (one,) = submit_digits(store, here, "both", epochs=4)
    with worker(tmp_path, slots=2, drain=True) as only:
        until(lambda: running_at(store, 1, one))
        doorbells(here).send([one] * 5)
        until(lambda: messages(here) == 0)
        assert job(store, one).state is JobState.RUNNING
        assert only.wait(timeout=120) == 0
    assert outcomes(store, one) == ["done"]


@pytest.mark.long
def test_a_message_whose_visibility_timeout_is_over_comes_again_and_opens_no_second_attempt(store, here, tmp_path):
    (one,) = submit_endless(store, here, tmp_path)
    with worker(tmp_path, slots=2, BENCH_LOG_LEVEL="debug"):
        until(lambda: running_at(store, 1, one))
        until(lambda: connection(here).zcard("unacked_index") == 1)
        (tag,) = connection(here).zrange("unacked_index", 0, -1)
        heard = doorbells_heard(tmp_path)
        # as if it had been taken two days ago; kombu itself then finds it, and sends it again
        assert connection(here).zadd("unacked_index", {tag: time.time() - 2 * 86_400}, xx=True, ch=True) == 1
        until(lambda: doorbells_heard(tmp_path) > heard, seconds=40)
        until(lambda: not connection(here).hexists("unacked", tag))  # the second copy was dealt with
        assert doorbells_heard(tmp_path) == heard + 1
        assert running_at(store, 1, one)
        assert outcomes(store, one) == [None]
        store.cancel([one])
        (after,) = submit_digits(store, here, "baseline", epochs=1)
        until(lambda: all_done(store, [after]))
    assert outcomes(store, one) == ["cancelled"]


def doorbells_heard(tmp_path):
    return (tmp_path / "worker.log").read_text().count("doorbell for job")


@pytest.mark.long
def test_a_flushed_queue_is_rung_again(store, here, tmp_path):
    jobs = submit_digits(store, here, "baseline", seeds=range(42, 45), epochs=1)
    assert ring(store, doorbells(here)) == len(jobs)
    connection(here).flushall()
    assert messages(here) == 0
    with worker(tmp_path, drain=True) as only:
        assert only.wait(timeout=120) == 0
    assert all_done(store, jobs)


@POSTGRES_IN_THE_LONG_RUN
def test_a_flush_under_a_connected_worker_costs_no_job(store, here, tmp_path):
    with worker(tmp_path):
        until(lambda: store.workers(seen_within_s=60))
        jobs = submit_digits(store, here, "baseline", seeds=range(42, 45), epochs=1)
        ring(store, doorbells(here))
        rung, _, left = connection(here).pipeline().llen(QUEUE).flushall().llen(QUEUE).execute()  # in one step
        assert rung > 0
        assert left == 0
        until(lambda: all_done(store, jobs))
    assert [outcomes(store, one) for one in jobs] == [["done"]] * len(jobs)


@POSTGRES_IN_THE_LONG_RUN
@pytest.mark.long  # brokers are killed in the soak of each run, too
def test_a_broker_that_is_killed_while_jobs_run_and_wait_loses_none(store, here, tmp_path, undisturbed):
    running, waiting = submit_digits(store, here, "both", "baseline", epochs=4)
    with worker(tmp_path):
        until(lambda: running_at(store, 2, running))
        pid = server_pid(here)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        until(lambda: all_done(store, [running, waiting]))
    assert server_pid(here) != pid
    assert outcomes(store, running) == ["done"]
    assert numbers(store, running) == undisturbed("both", epochs=4)


def test_a_worker_whose_broker_dies_before_it_is_ready_starts_it_again(store, here, tmp_path):
    (only,) = submit_digits(store, here, "baseline", epochs=1)
    with worker(tmp_path, fresh=True) as early:
        # it has seen that the broker answers, and loads PyTorch before it connects
        until(lambda: "libtorch" in Path(f"/proc/{early.pid}/maps").read_text())
        os.kill(server_pid(here), signal.SIGKILL)
        until(lambda: all_done(store, [only]))


@pytest.mark.long
def test_a_worker_whose_broker_was_stopped_starts_it_again(store, here, tmp_path):
    submit_digits(store, here, "both", epochs=4)
    with worker(tmp_path):
        until(lambda: running_at(store, 1))
        pid = server_pid(here)
        assert stop_broker(here)
        assert not psutil.pid_exists(pid)
        (after,) = submit_digits(store, here, "baseline", epochs=1)
        until(lambda: all_done(store, [after]))
    assert is_up(here)


@pytest.mark.parametrize("kind", [pytest.param("pubsub", marks=pytest.mark.long), "normal"])
def test_a_worker_whose_connections_are_cut_consumes_again(store, here, tmp_path, kind):
    with worker(tmp_path):
        submit_digits(store, here, "baseline", epochs=1)
        until(lambda: job(store).state is JobState.DONE)
        before = connection(here).client_list()
        assert connection(here).client_kill_filter(_type=kind) > 0
        cut = {one["id"] for one in before} - {one["id"] for one in connection(here).client_list()}
        assert cut
        (after,) = submit_digits(store, here, "baseline", seeds=[43], epochs=1)
        until(lambda: all_done(store, [after]))


@POSTGRES_IN_THE_LONG_RUN
def test_a_submit_whose_broker_is_away_keeps_the_jobs_and_a_worker_finds_them(store, here, tmp_path):
    elsewhere = {**os.environ, "BENCH_BROKER_URL": "redis://127.0.0.1:1/0", "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "cli", "submit", "--variant", "baseline", "--dataset", "digits", "--epochs", "1"]
    done = subprocess.run(words, cwd=tmp_path, env=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "1 job added" in done.stdout
    assert (job(store).state, store.unpublished()) == (JobState.QUEUED, [1])
    with worker(tmp_path, drain=True) as only:
        assert only.wait(timeout=120) == 0
    assert outcomes(store) == ["done"]


@POSTGRES_IN_THE_LONG_RUN
def test_a_submit_that_dies_between_commit_and_message_is_found(store, here, tmp_path):
    script = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1]); from real_worker import *; "
        "from db import open_store; from scheduler.settings import load_settings; here = load_settings(); "
        "submit_digits(open_store(here.database), here, 'baseline', epochs=1); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", script, str(ROOT / "tests")]
    assert subprocess.run(words, env=environment, check=False).returncode == -signal.SIGKILL
    assert (store.unpublished(), messages(here)) == ([1], 0)
    with worker(tmp_path, drain=True) as only:
        assert only.wait(timeout=120) == 0
    assert outcomes(store) == ["done"]


def test_a_worker_that_gets_no_message_though_jobs_wait_ends(store, here, tmp_path):
    from scheduler.app import make_app

    with worker(tmp_path) as deaf:
        submit_digits(store, here, "baseline", epochs=1)
        until(lambda: job(store).state is JobState.DONE)
        until(lambda: list(make_app(here).control.inspect().active().values()) == [[]])
        (child,) = children(deaf)
        child.suspend()  # like a child that has just ended: it has the message, and does not begin
        submit_digits(store, here, "baseline", seeds=[43], epochs=1)
        time.sleep(here.lease_s + 4)
        assert deaf.poll() is None
        child.resume()
        until(lambda: job(store, 2).state is JobState.DONE)
        make_app(here).control.cancel_consumer(QUEUE)
        submit_digits(store, here, "baseline", seeds=[44], epochs=1)
        assert deaf.wait(timeout=90) == os.EX_TEMPFAIL
    assert "start it again" in (tmp_path / "worker.log").read_text()
    assert job(store, 3).state is JobState.QUEUED


@pytest.mark.parametrize("here", ["sqlite", "postgres"], indirect=True)
def test_looking_around_twice_at_once_rings_once_and_takes_back_once(store, here):
    (one,) = submit_digits(store, here, "baseline", epochs=1)
    assert store.claim_next("dead", lease_s=0.01) is not None
    time.sleep(0.1)
    if store.dialect == "postgresql":  # in whose first seconds nobody takes anything back
        with store._writing() as connection:
            settled = f"pg_postmaster_start_time() + interval '{SETTLE_S + 1} s' - clock_timestamp()"
            connection.exec_driver_sql(f"SELECT pg_sleep_for(greatest({settled}, interval '0'))")
    script = (
        "from db import open_store; from scheduler.app import doorbells; from scheduler.queue import reconcile; "
        "from scheduler.settings import load_settings; here = load_settings(); store = open_store(here.database); "
        "print('looks', flush=True); print(len(reconcile(store, doorbells(here)).requeued))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with writes_held(here):
        both = [
            subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        assert [looker.stdout.readline().strip() for looker in both] == ["looks", "looks"]
        time.sleep(1)
        assert [looker.poll() for looker in both] == [None, None]  # both have seen the lost job, and wait to write
    assert sorted(looker.communicate(timeout=60)[0].strip() for looker in both) == ["0", "1"]
    assert outcomes(store, one) == ["worker_lost"]
    assert [event.what for event in store.events(one)].count("lease expired") == 1
    assert reconcile(store, doorbells(here)).requeued == ()
    assert 1 <= messages(here) <= 2


def test_many_at_once_start_one_broker_over_a_socket_that_a_killed_one_left(here):
    pid = server_pid(here)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    assert here.socket.exists()
    script = (
        "import psutil, redis; from scheduler.broker import *; from scheduler.settings import *; "
        "here = load_settings(); print('ready', flush=True); input(); print(ensure_broker(here))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    starters = [subprocess.Popen([sys.executable, "-c", script], env=environment, **pipes) for _ in range(4)]
    assert [one.stdout.readline() for one in starters] == ["ready\n"] * 4
    for one in starters:
        one.stdin.write("\n")
        one.stdin.flush()
    assert sorted(one.communicate(timeout=60)[0].strip() for one in starters) == ["False", "False", "False", "True"]
    assert not ensure_broker(here)


@pytest.mark.long
def test_a_frozen_broker_gets_no_twin_and_down_ends_it(here, monkeypatch):
    from scheduler import broker

    monkeypatch.setattr(broker, "_START_S", 1.0)
    pid = server_pid(here)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(BrokerError, match=f"process {pid}, does not answer"):
        ensure_broker(here)
    assert server_pid(here) == pid
    assert stop_broker(here)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert ensure_broker(here)


def test_a_broker_whose_folder_was_removed_ends_by_itself(here):
    pid = server_pid(here)
    until(lambda: any(one["name"] == "guard" for one in connection(here).client_list()))
    shutil.rmtree(here.folder)
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, seconds=30)
