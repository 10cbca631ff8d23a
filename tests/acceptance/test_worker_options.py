"""What `worker`, `run` and `demo` are told of slots and graphs, up to where children would be made."""

import os
import signal
from contextlib import closing, nullcontext
from types import SimpleNamespace

import pytest

import bench
from db import open_store
from db.errors import BenchError
from worker.background import Background

FOUND = 3  # slots that this machine is said to have room for
AUTO = [[], ["--slots", "auto"]]
RUN = ["run", "--variant", "baseline", "--dataset", "digits", "--epochs", "1", "--device", "cpu"]


@pytest.fixture
def begun(typed, bench_home, monkeypatch):
    """Gives the slots that a worker with these words has registered, and what its children are made with."""
    asked = {}

    def child(**how):
        asked.update(how)
        raise BenchError("enough")

    monkeypatch.setattr("worker.main.auto_slots", lambda device: FOUND if device == "cpu" else 0)
    monkeypatch.setattr("worker.main.Child", child)
    monkeypatch.setattr("worker.main.load_torch", lambda: None)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGQUIT)}

    def call(*words):
        assert "enough" in typed("worker", "--device", "cpu", *words, code=1).err
        with closing(open_store(f"sqlite:///{bench_home / 'bench.db'}")) as store:
            (registered,) = store.workers(seen_within_s=60)
        assert registered.pid == os.getpid()
        return SimpleNamespace(slots=registered.slots, graph=asked["graph"])

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def started(bench_home, tmp_path, monkeypatch):
    """A list, to which a worker of `run` adds its words instead of beginning."""
    words = []

    def start(self):
        words.append(self._words)
        raise BenchError("enough")

    monkeypatch.setattr(Background, "_started", start)
    monkeypatch.setattr("scheduler.broker.closed_broker", lambda _: nullcontext())
    monkeypatch.chdir(tmp_path)
    return words


@pytest.mark.parametrize("words", AUTO, ids=" ".join)
def test_a_worker_that_is_given_no_number_registers_as_many_slots_as_the_machine_has_room_for(begun, words):
    assert begun(*words).slots == FOUND


def test_a_worker_that_is_given_a_number_registers_it(begun):
    assert begun("--slots", "2").slots == 2


@pytest.mark.parametrize("words", AUTO, ids=" ".join)
@pytest.mark.parametrize("command", [RUN, ["demo", "--device", "cpu"]], ids=["run", "demo"])
def test_a_run_that_is_given_no_number_leaves_it_to_its_worker(typed, started, command, words):
    typed(*command, *words, code=1)
    assert started == [["--device", "cpu"]]


def test_a_run_tells_its_worker_the_number(typed, started):
    typed(*RUN, "--slots", "2", code=1)
    assert started == [["--device", "cpu", "--slots", "2"]]


@pytest.mark.parametrize(("slots", "words"), [(None, []), ("auto", []), (2, ["--slots", "2"])])
def test_a_run_from_python_takes_the_same(started, slots, words):
    with pytest.raises(BenchError, match="enough"):
        bench.run(variants=["baseline"], dataset="digits", epochs=1, device="cpu", slots=slots)
    assert started == [["--device", "cpu", *words]]


@pytest.mark.parametrize(("words", "graph"), [([], True), (["--no-graph"], False)], ids=["as usual", "--no-graph"])
def test_a_worker_whose_steps_are_not_to_be_captured_tells_its_children(begun, words, graph):
    assert begun(*words).graph is graph


def test_a_run_whose_steps_are_not_to_be_captured_tells_its_worker(typed, started):
    typed(*RUN, "--no-graph", code=1)
    with pytest.raises(BenchError, match="enough"):
        bench.run(variants=["baseline"], dataset="digits", epochs=1, device="cpu", graph=False)
    assert started == [["--device", "cpu", "--no-graph"]] * 2
