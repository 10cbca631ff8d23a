"""A job that goes on from a checkpoint where its steps get other bits: it says so, and so does its result."""

import json

import pytest
import torch
from real_worker import attempt_here, job, numbers
from safetensors.torch import load as load_tensors
from safetensors.torch import save

from db.records import JobState
from worker.checkpoints import Checkpoints, _sum
from worker.environment import computes_on


@pytest.fixture
def elsewhere(monkeypatch):
    """Gives this machine another instruction set, in words alone: the numbers stay what they are."""
    return lambda: monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "SVE256")


def rewritten(here, change):
    """The same checkpoints, whole, with another state."""
    for path in (here.folder / "artifacts" / "checkpoints").rglob("*.safetensors"):
        head = Checkpoints(str(path.parent), key=path.parent.name)._read_head(str(path))
        state, tensors = json.loads(head["state"]), load_tensors(path.read_bytes())
        change(state)
        head["state"] = json.dumps(state)
        head["sum"] = _sum(tensors, head["state"])
        path.write_bytes(save(tensors, metadata={"bench": json.dumps(head)}))


def last(store):
    """What the last attempt said, and the environment of the result."""
    return store.attempts([1])[1][-1].message, store.results([1])[1].environment


def test_a_job_that_goes_on_with_other_instructions_says_so(here, interrupted, undisturbed, elsewhere):
    before = computes_on("cpu")
    elsewhere()
    assert attempt_here(interrupted, here) is JobState.DONE
    assert numbers(interrupted) == undisturbed("baseline", epochs=4)
    told = f"goes on from a checkpoint of {before} on {computes_on('cpu')}: its numbers are those of none of them alone"
    message, environment = last(interrupted)
    assert message == told
    assert told in (here.logs / "job-1-attempt-2.log").read_text()
    assert environment["trained_on"] == [before, computes_on("cpu")]


def test_a_job_that_goes_on_where_it_was_says_nothing(here, interrupted):
    assert attempt_here(interrupted, here) is JobState.DONE
    message, environment = last(interrupted)
    assert message == ""
    assert "trained_on" not in environment


def test_a_job_that_came_back_was_elsewhere_all_the_same(here, interrupted, monkeypatch):
    before = computes_on("cpu")
    with monkeypatch.context() as there:
        there.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "SVE256")
        between = computes_on("cpu")
        assert attempt_here(interrupted, here, stopping=lambda: job(interrupted).epoch >= 3) is JobState.QUEUED
    assert attempt_here(interrupted, here) is JobState.DONE
    message, environment = last(interrupted)
    assert message.startswith(f"goes on from a checkpoint of {before} and {between} on {before}: ")
    assert environment["trained_on"] == [before, between]


def test_a_job_of_which_no_step_was_computed_elsewhere_was_not_there(here, interrupted, monkeypatch):
    with monkeypatch.context() as there:
        there.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "SVE256")
        state = attempt_here(interrupted, here, stopping=lambda: interrupted.attempts([1])[1][-1].start_epoch)
        assert state is JobState.QUEUED
    assert attempt_here(interrupted, here) is JobState.DONE
    message, environment = last(interrupted)
    assert message == ""
    assert "trained_on" not in environment


def test_a_checkpoint_that_does_not_tell_where_it_was_made_is_gone_on_from(here, interrupted, undisturbed, elsewhere):
    rewritten(here, lambda state: state.pop("trained_on"))
    elsewhere()
    assert attempt_here(interrupted, here) is JobState.DONE
    assert numbers(interrupted) == undisturbed("baseline", epochs=4)
    message, environment = last(interrupted)
    assert message == ""
    assert "trained_on" not in environment
    assert interrupted.attempts([1])[1][1].start_epoch == 2


def test_a_checkpoint_that_tells_nonsense_of_it_is_passed_over(here, interrupted, undisturbed):
    rewritten(here, lambda state: state.update(trained_on=5))
    assert attempt_here(interrupted, here) is JobState.DONE
    assert numbers(interrupted) == undisturbed("baseline", epochs=4)
    assert "passed over: ValueError: it does not fit" in last(interrupted)[0]
