"""What a job held is gone before the next one of its slot begins."""

import gc
import weakref

import pytest
from real_worker import outcomes, submit_endless

from db.records import Cause
from worker import engine
from worker.child import Child
from worker.stopping import StopPipe


@pytest.fixture
def child(here):
    """A slot's child, in this very process."""
    made = Child(settings=here, worker_id="alone", device="cpu", pipe=StopPipe())
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
