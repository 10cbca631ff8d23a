"""What a job held is gone before the next one of its slot begins."""

import gc
import os
import signal
import time
import weakref
from itertools import chain
from pathlib import Path

import psutil
import pytest
import torch
from real_worker import job, outcomes, pid_of, sabotaged, submit_digits, submit_endless, until, worker
from sqlalchemy import select

from db.records import Cause, JobState
from db.tables import jobs
from scheduler.suite import load_suite
from worker import engine
from worker.child import Child
from worker.host import Memory
from worker.stopping import StopPipe

WHY = (
    "jobs wait, but none of them may start on here/cpu beside what runs there: "
    "for want of memory, or because one of them has to be alone"
)


@pytest.fixture
def child(here):
    """A slot's child, in this very process."""
    made = Child(settings=here, worker_id="alone", device="cpu", pipe=StopPipe(), place="here/cpu")
    yield made
    if made.store:
        made.store.close()


def test_a_cancelled_job_holds_no_memory_once_its_child_can_take_the_next(store, here, tmp_path, child, monkeypatch):
    submit_endless(store, here, tmp_path)
    real, held = engine.new_network, []

    def watched(*words):
        network = real(*words)
        network.itself = [network]  # a circle: only the collector ends it
        held.extend(weakref.ref(one) for one in [network, *network.parameters()])
        store.cancel([1])
        return network

    monkeypatch.setattr(engine, "new_network", watched)
    gc.disable()  # else it might come by itself
    try:
        child._work()
        left = [one for one in held if one() is not None]
    finally:
        gc.enable()
    assert outcomes(store) == [Cause.CANCELLED]
    assert len(held) > 1
    assert left == []


SCARCE = """
import worker.child
from worker.host import Memory
worker.child.host_memory = lambda: Memory(total_mib=3_000.0, free_mib=1_900.0)
"""


def test_slots_take_no_more_jobs_at_once_than_their_host_has_memory_for(store, here, tmp_path):
    """Each is expected to take some 1,100 MiB; without a limit two slots train two at once."""
    scarce = {"PYTHONPATH": sabotaged(tmp_path / "own", SCARCE)}
    for at_once, seeds, variables in ((1, [1, 2], scarce), (2, [3, 4], {})):
        jobs = submit_digits(store, here, "baseline", seeds=seeds, epochs=2)
        with worker(tmp_path, slots=2, drain=True, **variables) as both:
            assert both.wait(timeout=120) == 0
        first, second = sorted(chain(*store.attempts(jobs).values()), key=lambda one: one.started_at)
        assert [first.outcome, second.outcome] == ["done", "done"]
        assert (second.started_at < first.ended_at) == (at_once == 2)


COUNTED = """
import pathlib, worker.keeper
worker.keeper.memory_kills = lambda: int(pathlib.Path({count!r}).read_text())
"""


@pytest.mark.parametrize("counted", [True, False], ids=["by the system, for want of memory", "by somebody"])
def test_a_job_whose_process_was_killed_for_want_of_memory_runs_alone_the_next_time(store, here, tmp_path, counted):
    submit_endless(store, here, tmp_path)
    count = tmp_path / "count"
    count.write_text("7")
    with worker(tmp_path, PYTHONPATH=sabotaged(tmp_path / "own", COUNTED.format(count=str(count)))) as only:
        until(lambda: job(store).epoch)
        early, late = (int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in (pid_of(store), only.pid))
        assert early > late  # the system would rather kill the child than its parent
        count.write_text("8" if counted else "7")
        os.kill(pid_of(store), signal.SIGKILL)
        (first, *_) = until(lambda: [one for one in store.attempts([1])[1] if one.outcome])
    assert first.outcome == (Cause.OOM if counted else Cause.WORKER_LOST)
    assert ("for want of memory" in first.message) == counted
    with store._reading() as connection:
        assert connection.execute(select(jobs.c.alone)).scalar_one() is counted


def test_a_slot_for_which_there_is_no_room_says_so_once_and_waits_longer_each_time(
    store, here, child, monkeypatch, caplog
):
    """Doorbells go on ringing for what waits: to answer each at once kept a core busy with claims."""
    waits = []
    submit_digits(store, here, "baseline", seeds=[1, 2], epochs=1)
    beside = store.claim_next("another/1", lease_s=60, place=child.place, device="cpu")
    monkeypatch.setattr("worker.child.host_memory", lambda: Memory(total_mib=2_500.0, free_mib=0.0))
    monkeypatch.setattr(child.pipe.stopping, "wait", waits.append)
    caplog.set_level("INFO")
    for _ in range(8):
        child._work()
    assert [record.getMessage() for record in caplog.records].count(WHY) == 1
    assert waits == [min(0.1 * 2**turn, here.heartbeat_s) for turn in range(8)]
    store.fail(beside, Cause.PREEMPTED, "stop")
    child._work()
    assert [job(store, number).state for number in (1, 2)].count(JobState.DONE) == 1
    assert (len(waits), child.waited_s) == (8, 0.0)


ASSERTED = "CUDA error: device-side assert triggered"


