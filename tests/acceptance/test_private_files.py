"""Everything in BENCH_HOME is for its user only, whatever the umask; a report is as open as the user's other files."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from db.errors import BrokerError
from scheduler.broker import ensure_broker, is_up
from scheduler.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = {
    "bench.db",
    "bench.db-wal",
    "bench.db-shm",
    "broker",
    "valkey.sock",
    "appendonlydir",
    "appendonly.aof.1.incr.aof",
    "broker.lock",
    "logs",
    "worker.log",
    "job-1-attempt-1.log",
    "cache",
    "artifacts",
    "checkpoints",
}


def entries(folder):
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            try:
                yield name, Path(parent, name), Path(parent, name).lstat().st_mode
            except FileNotFoundError:
                continue  # a partial file that has its name by now


@pytest.mark.long
def test_nothing_in_the_home_is_open_to_others_and_the_report_is(bench_home, tmp_path):
    bench_home.mkdir(mode=0o755)  # one that the user made: each file has to be private by itself
    bench_home.chmod(0o755)
    words = ["run", "--variant", "both", "--dataset", "digits", "--epochs", "2", "--slots", "1"]
    run = subprocess.Popen(
        [sys.executable, "-m", "cli", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BENCH_CHECKPOINT_S": "0", "BENCH_KEEP_CHECKPOINTS": "true"},
        umask=0o022,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seen, open_to_others = set(), {}
    while run.poll() is None:
        for name, path, mode in entries(bench_home):
            seen.add(name)
            if mode & 0o077:
                open_to_others[path] = stat.filemode(mode)
        time.sleep(0.05)
    assert run.returncode == 0
    assert seen >= EXPECTED
    assert any(name.endswith(".safetensors") for name in seen)
    assert any(name.endswith(".npz") for name in seen)
    assert open_to_others == {}
    modes = {path.name: mode & 0o777 for _, path, mode in entries(tmp_path / "report")}
    assert modes["report.html"] == 0o644
    assert modes["tables"] == 0o755


@pytest.fixture
def far_home(tmp_path, monkeypatch):
    """A home with a path too long for a socket, and the short folder that its socket goes to."""
    monkeypatch.setattr("scheduler.settings._SHORT", tmp_path)
    settings = load_settings(home=tmp_path / ("long" * 30))
    assert settings.socket.parent.parent == tmp_path
    return settings


def test_a_socket_folder_that_others_may_write_to_is_refused(far_home):
    far_home.socket.parent.mkdir()
    far_home.socket.parent.chmod(0o777)
    with pytest.raises(BrokerError, match="others may write"):
        ensure_broker(far_home)
    far_home.socket.touch()
    with pytest.raises(BrokerError, match="others may write"):
        is_up(far_home)
