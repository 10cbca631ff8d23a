"""A password that only the user's URLs hold is found nowhere else: no output, log, file, report or process list."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from servers import valkey_server

ROOT = Path(__file__).resolve().parents[2]
MARKER = "marker0zq"
AWAY = {
    "BENCH_DATABASE_URL": f"postgresql+psycopg://bench:{MARKER}@127.0.0.1:1/bench?sslpassword={MARKER}",
    "BENCH_BROKER_URL": f"redis://bench:{MARKER}@127.0.0.1:1/0",
    "BENCH_ARTIFACTS_URL": f"ftp://key:{MARKER}@127.0.0.1:1/runs?token={MARKER}",
}
ONE = ["--variant", "baseline", "--dataset", "digits", "--epochs", "1"]


@pytest.fixture(scope="module")
def broker():
    """A broker that wants the marker as password; its URL."""
    with valkey_server(password=MARKER) as url:
        yield f"{url}/0"


def start(*words, cwd, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BENCH_LOG_LEVEL": "DEBUG", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def bench(*words, cwd, **environment):
    """Exit code and all that was said."""
    started = start(*words, cwd=cwd, **environment)
    said, _ = started.communicate(timeout=120)
    assert MARKER not in said
    return started.returncode, said


def files_with_the_marker(folder):
    return [path for path in folder.rglob("*") if path.is_file() and MARKER.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["plan", *ONE],
        ["submit", *ONE],
        ["run", *ONE],
        ["worker"],
        ["report"],
        ["retry", "--failed"],
        ["cancel", "--all"],
        ["doctor"],
        ["export"],
        ["gc", "--yes"],
        ["metrics"],
        ["db", "check"],
        ["db", "upgrade"],
        ["db", "backup", "copy.db"],
    ],
    ids=" ".join,
)
def test_a_store_that_is_away_is_named_without_its_password(bench_home, tmp_path, words):
    code, said = bench(*words, cwd=tmp_path, BENCH_DEBUG="1" if words == ["status"] else "", **AWAY)
    assert "127.0.0.1" in said or words[:2] == ["db", "backup"]
    assert code != 0
    assert files_with_the_marker(tmp_path) == []


@pytest.mark.parametrize("words", [["submit", *ONE], ["run", *ONE], ["worker"]], ids=lambda words: words[0])
@pytest.mark.parametrize("wrong", [False, True], ids=["away", "another password"])
def test_a_broker_that_is_away_or_refuses_is_named_without_its_password(bench_home, tmp_path, broker, words, wrong):
    url = broker.replace(MARKER, f"{MARKER}wrong") if wrong else AWAY["BENCH_BROKER_URL"]
    code, said = bench(*words, cwd=tmp_path, BENCH_BROKER_URL=url)
    log = bench_home / "logs" / "worker.log"  # where the worker of `run` says it
    assert code == 3  # of `run` too: it ends as its worker did
    assert "does not answer" in (log.read_text() if log.exists() else said)
    assert files_with_the_marker(tmp_path) == []


@pytest.mark.long
def test_a_whole_run_shows_a_password_in_no_log_file_report_or_process_list(bench_home, tmp_path, broker):
    bench_home.mkdir()
    own = bench_home / "bench.toml"
    own.write_text(f'artifacts_url = "{AWAY["BENCH_ARTIFACTS_URL"]}"\nbroker_url = "{broker}"\n')
    run = start("run", *ONE, cwd=tmp_path)
    processes = {}
    while run.poll() is None:
        for process in [run.pid, *psutil.Process(run.pid).children(recursive=True)]:
            with_arguments = process if isinstance(process, psutil.Process) else psutil.Process(process)
            try:
                processes[with_arguments.pid] = " ".join(with_arguments.cmdline())
            except psutil.Error:
                continue
        time.sleep(0.1)
    said = run.communicate()[0]
    assert run.returncode == 1
    assert len(processes) >= 3  # bench, its worker, the worker's child
    assert MARKER not in said + "".join(processes.values())
    code, said = bench("status", "--json", cwd=tmp_path)
    assert (code, "127.0.0.1" in said or "refused" in said) == (0, True)
    assert bench("report", cwd=tmp_path)[0] == 0
    assert bench("metrics", cwd=tmp_path)[0] == 0
    assert (tmp_path / "report" / "report.html").is_file()
    assert (bench_home / "logs" / "job-1-attempt-1.log").is_file()
    assert files_with_the_marker(tmp_path) == [own]
