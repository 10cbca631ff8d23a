"""`import bench` at work: real trainings, real stores, in this process and in scripts of their own."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress

import numpy as np
import psutil
import pytest
from command import ROOT
from filled_store import fill, filled

import bench
from db import open_store
from db.records import Weights
from scheduler.settings import load_settings

SMALL = {"variants": ["baseline"], "dataset": "digits", "epochs": 1}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Two seeds of two variants: three jobs done, one failed. BENCH_HOME names another place, which is empty."""
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "elsewhere"))
    folder = tmp_path / "filled"
    folder.mkdir()
    with filled(folder, seeds=(42, 43), only=("baseline", "dropout"), failed=(("dropout", 43),)):
        pass
    return folder


def script(text, cwd):
    """What a Python program says; in a process of its own, as a user runs it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done


def workers_of(home):
    found = []
    for process in psutil.process_iter():
        try:
            own = "worker" in process.cmdline() and process.environ().get("BENCH_HOME") == str(home)
            found += [process] if own else []
        except psutil.Error:
            continue
    return found


def test_the_code_of_the_page_runs_as_it_stands_and_leaves_nothing_running(bench_home, tmp_path):
    code = "\n".join(
        re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "python.md").read_text(), re.MULTILINE | re.DOTALL)
    )
    assert code.count("bench.") == 9
    said = script(code, tmp_path).stdout
    assert "0 queued, 0 running, 4 done, 0 failed, 0 cancelled" in said
    assert "compared/report.html" in said
    assert (tmp_path / "compared" / "report.html").exists()
    assert workers_of(bench_home) == []


def test_the_example_runs_and_finds_its_jobs_again(bench_home, tmp_path):
    example = (ROOT / "examples" / "compare_in_python.py").read_text()
    assert example.count("# %%") > 5
    call = f"import sys; sys.argv = ['compare', '1']; exec({example!r})"
    first, second = (script(call, tmp_path).stdout for _ in range(2))
    assert "4 done" in first
    assert first.partition("           count")[2] == second.partition("           count")[2] != ""


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ["--suite", "report", "--all"]),
        (
            {"variants": ["baseline", "width"], "seeds": 2, "epochs": 3},
            ["--suite", "report", *("--variant", "baseline", "--variant", "width"), "--seeds", "2", "--epochs", "3"],
        ),
        (
            {"suite": "my suite.toml", "seeds": [7, 8], "dataset": "digits"},
            ["--suite", "my suite.toml", "--all", "--seed", "7", "--seed", "8", "--dataset", "digits"],
        ),
    ],
    ids=["nothing", "numbers", "a file"],
)
def test_what_is_asked_from_python_is_kept_as_a_command_line_that_asks_for_the_same(given, words, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/mine/try it.py"])
    wanted = {"suite": "report", "variants": None, "seeds": None, **given}
    command = bench._command("submit", **wanted)
    assert shlex.split(command, comments=True) == ["bench", "submit", *words]
    assert command.endswith("  # from python '/mine/try it.py'")


def test_results_are_rows_with_values_and_frames_hold_the_same(home):
    rows, frame = bench.results(home=home), bench.results_frame(home=home)
    assert [(row["variant"], row["seed"], row["state"]) for row in rows][-1] == ("dropout", 43, "failed")
    assert rows[0]["config"]["model"] == "small_cnn"
    assert sum(map(sum, rows[0]["best_confusion"])) == len(bench.predictions(1, home=home).labels)
    assert [*frame.columns] == [*rows[0]]
    assert frame["best_test_accuracy"].tolist()[:3] == [row["best_test_accuracy"] for row in rows[:3]]
    assert frame["best_test_accuracy"].isna().tolist() == [False, False, False, True]
    assert str(frame["created_at"].dtype).endswith("UTC]")
    history = bench.history_frame(home=home)
    assert len(history) == len(bench.history(home=home)) == sum(row["epochs_trained"] or 0 for row in rows)


def test_without_pandas_a_frame_names_what_mends_it_and_the_rows_that_need_none(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(bench.ConfigError, match="pandas") as refused:
        bench.history_frame(home=home)
    assert "pip install 'bench[frames]'" in refused.value.fix
    assert "bench.history()" in refused.value.fix
    assert bench.history(home=home)


def test_jobs_are_selected_by_the_grammar_of_the_commands(home):
    assert [job.id for job in bench.jobs(home=home, states=["failed"])] == [4]
    assert [job.seed for job in bench.jobs(home=home, variants=["baseline"], where=["seed>42"])] == [43]
    assert len(bench.jobs([1, 2], submission=1, home=home)) == 2
    with pytest.raises(bench.NotFoundError, match="no job 9"):
        bench.jobs([9], home=home)
    with pytest.raises(bench.ConfigError, match="states is a list") as refused:
        bench.jobs(states="failed", home=home)
    assert refused.value.fix == "write states=['failed']"


def test_predictions_are_those_of_the_weights_that_were_asked_for(home):
    with closing(open_store(f"sqlite:///{home / 'bench.db'}")) as store:
        last = store.predictions(2, Weights.LAST)
    job = bench.jobs([2], home=home)[0]
    assert np.array_equal(bench.predictions(job, weights="last", home=home).probabilities, last.probabilities)
    assert not np.array_equal(bench.predictions(2, home=home).probabilities, last.probabilities)
    with pytest.raises(bench.ConfigError, match="best or last, not 'first'"):
        bench.predictions(2, weights="first", home=home)
    with pytest.raises(bench.NotFoundError, match="job 4 has no predictions"):
        bench.predictions(4, home=home)


def test_a_submission_remembers_its_store_and_a_second_one_adds_nothing(bench_home, tmp_path, monkeypatch):
    first = bench.submit(**SMALL, seeds=[7, 9])
    try:
        monkeypatch.setenv("BENCH_HOME", str(tmp_path / "other"))
        monkeypatch.chdir("/")
        assert [job.new for job in first.jobs] == [True, True]
        assert [job.seed for job in bench.status(first).jobs] == [7, 9]
        again = bench.submit(**SMALL, seeds=[7, 9], home=bench_home)
        assert [job.new for job in again.jobs] == [False, False]
        with pytest.raises(bench.NoStoreError):
            bench.status()
        assert bench.cancel(submission=first) == [1, 2]
        assert bench.status(first).ended
        assert bench.retry([2], home=bench_home) == [2]
        assert bench.status(first).counts["queued"] == 1
        with pytest.raises(bench.TimeLimitError, match="1 queued, 0 running"):
            bench.wait(first, timeout_s=0.1)
        with pytest.raises(bench.ConfigError, match="say which jobs"):
            bench.cancel(home=bench_home)
        with pytest.raises(bench.ConfigError, match="say which jobs"):
            bench.retry(home=bench_home)
    finally:
        monkeypatch.setenv("BENCH_HOME", str(bench_home))


def test_a_wait_hands_each_status_to_whoever_asks_and_prints_nothing_itself(home, capsys):
    with closing(open_store(f"sqlite:///{home / 'bench.db'}")) as store:
        fill(store, seeds=(44,), only=("baseline",), waiting=("baseline",))
    seen = []

    def tell(status):
        seen.append(str(status))
        bench.cancel(states=["queued", "running"], home=home)
        with closing(open_store(f"sqlite:///{home / 'bench.db'}")) as store, store._writing() as connection:
            connection.exec_driver_sql("UPDATE jobs SET lease_until = 1 WHERE state = 'running'")

    assert bench.wait(home=home, progress=tell).ended
    assert (seen[0], seen[-1]) == (
        "0 queued, 1 running, 3 done, 1 failed, 0 cancelled",
        "0 queued, 0 running, 3 done, 1 failed, 1 cancelled",
    )
    assert capsys.readouterr() == ("", "")


def test_wrong_words_are_refused_before_anything_is_written(bench_home, tmp_path):
    for wrong, what in [
        ({"variants": ["none"]}, "none"),
        ({"variants": "baseline"}, "variants is a list"),
        ({"seeds": 0}, "seeds"),
        ({"suite": "no.toml"}, "no.toml"),
        ({"dataset": "nothing"}, "nothing"),
    ]:
        with pytest.raises(bench.BenchError, match=re.escape(what)):
            bench.submit(**wrong)
    for wrong, what in [
        ({"device": "tpu"}, "tpu"),
        ({"out": "/proc/none"}, "cannot write"),
        ({"precision": "tf32"}, "tf32"),
        ({"slots": 0}, "--slots must be 1 to 1024 or auto, not 0"),
    ]:
        with pytest.raises(bench.ConfigError, match=what):
            bench.run(**SMALL | {"device": "cpu"} | wrong)
    assert not bench_home.exists()


def test_the_report_is_written_where_it_is_asked_for(home, tmp_path):
    page = bench.write_report(tmp_path / "out", home=home)
    assert page == tmp_path / "out" / "report.html"
    assert "baseline" in page.read_text()
    with pytest.raises(bench.NotFoundError, match="no submission 5"):
        bench.write_report(tmp_path / "more", submission=5, home=home)


def test_calls_leave_signals_umask_and_files_of_the_process_as_they_were(home, tmp_path):
    def state():
        umask = os.umask(0o022)
        os.umask(umask)
        handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        return handlers, umask, sorted(one.path for one in psutil.Process().open_files() if "bench.db" in one.path)

    before = state()
    bench.status(home=home)
    bench.results(home=home)
    bench.submit(**SMALL, home=tmp_path / "new", broker_url="")
    try:
        assert state() == before
        assert (tmp_path / "new" / "bench.db").stat().st_mode & 0o077 == 0
    finally:
        from scheduler.broker import stop_broker

        stop_broker(load_settings(home=tmp_path / "new"))


def test_an_interrupt_of_a_run_stops_its_worker_and_the_same_call_goes_on(bench_home, tmp_path):
    call = "import bench; bench.run(variants=['baseline'], dataset='digits', epochs=40, slots=1, out='out')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BENCH_CHECKPOINT_S": "1"}
    run = subprocess.Popen(
        [sys.executable, "-c", call], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and run.poll() is None:
            time.sleep(0.3)
            with suppress(bench.NoStoreError):
                if any(job.epoch for job in bench.jobs()):
                    break
        run.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in run.communicate(timeout=60)[1]
    finally:
        run.kill()
        run.wait()
    assert workers_of(bench_home) == []
    (job,) = bench.jobs()
    assert (job.state, job.epoch > 0) == ("queued", True)
    done = bench.run(**SMALL | {"epochs": 40}, slots=1, out=tmp_path / "out")
    assert (done.status.counts["done"], done.report.exists()) == (1, True)
    (job,) = bench.jobs()
    assert job.attempt == 2
