"""How many slots a worker takes when nobody says, and which cards they use."""

import os
import sys
from types import SimpleNamespace

import psutil
import pytest
import torch
from fake_nvml import FakeNvml

from db.errors import ConfigError
from worker import devices
from worker.card_check import cuda_error
from worker.child import Child
from worker.host import Memory

A, B, C = "GPU-aaaa-1", "GPU-aabb-2", "GPU-cccc-3"
PART = "MIG-dddd-4"


@pytest.fixture
def machine(monkeypatch):
    """Sixteen real cores with two threads each, all of them free to use, and plenty of memory."""

    def is_like(*, usable=32, threads=32, cores=16, free_gib=100, quota=1e9):
        memory = Memory(total_mib=1024.0 * free_gib, free_mib=1024.0 * free_gib)
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(usable)), raising=False)
        monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: threads if logical else cores)
        monkeypatch.setattr(devices, "host_memory", lambda: memory)
        monkeypatch.setattr(devices, "cpu_quota", lambda: quota)

    return is_like


@pytest.mark.parametrize(
    ("case", "slots"),
    [
        ({}, 16),
        ({"cores": 32}, 32),
        ({"usable": 4}, 2),
        ({"usable": 1}, 1),
        ({"quota": 2.5}, 2),
        ({"quota": 0.5}, 1),
        ({"free_gib": 6.5}, 4),
        ({"free_gib": 0.2}, 1),
        ({"cores": None}, 32),
    ],
    ids=str,
)
def test_a_worker_takes_a_slot_for_each_real_core_that_it_may_use_and_has_memory_for(machine, case, slots):
    machine(**case)
    assert devices.auto_slots("cpu") == slots


@pytest.fixture
def nvml(monkeypatch):
    """A machine with three cards, all of them visible."""
    fake = FakeNvml(dict.fromkeys((A, B, C), (81_000, 80_000)))
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    yield fake
    assert fake.opened == 0


@pytest.mark.parametrize(
    ("visible", "cards"),
    [
        (None, [A, B, C]),
        ("", []),
        ("-1", []),
        ("2,0", [C, A]),
        (f"{B}, {A}", [B, A]),
        ("GPU-c,GPU-aab", [C, B]),
        (f"1,{A}", [B, A]),
        ("1,3,0", [B]),
        ("1,-1,0", [B]),
        ("GPU-c,GPU-aa,1", [C]),
        ("2,none,1", [C]),
        (f"0,{A}", []),
        (f"{PART},1", [PART, B]),
    ],
    ids=str,
)
def test_cards_are_named_by_uuid_and_are_those_that_cuda_would_see(nvml, monkeypatch, visible, cards):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.visible_cards() == cards
    assert devices.choose_device("auto") == ("cuda" if cards else "cpu")
    assert devices.auto_slots("cuda") == max(1, len(cards))


FIRST, THIRD = "MIG-eeee-5", "MIG-ffff-6"
DIVIDED = {A: {0: (FIRST, 9_984, 9_900), 2: (THIRD, 19_968, 5_000)}, B: None}  # its second part was taken away again


@pytest.mark.parametrize(
    ("visible", "cards"),
    [
        (None, [FIRST, THIRD, B, C]),
        ("1,0", [B, FIRST, THIRD]),
        ("GPU-aaa", [FIRST, THIRD]),
        (f"{THIRD},2", [THIRD, C]),
        (f"0,{FIRST}", []),
    ],
    ids=str,
)
def test_each_part_of_a_divided_card_is_a_card_with_a_slot_of_its_own(nvml, monkeypatch, visible, cards):
    nvml.parts = DIVIDED
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.visible_cards() == cards
    assert devices.auto_slots("cuda") == max(1, len(cards))


def test_a_divided_card_without_parts_is_none_and_hides_no_other(nvml, monkeypatch):
    nvml.parts = {A: {}}
    assert devices.visible_cards() == [B, C]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert devices.visible_cards() == [B]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert devices.choose_device("auto") == "cpu"


def test_a_part_tells_its_own_memory_and_no_energy(nvml):
    nvml.parts = DIVIDED
    assert devices.card_memory(THIRD) == (19_968, 5_000)
    child = Child(settings=None, worker_id="w", device="cuda", pipe=None, card=THIRD)
    assert child._memory() == {"room_mib": 18_944, "free_mib": 5_000}
    with devices.energy_counter(THIRD) as look:
        assert look() is None


