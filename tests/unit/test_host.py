"""What a process may use of its host: the least of all the limits that hold for it."""

import os
import subprocess
from types import SimpleNamespace

import psutil
import pytest

from worker import host

GIB = 2**30


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes files of control groups, below a folder that stands for theirs; of a host with 64 GiB, 60 of them free."""

    def write(group, **files):
        folder = tmp_path / group
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("_", ".")).write_text(f"{text}\n")

    monkeypatch.setattr(host, "_GROUPS", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=64 * GIB, available=60 * GIB))
    return write


@pytest.fixture
def service(tmp_path, monkeypatch):
    """This process is one of a service's, as systemd runs it."""
    own = tmp_path / "own_groups"
    own.write_text("1:name=systemd:/other\n0::/system.slice/bench.service\n")
    monkeypatch.setattr(host, "_OWN", own)


def test_without_limits_all_of_the_host_may_be_used(groups):
    groups(".", cpu_max="max 100000", memory_max="max")
    assert host.host_memory() == (64 * 1024, 60 * 1024)
    assert host.cpu_quota() == float("inf")


def test_a_container_has_no_more_than_its_limits(groups):
    groups(".", cpu_max="150000 100000", memory_max=8 * GIB, memory_current=3 * GIB, memory_stat="anon 5\nfile 9")
    assert host.host_memory() == (8 * 1024, 5 * 1024)
    assert host.cpu_quota() == 1.5


def test_pages_of_files_are_free(groups):
    statistics = f"inactive_anon 1\ninactive_file {2 * GIB}\nactive_file {GIB}"
    groups(".", memory_max=8 * GIB, memory_current=7 * GIB, memory_stat=statistics)
    assert host.host_memory() == (8 * 1024, 4 * 1024)


def test_a_group_that_holds_more_than_its_limit_leaves_nothing(groups):
    groups(".", memory_max=GIB, memory_current=2 * GIB, memory_stat="")
    assert host.host_memory() == (1024, 0)


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    ("own", "everywhere", "number"),
    [
        ("low 3\noom 5\noom_kill 2", "oom_kill 9", 2),
        (None, "nr_free_pages 7\noom_kill 9", 9),
        (None, "nr 7", 0),
        (None, None, 0),
    ],
    ids=["the own service", "no control groups", "not counted", "another system"],
)
def test_kills_for_want_of_memory_are_counted_where_the_own_ones_are_told_apart(
    groups, tmp_path, monkeypatch, own, everywhere, number
):
    monkeypatch.setattr(host, "_EVERYWHERE", tmp_path / "vmstat")
    if own is not None:
        groups("system.slice/bench.service", memory_events=own)
    if everywhere is not None:
        (tmp_path / "vmstat").write_text(everywhere)
    assert host.memory_kills() == number


def test_what_a_process_holds_is_told_and_is_nothing_for_one_that_is_gone():
    assert 20 < host.resident_mib() < 10_000
    assert host.resident_mib(os.getpid()) == pytest.approx(host.resident_mib(), rel=0.1)
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert host.resident_mib(gone.pid) == 0.0


@pytest.mark.usefixtures("service")
def test_limits_of_the_own_service_and_of_all_groups_above_it_hold(groups):
    groups("system.slice/bench.service", memory_max=8 * GIB, memory_current=GIB, memory_stat="", cpu_max="max 100000")
    groups("system.slice", memory_max=16 * GIB, memory_current=12 * GIB, memory_stat="", cpu_max="300000 100000")
    groups("other", memory_max=GIB, memory_current=GIB, memory_stat="", cpu_max="1000 100000")
    assert host.host_memory() == (8 * 1024, 4 * 1024)
    assert host.cpu_quota() == 3.0
