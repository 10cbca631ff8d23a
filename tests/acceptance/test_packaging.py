"""A wheel, installed without the repository in sight, works whole: suites, migrations, templates, broker."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from scheduler.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("bench", "cli", "db", "models", "report", "scheduler", "worker")
NOT_CODE = {".toml", ".mako", ".j2", ".html", ".css", ".js", ".json", ".typed"}
Bench = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("bench-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    _pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


@pytest.fixture
def bench(installed: Path, tmp_path: Path, bench_home: Path) -> Bench:
    """`bench …` from the installed wheel, in an empty folder."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        done = _run([sys.executable, "-m", "cli", *arguments], cwd=elsewhere, PYTHONPATH=str(installed))
        assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
        return done

    return call


def test_the_wheel_holds_the_rooms_with_all_their_files_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    kept = {path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in NOT_CODE | {".py"}}
    assert packed == {str(path.relative_to(ROOT)) for path in kept}


def test_every_room_comes_from_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    probe = f"import importlib; print(*(importlib.import_module(room).__file__ for room in {ROOMS!r}), sep='\\n')"
    done = _run([sys.executable, "-c", probe], cwd=tmp_path, PYTHONPATH=str(installed))
    assert done.stdout.split() == [str(installed / room / "__init__.py") for room in ROOMS]


def test_the_installed_wheel_has_the_console_script_and_the_licence(installed: Path) -> None:
    (metadata,) = installed.glob("bench-*.dist-info")
    assert "bench = cli.main:main" in (metadata / "entry_points.txt").read_text()
    assert list(metadata.rglob("LICENSE"))


def test_the_installed_wheel_helps_and_plans_the_built_in_suite(bench: Bench) -> None:
    assert "submit" in bench("--help").stdout
    jobs = json.loads(bench("plan", "--all", "--dataset", "digits", "--json").stdout)["jobs"]
    assert len(jobs) == 12
    assert len({job["key"] for job in jobs}) == 12


@pytest.mark.long
def test_the_installed_wheel_trains_and_reports_and_leaves_nothing_running(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "report"
    bench("run", "--variant", "baseline", "--dataset", "digits", "--epochs", "1", "--out", str(out))
    assert "baseline" in (out / "report.html").read_text()
    assert _left_of(tmp_path) == []


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_installed_wheel_runs_the_whole_demo_and_leaves_nothing_running(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere" / "bench-demo"
    socket = load_settings(home=folder / "home").socket
    try:
        done = bench("demo")
        assert not socket.exists()
    finally:
        if not socket.is_relative_to(folder):  # pytest's folders have long names
            shutil.rmtree(socket.parent, ignore_errors=True)
    report = json.loads((folder / "report" / "report.json").read_text())
    assert report["counts"] == {"queued": 0, "running": 0, "done": 12, "failed": 0, "cancelled": 0}
    assert report["dataset"] == "digits"
    assert report["overrides"] == {"dataset": "digits", "epochs": 1}
    assert f"Report: {folder.relative_to(tmp_path / 'elsewhere') / 'report' / 'report.html'}" in done.stdout
    assert _left_of(tmp_path) == []


def _left_of(folder: Path) -> list[str]:
    """Sockets below the folder, and processes that know of it."""
    sockets = [str(path) for path in folder.rglob("*") if path.is_socket()]
    users = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = [*process.cmdline(), process.environ().get("BENCH_HOME", ""), process.cwd()]
            if process.pid != os.getpid() and any(str(folder) in word for word in words):
                users.append(f"{process.pid} {words}")
    return sockets + users


@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("demo", ".venv/bin/bench demo"),
        ("test", '.venv/bin/python -m pytest -m "not long" --numprocesses 3 --dist loadfile --no-loadscope-reorder'),
    ],
)
def test_make_calls_the_command_that_the_readme_names(target: str, command: str) -> None:
    # not as a part of the make that runs the tests
    done = _run(["make", "-n", "--no-print-directory", target, "VENV=.venv"], cwd=ROOT, MAKEFLAGS="", MAKELEVEL="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == command
    assert f"    make {target} " in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    ("broken", "called"), [("", ["check", "test"]), ("check", ["check"]), ("test", ["check", "test"])]
)
def test_ci_runs_make_check_and_make_test_and_fails_with_them(tmp_path: Path, broken: str, called: list[str]) -> None:
    calls = tmp_path / "calls"
    for name, line in (("make", f'echo "$1" >>{calls}; [ "$1" != "{broken}" ]'), ("docker-compose", "exit 1")):
        tool = tmp_path / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f"#!/bin/sh\n{line}\n")
        tool.chmod(0o755)
    done = _run(["bash", str(ROOT / ".ci" / "run")], cwd=tmp_path, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert calls.read_text().split() == called
    assert (done.returncode == 0) is (not broken)


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = _run(command, cwd=ROOT.parent)
    assert done.returncode == 0, done.stderr


def _run(command: list[str], *, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1500,  # pytest's own limit is shorter, but for the long tests
    )
