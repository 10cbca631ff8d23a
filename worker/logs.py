"""Log lines: one format for bench's own and for Celery's, each with the submission, job and attempt that it is about.

`2026-11-24T06:50:26Z INFO submission=3 job=1 attempt=2 epoch 4: ...`, or one JSON object a line.
"""

import json
import logging
import os
import re
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, cast

from db.records import Claim

if TYPE_CHECKING:
    from scheduler.settings import Settings

log = logging.getLogger(__name__)

_OWN = ("cli", "db", "models", "scheduler", "worker")
_PASSWORD = re.compile(r"(?P<before>\w://[^\s:/@]*:)[^\s/@]+(?=@)")


class Ids(TypedDict):
    """What a line is about."""

    submission: int | None
    job: int
    attempt: int


_current: Ids | None = None  # of this process: threads that serve an attempt, its heartbeat say, log for it too


def ids(claim: Claim) -> dict[str, Ids]:
    """For `extra=` of a line about an attempt that is not this process's own."""
    return {"ids": Ids(submission=claim.submission_id, job=claim.job_id, attempt=claim.attempt)}


class TextLines(logging.Formatter):
    """key=value. Every further line of a record is indented: none can be taken for a record of its own."""

    def format(self, record: logging.LogRecord) -> str:
        about = [f"{name}={value}" for name, value in _about(record).items() if value is not None]
        text = without_passwords(super().format(record)).replace("\n", "\n    ").rstrip()
        return " ".join([_moment(record), record.levelname, *about, text])


class JsonLines(logging.Formatter):
    """`at`, `level`, `logger`, the ids where there are any, `message`, and `traceback` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"at": _moment(record), "level": record.levelname, "logger": record.name, **_about(record)}
        line["message"] = without_passwords(record.getMessage())
        if record.exc_info:
            line["traceback"] = without_passwords(self.formatException(record.exc_info))
        return json.dumps(line)


FORMATS: dict[Literal["text", "json"], type[logging.Formatter]] = {"text": TextLines, "json": JsonLines}


_STOPPING = (
    "stopping: each job saves a checkpoint and waits again, `bench worker` goes on with it; "
    "a second signal ends them at once"
)


def start_logging(settings: "Settings") -> None:
    """All that this process and its children say goes to stderr in the one format; Celery configures nothing.

    bench's own lines from `log_level` up, those of libraries from WARNING up unless it is DEBUG.
    """
    from celery import signals
    from celery.apps import worker as celery_worker
    from celery.utils.log import get_multiprocessing_logger

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FORMATS[settings.log_format]())
    handler.setLevel(settings.log_level)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if settings.log_level == "DEBUG" else logging.WARNING)
    for room in _OWN:
        logging.getLogger(room).setLevel(settings.log_level)
    logging.captureWarnings(True)
    # it is about pickled messages, which bench never reads
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    # it is about a setting that make_app sets on purpose
    warnings.filterwarnings("ignore", message="\\s*In Celery 5.1 we introduced an optional breaking change")
    handler.addFilter(_in_our_words)

    def on_setup(**_: object) -> None:
        get_multiprocessing_logger().propagate = True  # the pool's own, which Celery would give a handler of its own

    signals.setup_logging.connect(on_setup, weak=False)  # with somebody connected Celery leaves all handlers alone

    def say(words: str, *_: object) -> None:
        # Celery would announce that a second signal waits for tasks; here it ends them
        words = _STOPPING if "again" in words else words
        # from a signal's handler, which may have interrupted a handler of logging: no lock, no buffer
        record = log.makeRecord("celery", logging.INFO, "", 0, words, (), None)
        with suppress(OSError):
            if handler.level <= logging.INFO:
                os.write(sys.stderr.fileno(), f"{FORMATS[settings.log_format]().format(record)}\n".encode())

    celery_worker.safe_say = say  # "Warm shutdown", which Celery would write to stdout


def _in_our_words(record: logging.LogRecord) -> bool:
    """What Celery says of a broker that is away, and of a child that was killed, which the keeper tells of as well."""
    if record.name == "celery.worker.consumer.consumer" and "Cannot connect" in str(record.msg):
        _, error, then = cast("tuple[object, object, str]", record.args)
        record.msg, record.args = "the broker does not answer: %s; %s", (str(error).rstrip("."), then.strip())
    lost = record.exc_info and record.exc_info[0] is not None and record.exc_info[0].__name__ == "WorkerLostError"
    return not lost


@contextmanager
def attempt_log(path: Path, claim: Claim, kind: Literal["text", "json"]) -> Iterator[None]:
    """Inside, every line of this process is about the attempt, and goes into its file too, from INFO up.

    A file that cannot be written costs no training.
    """
    global _current
    loggers = {logger: logger.level for logger in map(logging.getLogger, _OWN)}
    for logger in loggers:
        logger.setLevel(min(logger.getEffectiveLevel(), logging.INFO))
    _current = ids(claim)["ids"]
    root = logging.getLogger()
    handler = _file(path, kind)
    root.addHandler(handler)
    try:
        yield
    finally:
        _current = None
        for logger, level in loggers.items():
            logger.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def attempt_file(settings: "Settings", claim: Claim) -> Path:
    """Where the attempt logs to."""
    return settings.logs / f"job-{claim.job_id}-attempt-{claim.attempt}.log"


def add_line(settings: "Settings", claim: Claim, words: str) -> None:
    """The last line of an attempt whose own process cannot write it any more."""
    handler = _file(attempt_file(settings, claim), settings.log_format)
    handler.handle(log.makeRecord(log.name, logging.WARNING, "", 0, "%s", (words,), None, extra=ids(claim)))
    handler.close()


class _File(logging.FileHandler):
    """On a full disk lines are missing here only: each is on stderr as well."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 # logging's own name
        pass  # the default would add a traceback to each line

    def close(self) -> None:
        with suppress(OSError):  # what waits in the buffer is tried once more
            super().close()


def _file(path: Path, kind: Literal["text", "json"]) -> logging.Handler:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        handler = _File(path, encoding="utf-8")
    except OSError as error:
        log.warning("this attempt has no log file: %s", error)
        return logging.NullHandler()
    handler.setFormatter(FORMATS[kind]())
    handler.setLevel(logging.INFO)
    return handler


def _about(record: logging.LogRecord) -> Ids | dict[str, int]:
    about: Ids | None = getattr(record, "ids", _current)
    return about or {}


def _moment(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))


def without_passwords(text: str) -> str:
    """Without the passwords of URLs: a library's error may quote one."""
    return _PASSWORD.sub(r"\g<before>***", text)
