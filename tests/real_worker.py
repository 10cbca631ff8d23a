"""Real workers for fault tests: started as a user starts them, never outliving their test."""

import atexit
import functools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from nursery import Forked, nursery
from sqlalchemy import select

from db.records import JobState, Weights
from db.tables import epochs, jobs
from scheduler.config import Config
from scheduler.planning import make_plan
from scheduler.queue import submit
from scheduler.settings import load_settings
from scheduler.suite import load_suite

ROOT = Path(__file__).parent.parent
POSTGRES_IN_THE_LONG_RUN = pytest.mark.parametrize(
    "here", ["sqlite", pytest.param("postgres", marks=pytest.mark.long)], indirect=True
)


@contextmanager
def worker(cwd, *, slots=1, drain=False, device="cpu", fresh=False, **variables) -> Iterator[subprocess.Popen | Forked]:
    """`bench worker` in a process group of its own; what it says goes into `cwd/worker.log`.

    `fresh`: in an interpreter of its own, as one with another PYTHONPATH has to be.
    """
    words = ["worker", "--slots", str(slots), "--device", device, *(["--drain"] if drain else [])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    give_digits(load_settings().cache)
    log = Path(cwd) / "worker.log"
    if fresh or "PYTHONPATH" in variables:
        started = _interpreter(words, cwd, environment, log)
    else:
        started = nursery().start(words, cwd=cwd, environment=environment, log=log)
    try:
        yield started
    finally:
        for child in children(started):
            child.kill()
        started.kill()
        started.wait()


def _interpreter(words, cwd, environment, log) -> subprocess.Popen:
    with log.open("ab") as into:
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *words],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=into,
            stderr=into,
            start_new_session=True,
        )


def give_digits(cache: Path) -> None:
    """The digits as an earlier worker of this machine would have left them: no worker has to import scikit-learn."""
    if not cache.exists():
        shutil.copytree(digits_cache(), cache)


@functools.cache
def digits_cache() -> Path:
    from worker.datasets import load_splits

    folder = Path(tempfile.mkdtemp(prefix="bench-digits-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    load_splits(Config(dataset="digits"), data_dir=folder / "data", cache_dir=folder / "cache")
    return folder / "cache"


def children(started) -> list[psutil.Process]:
    """The pool children, once they are there."""
    try:
        return psutil.Process(started.pid).children()
    except psutil.NoSuchProcess:
        return []


def until(condition, seconds=90.0):
    """What `condition` gives once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return found


def submit_digits(store, settings, *labels, seeds=(42,), epochs=8, priority=0, suite=None):
    """Jobs on the digits; gives their ids in the order of `labels`, seed by seed."""
    plan = make_plan(suite or load_suite(), labels, seeds, data_dir=settings.data, dataset="digits", epochs=epochs)
    return [job.job_id for job in submit(store, plan, priority=priority).jobs]


def submit_endless(store, settings, folder, *, seeds=(42,)):
    """Jobs that train for as long as a test takes; gives their ids."""
    path = folder / "endless.toml"
    lines = ["[suite]", 'name = "endless"', 'dataset = "digits"', "[variants.endless]", "early_stopping_patience = 0"]
    path.write_text("\n".join(lines))
    return submit_digits(store, settings, "endless", suite=load_suite(str(path)), seeds=seeds, epochs=1000)


def attempt_here(store, settings, *, stopping=lambda: False, card=""):
    """One attempt of the next job in this very process; gives the state that it leaves the job in.

    It trains on the CPU, also where a `card` is named, whose energy is then counted.
    """
    import torch

    from worker.attempt import Slot, run_attempt

    torch.set_num_threads(1)  # as a worker's slot: numbers are promised for one thread count
    claim = store.claim_next("alone", lease_s=3600)
    return run_attempt(store, claim, Slot(device="cpu", settings=settings, stopping=stopping, card=card))


def job(store, job_id=1):
    (found,) = store.jobs([job_id])
    return found


def running_at(store, epoch, job_id=1):
    found = job(store, job_id)
    return found.state is JobState.RUNNING and found.epoch >= epoch


def pid_of(store, job_id=1):
    """The process that runs a job."""
    return int(job(store, job_id).owner.rpartition("/")[2])


def place_of(store, job_id):
    with store._reading() as connection:
        return connection.execute(select(jobs.c.place).where(jobs.c.id == job_id)).scalar_one()


def outcomes(store, job_id=1):
    return [attempt.outcome for attempt in store.attempts([job_id])[job_id]]


def numbers(store, job_id=1):
    """All that is promised to be the same bit for bit: history but for its times, and probabilities."""
    fields = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate")
    rows = [[getattr(record, name) for name in fields] for record in store.histories([job_id])[job_id]]
    return rows, *(store.predictions(job_id, weights).probabilities.tobytes() for weights in Weights)


def first_attempts_rows(store):
    """All that the first attempt of a store wrote of its history, whether it counts or not."""
    with store._reading() as connection:
        wanted = select(epochs).where(epochs.c.attempt_id == 1).order_by(epochs.c.epoch)
        return [row._asdict() for row in connection.execute(wanted)]


def weights(store, job_id=1):
    """The last and the best weights of the checkpoint that was kept, as bytes by name."""
    from safetensors.torch import load_file

    (kept,) = store.artifacts([job_id])[job_id]
    tensors = load_file(kept.url.removeprefix("file://"))
    return {name: value.numpy().tobytes() for name, value in tensors.items() if name.startswith(("model.", "best."))}


def saved_at(settings):
    """The whole epochs that the newest checkpoint of the only job holds, and the steps after them; (0, 0): none."""
    for path in sorted((settings.folder / "artifacts" / "checkpoints").rglob("*.safetensors"), reverse=True):
        with suppress(FileNotFoundError), path.open("rb") as file:  # a job that runs has newer ones meanwhile
            # without torch: a test that loads it first would miss the moment that it waits for
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            progress = json.loads(json.loads(header["__metadata__"]["bench"])["state"])["progress"]
            return progress["epoch"], progress["step"]
    return 0, 0


def stop(started, *, with_signal=signal.SIGTERM, seconds=30):
    started.send_signal(with_signal)
    return started.wait(timeout=seconds)


@contextmanager
def writes_held(here):
    """Nobody else can write into the store's jobs meanwhile."""
    if here.database.startswith("sqlite"):
        connection = sqlite3.connect(here.folder / "bench.db", timeout=30, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
    else:
        import psycopg

        connection = psycopg.connect(here.database.replace("+psycopg", ""))
        connection.execute("LOCK TABLE jobs IN EXCLUSIVE MODE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def locked(path, *, for_s=0.5):
    """Whether somebody is in the middle of a write into this SQLite store, and stays there for so long."""
    with closing(sqlite3.connect(path, timeout=for_s, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        return False


def sabotaged(folder, code):
    """A PYTHONPATH under which Python runs this code before anything else, in one worker only."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(code)
    return os.pathsep.join([str(folder), str(ROOT)])
