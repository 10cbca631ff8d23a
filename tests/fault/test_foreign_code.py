"""What a user's network changes for its whole process is gone before a job of other code begins."""

import pytest
from editable import put
from real_worker import attempt_here, job, numbers, outcomes, submit_digits, worker

from db.records import Cause, JobState
from scheduler.suite import load_suite
from worker.child import Child
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