@pytest.mark.parametrize(
    ("visible", "cards"), [(None, [A, C]), ("2,0", [C, A]), ("1,2", [C]), ("GPU-aab,0", [])], ids=str
)
def test_a_lost_card_is_left_out_and_the_others_keep_their_numbers(nvml, monkeypatch, caplog, visible, cards):
    nvml.lost = {B}
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.visible_cards() == cards
    assert "the card 1 does not answer, and is left out: GPU is lost" in caplog.text


def test_cards_that_do_not_answer_are_none(nvml, caplog):
    nvml.fails = True
    assert devices.visible_cards() == []
    assert "GPU is lost" in caplog.text
    with pytest.raises(ConfigError, match="no CUDA device"):
        devices.choose_device("cuda")


def test_a_card_tells_its_memory_or_that_it_does_not_know(nvml):
    nvml.cards[B] = (40_000, 1_500)
    assert devices.card_memory(B) == (40_000, 1_500)
    assert devices.card_memory("GPU-gone") is None


@pytest.mark.parametrize(
    ("card", "has_context", "said"),
    [
        (A, False, {"room_mib": 79_976, "free_mib": 80_000}),
        (A, True, {"room_mib": 79_976, "free_mib": 81_024}),
        (PART, False, {"room_mib": 0}),
        ("", False, {"room_mib": 0}),
    ],
    ids=["new child", "with a context", "does not answer", "gone since the worker looked"],
)
def test_a_child_says_how_much_its_card_has_for_jobs(nvml, monkeypatch, card, has_context, said):
    monkeypatch.setattr("worker.child._has_context", lambda: has_context)
    assert Child(settings=None, worker_id="w", device="cuda", pipe=None, card=card)._memory() == said


def test_on_a_cpu_a_child_says_what_its_host_has_and_that_its_own_memory_is_there_for_a_job(monkeypatch):
    monkeypatch.setattr("worker.child.host_memory", lambda: Memory(total_mib=8_192.0, free_mib=5_000.0))
    monkeypatch.setattr("worker.child.resident_mib", lambda pid=None: {None: 500.0, 17: 70.0}[pid])
    child = Child(settings=None, worker_id="w", device="cpu", pipe=None)
    told = child._memory()
    assert told.pop("held_mib")("w2/17") == 70.0
    assert told == {"room_mib": 7_168.0, "free_mib": 5_500.0}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError("CUDA error: unknown error\nCUDA kernel errors might be reported later"),
            "CUDA error: unknown error",
        ),
        (torch.cuda.DeferredCudaCallError("failed lazily"), "failed lazily"),
        (AssertionError(), "AssertionError"),
    ],
    ids=["driver", "start", "PyTorch for CPUs"],
)
def test_whatever_stops_cuda_is_said_in_a_line(monkeypatch, error, said):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(torch, "ones", fail)
    assert cuda_error() == said


@pytest.fixture
def started(monkeypatch):
    """Gives the place and the CUDA_VISIBLE_DEVICES of a slot's child, as it has them once it has started."""
    for name in ("set_pdeathsig", "set_threads", "keep_freed_memory", "be_killed_first"):
        monkeypatch.setattr(f"worker.child.{name}", lambda *_: None)
    monkeypatch.setattr("worker.child.signal", SimpleNamespace(signal=lambda *_: None, SIGHUP=1, SIG_IGN=1))
    monkeypatch.setattr("worker.child.socket", SimpleNamespace(gethostname=lambda: "here"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")

    def start(cards, index, device="cuda"):
        monkeypatch.setattr("worker.child.current_process", lambda: SimpleNamespace(index=index))
        pipe = SimpleNamespace(listen=lambda _: None)
        child = Child(settings=None, worker_id="w", device=device, pipe=pipe, cards=cards)
        child.start()
        return child.place, os.environ["CUDA_VISIBLE_DEVICES"]

    return start


def test_slots_are_spread_evenly_and_each_sees_only_its_card(started):
    pinned = [started((C, A), index) for index in range(5)]
    assert pinned == [(f"here/cuda:{card}", card) for card in (C, A, C, A, C)]


def test_a_single_card_is_pinned_too_so_that_two_workers_mean_the_same_place(started):
    assert started((B,), 0) == started((A, B), 1) == (f"here/cuda:{B}", B)


def test_on_a_cpu_nothing_is_pinned(started):
    assert started((), 3, device="cpu") == ("here/cpu", "2,0")
