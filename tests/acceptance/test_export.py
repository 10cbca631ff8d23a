"""`bench export`: every row that the store holds, as another program reads it."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, replace

import pytest
from command import ROOT
from filled_store import fill, filled
from records import EPOCH

from cli.main import main
from db import open_store
from db.records import Cause, Weights
from report.export import COLUMNS, WHAT, exported
from report.pairs import compare
from report.scope import read_scope
from report.write import every_table
from scheduler.config import whole

LABELS = ("baseline", "dropout", "batchnorm")
RENAMED = {
    "epochs": "epochs_trained",
    "fingerprint": "data_fingerprint",
}  # a job has an `epochs` and a `fingerprint` of its own


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two seeds of three variants, one job of them failed after an epoch; and a second submission of the first two."""
    folder = tmp_path_factory.mktemp("home")
    with filled(folder, seeds=(42, 43), only=LABELS, failed=(("dropout", 43),)) as store:
        (failed,) = [job.id for job in store.jobs() if job.state == "failed"]
        store.retry([failed])
        claim = store.claim_next("maker", lease_s=3600)
        store.start_attempt(claim)
        store.record_epoch(claim, replace(EPOCH, epoch=1, train_loss=float("inf")))
        store.fail(claim, Cause.CODE, 'said "no", and\nleft')
        fill(store, seeds=(42,), only=LABELS[:2], scope="another")
    return folder


@pytest.fixture
def store(home):
    opened = open_store(f"sqlite:///{home / 'bench.db'}")
    yield opened
    opened.close()


@pytest.fixture
def export(home, capsys, monkeypatch):
    """What it says on stdout, in this process: statistics take seconds to load."""

    def call(*words, code=0):
        monkeypatch.setenv("BENCH_HOME", str(home))
        monkeypatch.setattr(sys, "argv", ["bench", "export", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert (ended.value.code or 0) == code, said
        return said

    return call


@pytest.fixture
def rows(export):
    """By CSV, each a dict of texts; after a look whether JSON says the same."""

    def call(what, *words):
        found = [*csv.DictReader(io.StringIO(export("--what", what, *words).out))]
        told = json.loads(export("--what", what, "--format", "json", *words).out)
        assert (told["schema"], told["what"]) == (1, what)
        assert [*found[0]] == told["columns"]
        for by_csv, by_json in zip(found, told["rows"], strict=True):
            assert all(same(by_csv[name], value) for name, value in by_json.items())
        return found

    return call


def same(text, value):
    """Whether a cell of CSV says what JSON says; an infinite number is none there."""
    if value is None:
        return text in ("", "inf")
    if isinstance(value, bool):
        return text == str(value).lower()
    return text == value if isinstance(value, str) else float(text) == value


def test_jobs_are_all_there_with_their_results(rows, store):
    found = rows("jobs")
    jobs = store.jobs()
    results = store.results(job.id for job in jobs)
    assert [int(row["job"]) for row in found] == [job.id for job in jobs]
    for row, job in zip(found, jobs, strict=True):
        assert json.loads(row["config"]) == whole(job.config)
        assert (row["variant"], row["state"], row["message"]) == (job.label, job.state, job.message)
        done = results.get(job.id)
        assert row["best_test_accuracy"] == (repr(done.best.test_accuracy) if done else "")
        assert row["last_val_loss"] == (repr(done.last.val_loss) if done else "")
        assert row["data_fingerprint"] == (done.fingerprint if done else "")
        assert not done or json.loads(row["best_confusion"]) == [list(line) for line in done.best.confusion]


def test_every_field_of_a_result_has_a_column(tmp_path):
    with filled(tmp_path, seeds=(42,), only=("baseline",), device="cuda") as store:
        result = asdict(store.results([1])[1])
        found = exported(store, "jobs")
        (row,) = found.rows
    told = dict(zip([column.name for column in found.columns], row, strict=True))
    scores = {f"{weights}_{name}": value for weights in Weights for name, value in result.pop(weights).items()}
    for name, value in (scores | {RENAMED.get(name, name): value for name, value in result.items()}).items():
        assert value is not None
        assert told[name] == (json.dumps(value, sort_keys=True) if isinstance(value, dict | tuple) else value)


def test_every_epoch_of_every_attempt_is_there_and_says_whether_it_counts(rows, store):
    found = rows("epochs")
    ids = [job.id for job in store.jobs()]
    histories = store.histories(ids)
    assert len(found) == len(store.recorded_epochs(ids)) == sum(map(len, histories.values()))
    places = [(int(row["job"]), int(row["attempt"]), int(row["epoch"])) for row in found]
    assert places == sorted(places)
    for job_id, history in histories.items():
        mine = [row for row in found if int(row["job"]) == job_id and row["counted"] == "true"]
        assert [float(row["val_loss"]) for row in mine] == [record.val_loss for record in history]


def test_predictions_have_a_row_for_each_test_image_and_kind_of_weights(rows, store):
    found = rows("predictions")
    done = [job.id for job in store.jobs() if job.state == "done"]
    seen = {(job_id, weights): store.predictions(job_id, weights) for job_id in done for weights in Weights}
    assert len(found) == sum(len(one.labels) for one in seen.values())
    for (job_id, weights), one in seen.items():
        mine = [row for row in found if (int(row["job"]), row["weights"]) == (job_id, weights)]
        assert [int(row["image"]) for row in mine] == [*range(len(one.labels))]
        assert [int(row["label"]) for row in mine] == one.labels.tolist()
        assert [int(row["predicted"]) for row in mine] == one.probabilities.argmax(1).tolist()
        assert [float(row["probability_7"]) for row in mine] == one.probabilities[:, 7].tolist()
    assert (found[0]["label_name"], found[0]["probability_19"] != "") == ("apple", True)


def test_the_tables_of_the_report_are_there_value_by_value(rows, store):
    found = rows("report", "--submission", "1")
    scope = read_scope(store, 1)
    tables = every_table(scope, compare(scope))
    values = [(table.name, name, value) for table in tables for row in table.values for name, value in row.items()]
    assert [(row["table"], row["column"]) for row in found] == [(table, name) for table, name, _ in values]
    assert [row["number"] or row["text"] for row in found] == [as_text(value) for *_, value in values]


def as_text(value):
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool | list | tuple | dict) else str(value)


def test_a_submission_narrows_the_rows(export, rows):
    assert [row["job"] for row in rows("jobs", "--submission", "2")] == ["1", "2"]
    assert {row["job"] for row in rows("epochs", "--submission", "2")} == {"1", "2"}
    assert "no submission 9" in export("--submission", "9", code=2).err


def test_a_file_is_written_whole_or_left_as_it_was(export, tmp_path):
    out = tmp_path / "jobs.csv"
    assert export("--out", str(out)).out == ""
    assert out.read_text() == export().out
    out.write_text("before")
    assert "no submission" in export("--submission", "9", "--out", str(out), code=2).err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("jobs.csv", "before")]
    assert "cannot write" in export("--out", str(tmp_path / "none" / "x"), code=2).err


