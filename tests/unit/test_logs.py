"""Log lines: one format for all, with the ids of the attempt that they are about, and no passwords."""

import json
import logging
import re
import stat
import threading
import time
from pathlib import Path

import pytest

from db.records import Claim
from scheduler.settings import load_settings
from worker.logs import JsonLines, TextLines, _in_our_words, add_line, attempt_file, attempt_log, ids

log = logging.getLogger("worker.somewhere")

CLAIM = Claim(
    submission_id=3,
    job_id=1,
    attempt=2,
    attempt_id=7,
    owner="host:1:a/2",
    key="k",
    label="baseline",
    seed=42,
    config={},
    fingerprint=None,
    timeout_s=None,
)
HEAD = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def record(message, *arguments, **extra):
    return log.makeRecord(log.name, logging.WARNING, __file__, 1, message, arguments, None, extra=extra or None)


def test_a_text_line_has_moment_level_and_ids_before_its_words():
    line = TextLines().format(record("epoch %d: done", 4, **ids(CLAIM)))
    assert re.fullmatch(rf"{HEAD} WARNING submission=3 job=1 attempt=2 epoch 4: done", line)


@pytest.fixture
def far_from_utc(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_from_utc")
def test_moments_are_utc():
    made = record("now")
    made.created = 1_795_503_026.9
    assert TextLines().format(made) == "2026-11-24T06:50:26Z WARNING now"
    assert json.loads(JsonLines().format(made))["at"] == "2026-11-24T06:50:26Z"


def test_a_json_line_is_one_object_with_the_same_facts():
    line = JsonLines().format(record("two\nlines", **ids(CLAIM)))
    assert "\n" not in line
    found = json.loads(line)
    assert re.fullmatch(HEAD, found.pop("at"))
    about = {"submission": 3, "job": 1, "attempt": 2}
    assert found == about | {"level": "WARNING", "logger": "worker.somewhere", "message": "two\nlines"}


def test_further_lines_of_a_record_cannot_be_taken_for_records():
    line = TextLines().format(record("a network called x\n2026-11-24T06:50:26Z INFO job=9 attempt=1 done"))
    assert [part[:4] for part in line.splitlines()[1:]] == ["    "]


@pytest.mark.parametrize("kind", [TextLines, JsonLines])
def test_no_password_of_a_url_is_shown_not_even_in_a_traceback(kind):
    try:
        raise ConnectionError("cannot reach redis://:hunter2@broker:6379/0 nor amqps://me:hunter2@there//")
    except ConnectionError as error:
        trace = (type(error), error, error.__traceback__)
    made = record("postgresql+psycopg://bench:hunter2@db/bench is away")
    made.exc_info = trace
    line = kind().format(made)
    assert "hunter2" not in line
    assert all(words in line for words in ("bench:***@db", "redis://:***@broker", "amqps://me:***@there"))
    assert "ConnectionError" in line


@pytest.mark.parametrize("kind", ["text", "json"])
def test_an_attempt_has_a_private_file_with_all_that_its_threads_say_and_nothing_else(tmp_path, kind):
    path = tmp_path / "logs" / "a.log"
    log.warning("before")
    with attempt_log(path, CLAIM, kind):
        log.info("from the loop")
        beside = threading.Thread(target=log.warning, args=["from the heartbeat"])
        beside.start()
        beside.join()
        log.debug("too fine")
    log.warning("after")
    lines = path.read_text().splitlines()
    assert [line.count("from the") for line in lines] == [1, 1]
    about = ['"submission": 3, "job": 1, "attempt": 2'] if kind == "json" else [" submission=3 job=1 attempt=2 "]
    assert all(words in line for line in lines for words in about)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_attempt_whose_file_cannot_be_made_goes_on_and_says_so(tmp_path, caplog):
    (tmp_path / "logs").write_text("a file where the folder should be")
    with attempt_log(tmp_path / "logs" / "a.log", CLAIM, "text"):
        log.warning("training")
    assert ["no log file" in text for text in caplog.messages] == [True, False]


def test_a_full_disk_costs_lines_of_the_file_only(caplog, capsys):
    with attempt_log(Path("/dev/full"), CLAIM, "text"):
        log.warning("training")
    assert caplog.messages == ["training"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", ["text", "json"])
def test_a_parent_writes_the_last_line_of_an_attempt_whose_process_cannot(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("BENCH_LOG_FORMAT", kind)
    settings = load_settings(home=tmp_path)
    with attempt_log(attempt_file(settings, CLAIM), CLAIM, kind):
        log.info("epoch 1")
    add_line(settings, CLAIM, "its process is gone")
    first, last = attempt_file(settings, CLAIM).read_text().splitlines()
    assert "epoch 1" in first
    assert "its process is gone" in last
    assert ("job=1 attempt=2" if kind == "text" else '"job": 1, "attempt": 2') in last


def test_celery_says_that_the_broker_is_away_in_our_words():
    consumer = logging.getLogger("celery.worker.consumer.consumer")
    words = ("redis://h:**@1:1/0", OSError("refused."), "Trying again in 2.00 seconds... (1/None)\n")
    made = consumer.makeRecord(
        consumer.name, logging.ERROR, "", 0, "\nconsumer: Cannot connect to %s: %s.\n%s\n", words, None
    )
    assert _in_our_words(made)
    assert made.getMessage() == "the broker does not answer: refused; Trying again in 2.00 seconds... (1/None)"
