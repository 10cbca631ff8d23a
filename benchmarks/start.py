"""How long a job takes to start: in a fresh child of a worker, and in one that has trained a job already.

A real `bench worker` with one slot and a store, a broker and an image folder of its own, whose copy as arrays is there.
Each round starts a worker, waits until it is ready, submits a job, and once that is done a second one. The store's
records tell when each was submitted and claimed; the first step began when the first epoch was recorded, less the
epoch's seconds (a copy of the best weights is in between, some milliseconds). A fresh child imports PyTorch before it
claims anything, which only the seconds from the submission hold.

    python -m benchmarks.start --images 10000
"""

import argparse
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # its workers

from real_worker import stop, until, worker  # noqa: E402

from benchmarks.measures import Measure, add_save, conclude  # noqa: E402
from benchmarks.trainings import config_of, write_dataset  # noqa: E402
from db import open_store  # noqa: E402
from db.records import JobState  # noqa: E402
from scheduler.app import doorbells  # noqa: E402
from scheduler.broker import stop_broker  # noqa: E402
from scheduler.planning import make_plan  # noqa: E402
from scheduler.queue import ring, submit  # noqa: E402
from scheduler.settings import Settings  # noqa: E402
from scheduler.suite import load_suite  # noqa: E402
from worker.datasets import load_splits  # noqa: E402

FEWEST = 100
MOMENTS = """
SELECT jobs.created_at, attempts.started_at, epochs.recorded_at - epochs.train_s - epochs.eval_s
FROM jobs JOIN attempts ON attempts.job_id = jobs.id JOIN epochs ON epochs.attempt_id = attempts.id
WHERE jobs.seed = ? AND epochs.epoch = 1
"""


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the submission and from the claim to the first step."""

    submitted_s: float
    claimed_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000, help="to train on, a fifth of which validates")
    parser.add_argument("--rounds", type=int, default=3, help="workers, each with two jobs")
    add_save(parser)
    options = parser.parse_args()
    if options.images < FEWEST:
        parser.error(f"--images {options.images} is too few to split; give {FEWEST} or more")
    with tempfile.TemporaryDirectory(prefix="bench-start-") as folder:
        fresh, warm = started(Path(folder), options.images, options.rounds)
    measures = []
    for name, starts in (("fresh child", fresh), ("warm child", warm)):
        from_submission = tuple(start.submitted_s for start in starts)
        from_claim = tuple(start.claimed_s for start in starts)
        measures.append(Measure(what=f"{name}, submission to first step", unit="s", values=from_submission))
        measures.append(Measure(what=f"{name}, claim to first step", unit="s", values=from_claim))
    conclude("start", measures, save=options.save)


def started(folder: Path, images: int, rounds: int) -> tuple[list[Start], list[Start]]:
    """Of the first and of the second job of each worker."""
    settings = Settings(home=folder / "home", data_dir=folder / "data")
    settings.folder.mkdir()
    dataset = write_dataset(images, folder / "images")
    config = config_of("baseline", epochs=1).model_copy(update={"dataset": dataset})
    load_splits(config, data_dir=settings.data, cache_dir=settings.cache)
    open_store(settings.database, create=True).close()
    fresh, warm = [], []
    try:
        for turn in range(rounds):
            with ready_worker(settings):
                fresh.append(run_job(settings, dataset, seed=2 * turn))
                warm.append(run_job(settings, dataset, seed=2 * turn + 1))
    finally:
        stop_broker(settings)
    return fresh, warm


@contextmanager
def ready_worker(settings: Settings) -> Iterator[None]:
    """A worker whose child has loaded nothing yet."""
    log = settings.folder / "worker.log"
    log.unlink(missing_ok=True)
    with worker(settings.folder, **settings.environment()) as process:
        until(lambda: process.poll() is not None or "is ready" in log.read_text())
        assert process.poll() is None, log.read_text()
        yield
        stop(process)


def run_job(settings: Settings, dataset: str, *, seed: int) -> Start:
    """Submit one epoch of the baseline, and wait until it is done."""
    data_dir = settings.data
    with closing(open_store(settings.database)) as store:
        plan = make_plan(load_suite(), ["baseline"], [seed], data_dir=data_dir, dataset=dataset, epochs=1)
        (job,) = submit(store, plan).jobs
        ring(store, doorbells(settings))
        until(lambda: store.jobs([job.job_id])[0].state not in (JobState.QUEUED, JobState.RUNNING))
        assert store.jobs([job.job_id])[0].state is JobState.DONE, "the job failed"
    with closing(sqlite3.connect(settings.folder / "bench.db")) as records:
        ((submitted_at, claimed_at, first_step_at),) = records.execute(MOMENTS, [seed]).fetchall()
    return Start(first_step_at - submitted_at, first_step_at - claimed_at)


if __name__ == "__main__":
    main()
