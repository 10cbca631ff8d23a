"""Cards that their driver lists and on which nothing computes, as only these tests have them: they cost no job."""

import sys
import threading
import time

import pytest
from fake_nvml import CARDS, FakeNvml, on_cards
from real_worker import job, outcomes, place_of, sabotaged, submit_digits, until, worker

from db.errors import BenchError
from db.records import JobState
from scheduler.settings import load_settings
from worker.background import Background
from worker.child import Child
from worker.stopping import StopPipe

CARD, OTHER = CARDS
SAID = "CUDA error: unknown error"
QUICK = {"BENCH_LEASE_S": "1", "BENCH_HEARTBEAT_S": "0.1"}


@pytest.fixture
def child(here, monkeypatch):
    """A slot's child in this very process, on a card that says what `child.answers` gives in turn."""
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml({CARD: (9_000, 9_000)}))
    made = Child(settings=here, worker_id="alone", device="cpu", pipe=StopPipe(), place="here", card=CARD)
    answers = []
    monkeypatch.setattr("worker.child.cuda_error", lambda: answers.pop(0))
    yield made, answers
    if made.store:
        made.store.close()


def test_a_child_whose_card_fails_claims_nothing_and_the_job_runs_once_the_card_answers(
    store, here, child, monkeypatch, caplog
):
    submit_digits(store, here, "baseline", epochs=1)
    (child, answers), waited = child, []
    monkeypatch.setattr(child.pipe.stopping, "wait", waited.append)
    answers += [SAID, SAID, ""]
    for failed in (1, 2):
        with pytest.raises(SystemExit):
            child._work()
        assert (job(store).state, job(store).attempt) == (JobState.QUEUED, 0)
        assert child.looks.least() == failed
    assert waited == [here.lease_s] * 2
    said = [record for record in caplog.records if SAID in record.getMessage()]
    assert [(one.levelname, CARD in one.getMessage()) for one in said] == [("ERROR", True)] * 2
    child._work()
    assert outcomes(store) == ["done"]
    assert child.looks.least() == 0


def test_a_child_that_waits_for_its_card_stops_when_it_is_asked_to(store, here, child):
    submit_digits(store, here, "baseline", epochs=1)
    child, answers = child
    answers += [SAID]
    threading.Timer(0.2, child.pipe.stopping.set).start()
    began = time.monotonic()
    with pytest.raises(SystemExit):
        child._work()
    assert time.monotonic() - began < here.lease_s
    assert job(store).attempt == 0


def test_a_child_that_is_stopped_while_it_tries_its_card_claims_nothing_and_blames_no_neighbour(
    store, here, child, monkeypatch, caplog
):
    submit_digits(store, here, "baseline", epochs=1)
    child, _ = child
    monkeypatch.setattr("worker.child.cuda_error", lambda: child.pipe.stopping.set() or "")
    caplog.set_level("INFO")
    child._work()
    assert (job(store).attempt, child.pipe.stopping.is_set()) == (0, True)
    assert "jobs wait" not in caplog.text


def test_a_card_is_left_alone_while_there_is_nothing_to_claim(store, child):
    child, answers = child
    answers += [SAID]
    child._work()
    assert answers == [SAID]


def broken(card, while_there):
    """What makes this card fail for as long as a file is there."""
    return f"""
import pathlib
def cuda_error():
    failing = os.environ["CUDA_VISIBLE_DEVICES"] == {card!r} and pathlib.Path({str(while_there)!r}).exists()
    return {SAID!r} if failing else ""
worker.child.cuda_error = cuda_error
"""


@pytest.fixture
def stays(tmp_path):
    """A file: while it is there, the card is broken."""
    path = tmp_path / "broken"
    path.touch()
    return path


def looks(tmp_path):
    return (tmp_path / "worker.log").read_text().count(SAID)


def test_a_worker_with_a_broken_card_does_all_jobs_on_the_other(store, here, tmp_path, stays):
    jobs = submit_digits(store, here, "baseline", seeds=range(6), epochs=2)
    own = sabotaged(tmp_path / "own", on_cards(*CARDS) + broken(CARD, stays))
    began = time.monotonic()
    with worker(tmp_path, slots=2, drain=True, device="auto", PYTHONPATH=own) as only:
        assert only.wait(timeout=120) == 0
    assert [outcomes(store, one) for one in jobs] == [["done"]] * 6
    assert {place_of(store, one).rpartition(":")[2] for one in jobs} == {OTHER}
    assert 1 <= looks(tmp_path) <= 1 + (time.monotonic() - began) / here.lease_s


@pytest.mark.long
def test_a_card_that_comes_back_is_used_again_by_the_same_worker(store, here, tmp_path, stays):
    submit_digits(store, here, "baseline", epochs=1)
    own = sabotaged(tmp_path / "own", on_cards(CARD) + broken(CARD, stays))
    with worker(tmp_path, device="auto", PYTHONPATH=own, **QUICK) as only:
        until(lambda: looks(tmp_path) > 3)  # at which one that drains had ended
        assert (job(store).state, job(store).attempt) == (JobState.QUEUED, 0)
        stays.unlink()
        until(lambda: job(store).state is JobState.DONE)
        assert only.poll() is None
    assert outcomes(store) == ["done"]


def test_a_worker_that_drains_ends_with_1_when_none_of_its_cards_works(store, here, tmp_path, stays):
    jobs = submit_digits(store, here, "baseline", seeds=range(3), epochs=1)
    own = sabotaged(tmp_path / "own", on_cards(CARD) + broken(CARD, stays))
    with worker(tmp_path, slots=2, drain=True, device="auto", PYTHONPATH=own, **QUICK) as only:
        assert only.wait(timeout=120) == 1
    assert [(job(store, one).state, job(store, one).attempt) for one in jobs] == [(JobState.QUEUED, 0)] * 3
    assert "no card of this worker works" in (tmp_path / "worker.log").read_text()


@pytest.mark.long
def test_whoever_waits_for_a_worker_none_of_whose_cards_works_hears_of_it(store, here, tmp_path, stays, monkeypatch):
    submit_digits(store, here, "baseline", epochs=1)
    monkeypatch.setenv("PYTHONPATH", sabotaged(tmp_path / "own", on_cards(CARD) + broken(CARD, stays)))
    monkeypatch.chdir(tmp_path)
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    started = Background(load_settings(), slots=1)
    try:
        with pytest.raises(BenchError, match="exit code 1"):
            until(started.check)
    finally:
        started.stop()
    assert job(store).attempt == 0
