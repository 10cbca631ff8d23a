"""How long the queue takes: submitting 10,000 jobs, claiming and finishing jobs without work, and Celery by itself.

Jobs are claimed and finished by one process and by eight, on SQLite and on a Postgres of its own; Celery's worker, with
as many processes, runs a task that does nothing, from the kind of broker that bench starts. All in one run, so that
whatever else the machine does meets all of them; seconds of a core hold on a machine that others use too. Postgres and
the broker keep to memory, SQLite writes to the disk.

    python -m benchmarks.queue --jobs 1000
"""

import argparse
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, perf_counter, process_time
from typing import Any

import psutil
import redis
from celery import Celery

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # its records and servers

from records import new_job, result, submission  # noqa: E402
from servers import postgres_database, postgres_server, valkey_server  # noqa: E402

from db import open_store  # noqa: E402

SUITE = '[suite]\nname = "load"\ndataset = "digits"\n[variants.one]\nmodel = "small_cnn"\nepochs = 1\n'
PROCESSES = 8
plain = Celery("plain", broker=os.environ.get("PLAIN_BROKER", "memory://"))
plain.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=1, accept_content=["json"])
plain.conf.update(worker_send_task_events=False, worker_hijack_root_logger=False)


@plain.task(name="nothing")
def nothing(_job: int) -> None:
    """What a plain queue would run."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`median_ms` of one claim with its finish; for each job `wall_ms` until all were done, and `cpu_ms` of a core."""

    median_ms: float
    wall_ms: float
    cpu_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000, help="to claim and finish, and tasks for Celery")
    parser.add_argument("--submit", type=int, default=10_000, help="jobs of one `bench submit`")
    asked = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="bench-queue-") as name:
        folder = Path(name)
        wall_s, cpu_s = submitted(folder, asked.submit)
        print(f"bench submit of {asked.submit} jobs: {wall_s:.2f} s until the prompt ({cpu_s:.2f} s of a core)")
        sqlite = measured(f"sqlite:///{folder / 'store.db'}", asked.jobs, "SQLite")
        with postgres_server() as server, postgres_database(server) as url:
            measured(url, asked.jobs, "Postgres")
        with valkey_server() as url:
            for processes, ours in zip((1, PROCESSES), sqlite, strict=True):
                wall_ms, cpu_ms = celery_alone(f"{url}/0", asked.jobs, processes)
                print(
                    f"Celery alone, {processes} processes: {wall_ms:.2f} ms of wall time a task, {cpu_ms:.2f} of a core"
                )
                print(
                    f"SQLite / Celery, {processes} processes: {ours.wall_ms / wall_ms:.2f} by wall time, "
                    f"{ours.cpu_ms / cpu_ms:.2f} by core"
                )


def submitted(folder: Path, number: int) -> tuple[float, float]:
    """Seconds on the wall, and of one core, of `bench submit` in an empty home."""
    (folder / "load.toml").write_text(SUITE)
    home = {**os.environ, "BENCH_HOME": str(folder / "home"), "BENCH_DATA_DIR": str(folder / "data")}
    command = [sys.executable, "-m", "cli", "submit", "--all", "--suite", str(folder / "load.toml")]
    before, began = os.times(), perf_counter()
    try:
        subprocess.run([*command, "--seeds", str(number)], cwd=ROOT, env=home, check=True, capture_output=True)
        wall_s, after = perf_counter() - began, os.times()
    finally:
        subprocess.run([sys.executable, "-m", "cli", "down"], cwd=ROOT, env=home, check=True, capture_output=True)
    used = (after.children_user - before.children_user) + (after.children_system - before.children_system)
    return wall_s, used


def measured(url: str, number: int, name: str) -> list[Rate]:
    """Of one process and of several."""
    open_store(url, create=True).close()
    rates = []
    for processes in (1, PROCESSES):
        rate = claimed_and_finished(url, number, processes)
        rates.append(rate)
        print(
            f"{name}, claim and finish, {processes} processes: median {rate.median_ms:.2f} ms, "
            f"{rate.wall_ms:.2f} ms of wall time a job, {rate.cpu_ms:.2f} of a core"
        )
    return rates


def claimed_and_finished(url: str, number: int, processes: int) -> Rate:
    job = new_job(0)
    with closing(open_store(url)) as store:
        added = [replace(job, key=f"{processes}-{seed}", seed=seed) for seed in range(number)]
        store.submit(submission(), added)
    spawning = multiprocessing.get_context("spawn")
    together, told = spawning.Barrier(processes + 1), spawning.Queue()
    workers = [spawning.Process(target=work, args=(url, together, told)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    together.wait()
    began = perf_counter()
    answers = [told.get() for _ in workers]
    wall_s = perf_counter() - began
    for worker in workers:
        worker.join()
    times = [took for own, _ in answers for took in own]
    assert len(times) == number
    cpu_s = sum(used for _, used in answers)
    return Rate(statistics.median(times) * 1000, wall_s / number * 1000, cpu_s / number * 1000)


def work(url: str, together: Any, told: Any) -> None:
    times, own = [], result()
    with closing(open_store(url)) as store:
        together.wait()
        began, used = perf_counter(), process_time()
        while claim := store.claim_next("w", lease_s=60):
            store.finish(claim, own, {})
            times.append(perf_counter() - began)
            began = perf_counter()
    told.put((times, process_time() - used))


def celery_alone(url: str, number: int, processes: int) -> tuple[float, float]:
    """Milliseconds of wall time and of a core a task, from the first that is taken to the last that ended."""
    plain.conf.broker_url = url
    with plain.connection_for_write() as connection, plain.amqp.Producer(connection) as producer:
        for job in range(number):
            plain.send_task("nothing", args=[job], producer=producer)
    command = [sys.executable, "-m", "celery", "-A", "benchmarks.queue:plain", "worker", "-c", str(processes)]
    command += ["--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    environment = {**os.environ, "PLAIN_BROKER": url, "PYTHONPATH": str(ROOT)}
    worker = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wall_s, cpu_s = drained(url, number, psutil.Process(worker.pid))
        return wall_s / number * 1000, cpu_s / number * 1000
    finally:
        worker.terminate()
        worker.wait(timeout=60)


def drained(url: str, number: int, worker: psutil.Process) -> tuple[float, float]:
    """From the first task that left the queue until none was left or unacknowledged."""
    with redis.Redis.from_url(url) as broker:
        wait_until(lambda: int(broker.llen("celery")) < number)  # type: ignore[arg-type]
        began, before = perf_counter(), used_s(worker)
        wait_until(lambda: not broker.llen("celery") and not broker.hlen("unacked"))
        return perf_counter() - began, used_s(worker) - before


def used_s(worker: psutil.Process) -> float:
    """Seconds of a core that the process and its children had."""
    times = [process.cpu_times() for process in (worker, *worker.children(recursive=True))]
    return sum(spent.user + spent.system for spent in times)


def wait_until(so: Callable[[], bool], *, at_most_s: float = 300.0) -> None:
    until = monotonic() + at_most_s
    while not so():
        assert monotonic() < until, "Celery's worker did not take its tasks"
        threading.Event().wait(0.005)


if __name__ == "__main__":
    main()
