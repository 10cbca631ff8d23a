"""What stands between a training and a store that is away: the outbox for history, the heartbeat for the lease."""

import threading
import time
from dataclasses import replace

import pytest

from db.errors import LostError, NoStoreError, SchemaError, StoreError
from db.records import Beat, Claim
from scheduler.outage import through_outages
from worker.attempt import Interruptions
from worker.heartbeat import Heartbeat
from worker.outbox import Outbox

CLAIM = Claim(
    job_id=1, attempt=1, attempt_id=1, owner="w/1", key="k", label="a", seed=42, config={}, fingerprint=None,
    timeout_s=None, submission_id=1,
)  # fmt: skip


class Answers:
    """A store whose heartbeat gives or raises these, one after the other; the last one for ever."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def heartbeat(self, claim, *, lease_s):
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_only_the_stores_word_ends_an_attempt():
    store = Answers(StoreError("away"), StoreError("away"), Beat(owned=True), Beat(owned=False))
    with Heartbeat(store, CLAIM, lease_s=1, every_s=0.01) as beat:
        until(lambda: store.asked >= 2)
        assert not beat.lost.is_set()
        until(beat.lost.is_set)
    assert store.asked == 4


def test_the_heartbeat_knows_how_many_trainings_share_the_device():
    store = Answers(Beat(owned=True, trainings=3), Beat(owned=False))
    beat = Heartbeat(store, replace(CLAIM, trainings=2), lease_s=1, every_s=0.01)
    assert beat.trainings == 2
    with beat:
        assert beat.lost.wait(5)
    assert beat.trainings == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_heartbeat_thread_that_died_is_started_again_by_the_loop():
    store = Answers(ZeroDivisionError("a bug"), Beat(owned=True, cancel_requested=True))
    with Heartbeat(store, CLAIM, lease_s=1, every_s=0.01) as beat:
        until(lambda: store.asked == 1 and not beating())
        assert not beat.cancelled.is_set()
        Interruptions(beat=beat, stopping=lambda: False, timeout_s=None, since=0.0).any()  # before every step
        until(beat.cancelled.is_set)


def beating():
    return [thread for thread in threading.enumerate() if thread.name.startswith("heartbeat-")]


def test_history_of_an_outage_is_written_in_its_order():
    written, away = [], [True]

    def write(number):
        def now():
            if away[0]:
                raise StoreError("away")
            written.append(number)

        return now

    outbox = Outbox(every_s=0.01)
    for number in (1, 2, 3):
        outbox.add(write(number))
    assert written == []
    away[0] = False
    outbox.add(write(4))
    assert written == [1, 2, 3, 4]


def test_a_job_that_is_no_longer_ours_ends_the_waiting():
    def lost():
        raise LostError("another attempt")

    with pytest.raises(LostError):
        Outbox(every_s=0.01).insist(lost)


def test_a_worker_that_has_to_stop_waits_no_longer_for_a_store_that_is_away():
    asked = []

    def away():
        asked.append(1)
        raise StoreError("away")

    with pytest.raises(StoreError):
        Outbox(every_s=0.01, stopping=lambda: len(asked) >= 3).insist(away)
    assert len(asked) == 3


def raises_then(answer, *errors):
    waiting = list(errors)

    def ask():
        if waiting:
            raise waiting.pop(0)
        return answer

    return ask


def test_a_store_of_another_schema_is_not_waited_for():
    outbox = Outbox(every_s=60)
    with pytest.raises(SchemaError):
        outbox.insist(raises_then(None, SchemaError("newer")))


def test_a_command_that_watches_waits_for_the_store_and_says_so_once():
    told = []
    away = StoreError("no answer", fix="start it")
    assert through_outages(raises_then(7, away, away), tell=told.append, every_s=0.001) == 7
    assert told == ["no answer; waiting for it, training goes on (start it)"]


@pytest.mark.parametrize("error", [NoStoreError("gone"), SchemaError("newer")])
def test_a_command_that_watches_does_not_wait_for_what_never_comes(error):
    with pytest.raises(type(error)):
        through_outages(raises_then(7, error), tell=print, every_s=60)