def test_a_reader_that_has_heard_enough_is_no_error(home):
    line = f"{sys.executable} -m cli export --what predictions | head -1"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BENCH_HOME": str(home)}
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], env=environment, capture_output=True, check=True)
    assert (done.stdout.startswith(b"job,variant"), done.stderr) == (True, b"")


@pytest.mark.parametrize("words", [["--what", "logs"], ["--format", "xml"]], ids=" ".join)
def test_a_word_that_is_not_known_is_answered_with_those_that_are(export, words):
    assert "must be one of" in export(*words, code=2).err


@pytest.mark.parametrize("what", WHAT)
def test_every_column_is_documented_in_its_order(what):
    part = (ROOT / "docs" / "export.md").read_text().partition(f"\n## {what}\n")[2].partition("\n## ")[0]
    named = [
        name for cell in re.findall(r"^\| (`.+?`) \|", part, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    ]
    assert [name for name in named if name != "probability_K"] == [column.name for column in COLUMNS[what]]
    assert ("probability_K" in named) == (what == "predictions")


def test_a_parquet_file_without_pyarrow_names_the_line_that_installs_it(export, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as where it is not installed
    done = export("--format", "parquet", "--out", str(tmp_path / "x"), code=2)
    assert "pip install 'bench[parquet]'" in done.err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("what", WHAT)
def test_a_parquet_file_holds_the_same_rows(export, tmp_path, what):
    from pyarrow import parquet

    out = tmp_path / "rows.parquet"
    export("--what", what, "--format", "parquet", "--out", str(out))
    read = parquet.read_table(out).to_pylist()
    by_csv = [*csv.DictReader(io.StringIO(export("--what", what).out))]
    assert [[*row] for row in read] == [[*row] for row in by_csv]
    texts = [name for name, value in read[0].items() if isinstance(value, str)]
    assert [[row[name] or "" for name in texts] for row in read] == [[row[name] for name in texts] for row in by_csv]
    assert dict(parquet.read_schema(out).metadata)[b"bench_schema"] == b"1"
