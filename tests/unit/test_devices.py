"""How many slots a worker takes when nobody says."""

import os
from types import SimpleNamespace

import psutil
import pytest

from worker import devices

GIB = 2**30


@pytest.fixture
def machine(monkeypatch):
    """Sixteen real cores with two threads each, all of them free to use, and plenty of memory."""

    def is_like(*, usable=32, threads=32, cores=16, free_gib=100, quota=1e9):
        memory = SimpleNamespace(available=int(free_gib * GIB))
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(usable)), raising=False)
        monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: threads if logical else cores)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
        monkeypatch.setattr(devices, "_cpu_quota", lambda: quota)

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


def test_a_container_without_a_limit_has_none(monkeypatch):
    monkeypatch.setattr(devices.Path, "read_text", lambda self: "max 100000\n")
    assert devices._cpu_quota() > 1e6
    monkeypatch.setattr(devices.Path, "read_text", lambda self: "150000 100000\n")
    assert devices._cpu_quota() == 1.5
