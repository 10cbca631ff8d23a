"""What a user's network changes for its whole process is gone before a job of other code begins."""

import math

import pytest
from editable import put
from real_worker import attempt_here, job, numbers, outcomes, submit_digits, worker
from records import result

from db.records import Cause, JobState
from scheduler.suite import load_suite
from worker.child import Child
from worker.host import Memory
from worker.stopping import StopPipe

NETS = """
import torch
from torch import nn

class Spoils(nn.Sequential):
    def __init__(self, num_classes):
        super().__init__(nn.Flatten(), nn.Linear(3072, num_classes))

    def forward(self, images):
        if len(images) > 2:  # not where it is tried, after which much is put back
            torch.set_default_dtype(torch.float64)
            torch.nn.functional.relu = lambda images, inplace=False: 0 * images
        return super().forward(images)
"""
SUITE = """
[suite]
name = "mine"
dataset = "digits"
[variants.spoils]
model = "nets.py:Spoils"
[variants.other]
model = "other.py:Spoils"
"""


@pytest.fixture
def suite(tmp_path):
    put(tmp_path / "mine", {"nets.py": NETS, "other.py": NETS, "mine.toml": SUITE})
    return load_suite(str(tmp_path / "mine" / "mine.toml"))


def process_of(store, job_id):
    (attempt,) = store.attempts([job_id])[job_id]
    assert attempt.outcome == "done"
    return attempt.owner


def test_after_a_network_that_patches_torch_other_jobs_have_their_numbers(store, here, tmp_path, suite, undisturbed):
    one, two = submit_digits(store, here, "spoils", seeds=[1, 2], epochs=1, priority=3, suite=suite)
    (theirs,) = submit_digits(store, here, "other", epochs=1, priority=2, suite=suite)
    first, second = submit_digits(store, here, "baseline", seeds=[42, 43], epochs=1, priority=1)
    with worker(tmp_path, drain=True) as only:
        assert only.wait(timeout=180) == 0
    assert numbers(store, first) == undisturbed("baseline", epochs=1)
    # of one code, and of bench's own networks, one process runs as many as there are
    assert process_of(store, one) == process_of(store, two)
    assert process_of(store, first) == process_of(store, second)
    assert len({process_of(store, job_id) for job_id in (one, theirs, first)}) == 3


def test_a_process_that_has_run_other_code_leaves_without_touching_the_job(store, here):
    (job_id,) = submit_digits(store, here, "baseline", epochs=1)
    child = Child(settings=here, worker_id="alone", device="cpu", pipe=StopPipe(), ran="0" * 64)
    with pytest.raises(SystemExit):
        child._work()
    child.store.close()
    assert job(store, job_id).state is JobState.QUEUED
    assert not store.attempts([job_id]).get(job_id)


def ended_at_once(store, claim, _):
    """Nothing of the code is run: it would spoil the tests that this process still has to run."""
    store.finish(claim, result(), {})
    return JobState.DONE


@pytest.fixture
def after_own(store, here, suite, monkeypatch):
    """A child that has run one's own network; another slot leaves 2,464 of the 4,000 MiB that jobs may take."""
    (done,) = submit_digits(store, here, "spoils", seeds=[1], epochs=1, suite=suite)
    store.claim_next("another/1", lease_s=600, place="here/cpu", device="cpu")
    monkeypatch.setattr("worker.child.host_memory", lambda: Memory(total_mib=5_024.0, free_mib=5_024.0))
    monkeypatch.setattr("worker.child.run_attempt", ended_at_once)
    code = store.jobs([done])[0].config["code"]
    child = Child(settings=here, worker_id="alone", device="cpu", pipe=StopPipe(), place="here/cpu", ran=code)
    child.expected_at = math.inf  # what these tests say of their jobs' memory stands
    yield child
    child.store.close()


def expect(store, child, needs_mib):
    """MiB by job, which the child takes as noted."""
    store.set_memory("cpu", needs_mib)
    child.expected_to = max(needs_mib)


def test_where_only_a_job_of_other_code_has_room_the_process_leaves_without_touching_it(store, here, suite, after_own):
    (own,) = submit_digits(store, here, "spoils", seeds=[2], epochs=1, priority=1, suite=suite)
    (other,) = submit_digits(store, here, "baseline", epochs=1)
    expect(store, after_own, {own: 3_000.0, other: 1_000.0})
    with pytest.raises(SystemExit):
        after_own._work()
    assert not store.attempts([other]).get(other)


def test_a_job_of_other_code_that_has_no_room_ends_no_process(store, here, suite, after_own):
    (other,) = submit_digits(store, here, "baseline", epochs=1, priority=1)
    own, more = submit_digits(store, here, "spoils", seeds=[2, 3], epochs=1, suite=suite)
    expect(store, after_own, {other: 3_000.0, own: 1_000.0, more: 1_000.0})
    after_own._work()
    assert [job(store, one).state for one in (other, own)] == [JobState.QUEUED, JobState.DONE]


def test_a_job_that_was_claimed_after_other_code_goes_back_and_is_trained_by_another_process(
    store, here, suite, monkeypatch
):
    (job_id,) = submit_digits(store, here, "baseline", epochs=1)
    child = Child(settings=here, worker_id="alone", device="cpu", pipe=StopPipe(), ran="0" * 64)
    # as if the job of its own code, which it saw in the queue, had been taken by another slot a moment ago
    monkeypatch.setattr(Child, "_may_take_next", lambda *_: True)
    with pytest.raises(SystemExit):
        child._work()
    child.store.close()
    assert job(store, job_id).state is JobState.QUEUED
    assert attempt_here(store, here) is JobState.DONE
    assert outcomes(store, job_id) == [Cause.PREEMPTED, "done"]
