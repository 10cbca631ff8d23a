"""However many jobs wait, the broker holds a bounded number of doorbells, and every job is rung for in the end."""

from dataclasses import replace

from records import new_job, submission

from db.records import JobState
from scheduler.queue import Doorbells, look_around, reconcile, ring

JOB = new_job(0)


class Bells:
    """A broker that keeps what is sent, and whose messages a test takes away."""

    def __init__(self, *, tells_depth=True):
        self.waiting = []
        self.bells = Doorbells(send=self.waiting.extend, depth=lambda: len(self.waiting) if tells_depth else None)


def add(store, number):
    store.submit(submission(), [replace(JOB, key=f"{seed:016}", seed=seed) for seed in range(number)])


def test_a_command_rings_for_the_first_jobs_only_and_workers_ring_for_the_rest(store):
    add(store, 1500)
    broker = Bells()
    assert ring(store, broker.bells) == len(broker.waiting) < 500
    assert store.unpublished(limit=1) == [len(broker.waiting) + 1]
    rung = len(broker.waiting)
    look_around(store, broker.bells, actor="status")
    assert len(broker.waiting) == rung
    reconcile(store, broker.bells)
    assert len(broker.waiting) == 1000
    reconcile(store, broker.bells)
    assert len(broker.waiting) == 1000
    del broker.waiting[:600]
    reconcile(store, broker.bells)
    assert store.unpublished() == []
    assert set(range(601, 1501)) <= set(broker.waiting)


def test_a_broker_that_cannot_tell_how_much_waits_gets_each_doorbell_once(store):
    add(store, 450)
    broker = Bells(tells_depth=False)
    for _ in range(4):
        reconcile(store, broker.bells)
    assert sorted(broker.waiting) == [job.id for job in store.jobs()]


def test_lost_messages_are_sent_again_for_jobs_that_can_be_claimed(store):
    add(store, 3)
    broker = Bells()
    ring(store, broker.bells)
    broker.waiting.clear()
    store.claim_next("w", lease_s=60)
    reconcile(store, broker.bells)
    assert sorted(broker.waiting) == [job.id for job in store.jobs() if job.state is JobState.QUEUED]
