"""`bench show`: all that a store knows of a job, for readers and for machines."""

import json
import re
from contextlib import closing

import four_jobs
import pytest
from command import ROOT, on_a_terminal

from db import open_store


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("show") / "home"
    four_jobs.make(folder)
    return folder


@pytest.fixture
def show(home, typed, monkeypatch):
    monkeypatch.setenv("BENCH_HOME", str(home))
    return lambda *words, code=0: typed("show", *words, code=code)


def documented():
    """The keys that docs/commands.md names for a job."""
    text = (ROOT / "docs" / "commands.md").read_text()
    tables = [
        re.search(r"(?:^    .*\n)+", text.partition(f"`bench {name} --json`")[2], re.MULTILINE)[0] for name in NAMES
    ]
    return " ".join(tables).split()


NAMES = ("status", "show")


def test_a_reader_sees_config_attempts_history_result_environment_and_files(show, home):
    said = show(1).out
    with closing(open_store(four_jobs.url(home))) as store:
        history, result = store.histories([1])[1], store.results([1])[1]
    for line in (
        r"state +done, epoch 5 of 50, stopped early",
        r"submissions +1 \(baseline\)",
        r"arguments\.hidden_units +128",
        r"      1  host:17:c0ffee/18  \d{4}-\d\d-\d\d [\d:]{8}  [\d: -]+  preempted",
        r"      2  host:17:c0ffee/18  .*  done       epoch 2",
        r"attempt 1: its worker was stopped",
        rf"val\. accuracy  [▁▂▃▄▅▆▇█]{{5}} .* {100 * history[-1].val_accuracy:.2f} %",
        rf"val\. loss      █[▁▂▃▄▅▆▇]{{4}} .* {history[-1].val_loss:.4f}",
        rf"best weights +4 +{100 * result.best.test_accuracy:.2f} % ",
        rf"last weights +5 +{100 * result.last.test_accuracy:.2f} % ",
        r"git\.revision +1{40}",
        r"packages\.torch +2\.14",
        r"checkpoint  2,048  abababababab  s3://bucket/",
    ):
        assert re.search(line, said), line
    assert max(map(len, said.splitlines())) <= 80


def test_a_failed_job_names_its_cause_and_the_way_to_its_log(show):
    said = show(3).out
    assert "state        failed (code), epoch 0 of 50\nmessage      ValueError: bad\n" in said
    assert "`bench logs 3` shows" in said
    assert "result" not in said


def test_a_job_that_waits_says_that_nothing_was_tried(show):
    assert "No attempt yet." in show("--state", "queued").out


def test_machines_get_a_schema_and_the_documented_keys_in_their_order(show, home):
    told = json.loads(show("--submission", "1", "--json").out)
    assert [*told] == ["schema", "jobs"]
    assert told["schema"] == 1
    assert [job["id"] for job in told["jobs"]] == [1, 2, 3, 4]
    first, _, failed, waits = told["jobs"]
    assert [*first] == [*failed] == documented()
    assert [one["outcome"] for one in first["attempts"]] == ["preempted", "done"]
    assert [one["epoch"] for one in first["history"]] == [1, 2, 3, 4, 5]
    assert first["environment"] == four_jobs.MACHINE
    assert first["artifacts"][0]["bytes"] == 2048
    assert failed["attempts"][0]["traceback"] == four_jobs.TRACEBACK
    assert (failed["result"], waits["attempts"], waits["history"]) == (None, [], [])
    with closing(open_store(four_jobs.url(home))) as store:
        assert first["result"]["best"]["test_accuracy"] == store.results([1])[1].best.test_accuracy


def test_several_jobs_stand_one_after_the_other_and_none_is_told(show):
    assert re.findall(r"^job +(\d)$", show("--variant", "baseline", "--variant", "both").out, re.MULTILINE) == [
        "1",
        "3",
    ]
    assert show("--where", "val_accuracy>0.99").err == "no job meets all of that; `bench status` lists them\n"
    assert json.loads(show("--where", "val_accuracy>0.99", "--json").out) == {"schema": 1, "jobs": []}
    assert show(code=2).err.splitlines()[0] == "error: say which jobs"


def test_a_page_fits_a_terminal_of_80_columns_and_a_dumb_one_has_no_colour(home, tmp_path):
    shown = on_a_terminal("show", "1", cwd=tmp_path, BENCH_HOME=str(home), NO_COLOR="1", TERM="dumb")
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "safetensors" in shown.replace("\n", "")
