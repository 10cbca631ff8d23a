"""`bench doctor`: what is in order, what is not and what mends it, without a change and without a secret."""

import json
import os
import shutil
import sqlite3
import sys
import threading
import time
from contextlib import closing
from types import SimpleNamespace

import pytest
from clock import Clock
from command import bench
from fake_nvml import FakeNvml
from records import new_job, submission

from db import _places, open_store
from scheduler.settings import load_settings
from worker import doctor
from worker.card_check import CARD_FIX
from worker.doctor import examine

MARKER = "marker0zq"
AWAY = {
    "BENCH_DATABASE_URL": f"postgresql+psycopg://bench:{MARKER}@127.0.0.1:1/bench?sslpassword={MARKER}",
    "BENCH_BROKER_URL": f"redis://bench:{MARKER}@127.0.0.1:1/0",
    "BENCH_ARTIFACTS_URL": f"ftp://key:{MARKER}@127.0.0.1:1/runs?token={MARKER}",
}
CHECKS = ["versions", "device", "settings", "home", "data", "artifacts", "store", "clock", "broker"]


def snapshot(folder):
    return {path: (path.stat().st_mtime_ns, path.is_dir() or path.read_bytes()) for path in folder.rglob("*")}


def found_of(check):
    return [(one.level, one.fix) for one in examine(load_settings) if one.check == check]


@pytest.fixture
def home(bench_home):
    """One with an empty store."""
    open_store(f"sqlite:///{bench_home / 'bench.db'}", create=True).close()
    return bench_home


def test_a_new_machine_is_in_order_and_nothing_is_made_there(bench_home, tmp_path):
    done = bench("doctor", cwd=tmp_path)
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["ok", check] for check in CHECKS]
    assert [*tmp_path.iterdir()] == []


def test_looking_changes_nothing_in_a_home_that_is_there(home, tmp_path):
    before = snapshot(home)
    found = json.loads(bench("doctor", "--json", cwd=tmp_path).stdout)
    assert [(one["check"], one["level"]) for one in found["checks"]] == [(check, "ok") for check in CHECKS]
    assert snapshot(home) == before


def test_each_server_that_is_away_is_an_error_with_its_mend_and_without_its_password(bench_home, tmp_path):
    done = bench("doctor", cwd=tmp_path, code=1, **AWAY)
    for check in ("artifacts", "store", "broker"):
        assert f"\nerror    {check}" in done.stdout
    assert done.stdout.count("fix: ") == 4  # the clock has nothing to compare with
    assert "ok       home" in done.stdout
    assert MARKER not in done.stdout + done.stderr


def test_a_setting_that_is_wrong_leaves_the_checks_of_the_machine(bench_home, tmp_path):
    done = bench("doctor", "--json", cwd=tmp_path, code=1, BENCH_LEASE_S=MARKER)
    checks = json.loads(done.stdout)["checks"]
    assert [one["check"] for one in checks] == ["versions", "device", "settings"]
    assert "BENCH_LEASE_S" in checks[-1]["message"]
    assert MARKER not in done.stdout


def test_a_check_that_breaks_or_hangs_stops_no_other(home, monkeypatch):
    over = threading.Event()

    def broken(settings):
        raise RuntimeError(f"at {settings.artifacts}")

    monkeypatch.setenv("BENCH_ARTIFACTS_URL", f"file://key:{MARKER}@nowhere/x")
    monkeypatch.setattr(doctor, "_PATIENCE_S", 0.3)
    checks = (("one", broken), ("two", lambda settings: iter([over.wait()])), ("home", doctor._home))
    monkeypatch.setattr(doctor, "_CHECKS", checks)
    found = {one.check: one for one in examine(load_settings)}
    over.set()
    assert [found[name].level for name in ("one", "two", "home")] == ["error", "error", "ok"]
    assert "RuntimeError" in found["one"].message
    assert MARKER not in found["one"].message
    assert "no answer" in found["two"].message


def test_a_store_of_another_schema_or_on_a_network_disk_is_an_error(home, monkeypatch):
    with closing(sqlite3.connect(home / "bench.db")) as store:
        store.execute("UPDATE alembic_version SET version_num = '0001'")
        store.commit()
    assert found_of("store") == [("error", "run `bench db upgrade`")]
    monkeypatch.setattr(_places, "_mounts", lambda: [("/", "nfs4")])
    ((level, fix),) = found_of("store")
    assert (level, "Postgres" in fix) == ("error", True)
    assert [level for level, _ in found_of("home")] == ["ok", "warning"]


@pytest.mark.parametrize(("free_mib", "level"), [(50, "error"), (1000, "warning"), (3000, "ok")])
def test_a_disk_that_is_nearly_full_is_told(home, monkeypatch, free_mib, level):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free_mib * 2**20))
    assert {check: found_of(check)[0][0] for check in ("home", "data", "artifacts")} == dict.fromkeys(
        ("home", "data", "artifacts"), level
    )


def test_a_folder_that_is_a_file_or_not_ours_is_told(home, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BENCH_ARTIFACTS_URL", f"file://{tmp_path}/file/below")
    assert found_of("artifacts") == [("error", "set BENCH_ARTIFACTS_URL to a folder of yours")]
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert [found_of(check)[0][0] for check in ("home", "data")] == ["error", "warning"]


def test_a_database_whose_clock_goes_wrong_is_told(home, monkeypatch):
    clock = Clock()
    clock.now = time.time() + 100
    monkeypatch.setattr(doctor, "open_store", lambda url: open_store(url, clock=clock.sql))
    ((level, fix),) = found_of("clock")
    assert (level, "NTP" in fix) == ("warning", True)


def test_cards_that_this_pytorch_cannot_use_are_an_error(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml({"GPU-a": (80_000, 70_000)}))
    monkeypatch.setattr(doctor, "_cuda_of_torch", lambda: None)
    ((level, fix),) = found_of("device")
    assert (level, "for CUDA" in fix) == ("error", True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert found_of("device") == [("ok", "")]


def test_a_card_on_which_nothing_computes_is_an_error(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(dict.fromkeys(("GPU-a", "GPU-b"), (80_000, 70_000))))
    monkeypatch.setattr(doctor, "_cuda_of_torch", lambda: "13.0")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr(doctor, "cuda_error", lambda index: "CUDA error: unknown error" if index == 1 else "")
    assert found_of("device") == [("ok", ""), ("ok", ""), ("error", CARD_FIX)]


def test_a_card_in_mig_mode_without_instances_is_said_to_be_none(home, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml({"GPU-a": (80_000, 70_000)}, parts={"GPU-a": {}}))
    (said,) = [one for one in examine(load_settings) if one.check == "device"]
    assert (said.level, "MIG mode without instances" in said.message) == ("ok", True)


def test_jobs_that_no_worker_takes_and_variables_that_are_no_settings_are_warnings(home, monkeypatch):
    with closing(open_store(f"sqlite:///{home / 'bench.db'}")) as store:
        store.submit(submission(), [new_job(1)])
    monkeypatch.setenv("BENCH_LEASE", "60")
    assert found_of("store") == [("ok", ""), ("warning", "start `bench worker`")]
    assert found_of("settings")[0][0] == "warning"