def test_a_child_whose_device_fails_after_a_job_keeps_what_the_job_gave_and_makes_room_for_a_new_one(
    store, here, child, monkeypatch, caplog
):
    first, second = submit_digits(store, here, "baseline", seeds=[1, 2], epochs=1)

    def fail():
        raise torch.AcceleratorError(f"{ASSERTED}\nCUDA kernel errors might be asynchronously reported")

    monkeypatch.setattr("worker.child._has_context", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", fail)
    with pytest.raises(SystemExit):
        child._work()
    assert (job(store, first).state, job(store, second).state) == (JobState.DONE, JobState.QUEUED)
    (said,) = [record for record in caplog.records if ASSERTED in record.getMessage()]
    assert (said.levelname, said.ids["job"], "\n" in said.getMessage()) == ("WARNING", first, False)


def test_a_child_whose_graph_broke_off_makes_room_for_a_new_one(store, here, child, monkeypatch):
    first, second = submit_digits(store, here, "baseline", seeds=[1, 2], epochs=1)
    monkeypatch.setattr("worker.capture.broke_off", lambda: True)
    with pytest.raises(SystemExit):
        child._work()
    assert (job(store, first).state, job(store, second).state) == (JobState.DONE, JobState.QUEUED)


def test_no_job_is_run_by_a_process_whose_device_failed_after_another(store, here, tmp_path):
    jobs = submit_digits(store, here, "baseline", seeds=[1, 2], epochs=1)
    fails = f"""
import worker.child
def fail():
    raise RuntimeError("{ASSERTED}")
worker.child.free_memory = fail
"""
    with worker(tmp_path, drain=True, PYTHONPATH=sabotaged(tmp_path / "own", fails)) as only:
        assert only.wait(timeout=120) == 0
    assert [outcomes(store, one) for one in jobs] == [["done"], ["done"]]
    assert len(owners(store)) == 2
    assert (tmp_path / "worker.log").read_text().count(ASSERTED) == 2


SHAPES = """
[suite]
name = "shapes"
dataset = "digits"
[variants.tiny]
arguments = { conv_depths = [4, 8], hidden_units = 16 }
[variants.wide]
arguments = { conv_depths = [32, 32], hidden_units = 256 }
[variants.dropped]
arguments = { conv_depths = [8, 8], hidden_units = 512, batch_norm = true, dropout = 0.3 }
[variants.large_batch]
batch_size = 256
arguments = { conv_depths = [16, 16], hidden_units = 128 }
[variants.resnet]
model = "resnet"
batch_size = 64
arguments = { stage_depths = [16, 16], blocks = 1 }
[variants.diverging]
learning_rate = 1e30
batch_size = 512
arguments = { conv_depths = [8], hidden_units = 8192 }
"""
IN_TURN = ("tiny", "wide", "dropped", "large_batch", "resnet")
DIFFERENCE_MIB = 30.0


@pytest.fixture
def shapes(tmp_path):
    path = tmp_path / "shapes.toml"
    path.write_text(SHAPES)
    return load_suite(str(path))


def resting_mib(store, jobs):
    """What the one child holds once so many jobs have ended and it has put away what they left."""
    until(lambda: sum(one.finished_at is not None for one in store.jobs()) == jobs, seconds=200)
    child = psutil.Process(int(store.attempts([1])[1][0].owner.rpartition("/")[2]))
    held = []
    for _ in range(20):
        held.append(child.memory_info().rss / 2**20)
        time.sleep(0.1)
    return min(held)


def owners(store):
    """The process of every attempt."""
    return {attempt.owner for tried in store.attempts([one.id for one in store.jobs()]).values() for attempt in tried}


def test_a_job_that_diverges_leaves_its_child_as_small_as_it_found_it(store, here, tmp_path, shapes):
    submit_digits(store, here, "tiny", suite=shapes, epochs=1)
    with worker(tmp_path):
        before = resting_mib(store, 1)
        (large,) = submit_digits(store, here, "diverging", suite=shapes, epochs=1)
        after = resting_mib(store, 2)
    assert outcomes(store, large) == [Cause.DIVERGED]
    assert len(owners(store)) == 1
    assert abs(after - before) < DIFFERENCE_MIB  # the weights alone are 64 MiB, and the optimizer has two of each


@pytest.mark.long
def test_one_child_trains_fifty_jobs_and_holds_no_more_after_the_last_than_after_the_tenth(
    store, here, tmp_path, shapes
):
    def submit_rounds(seeds):
        for seed in seeds:  # each less urgent than the one before, so that the shapes come in turn
            submit_digits(store, here, *IN_TURN, suite=shapes, seeds=[seed], epochs=1, priority=-seed)

    submit_rounds(range(2))
    with worker(tmp_path):
        after_ten = resting_mib(store, 10)
        submit_rounds(range(2, 10))
        after_fifty = resting_mib(store, 50)
    assert {one.state for one in store.jobs()} == {JobState.DONE}
    assert len(owners(store)) == 1
    assert after_fifty - after_ten < DIFFERENCE_MIB
