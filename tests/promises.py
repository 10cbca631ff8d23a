"""What must hold after a soak, compared with trainings that nobody disturbed."""

import os
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from real_worker import attempt_here, numbers, submit_digits

from db import open_store
from db._endings import LEASE_EXPIRED
from db.records import Cause, JobState
from scheduler.settings import load_settings

if TYPE_CHECKING:
    from soak import Soak


def broken_promises(soak: "Soak") -> list[str]:
    """Each in a line; none: all were kept."""
    found = []
    jobs = soak.store.jobs()
    attempts = soak.store.attempts([job.id for job in jobs])
    results = soak.store.results([job.id for job in jobs])
    if len(jobs) != len(set(soak.submitted)):
        found.append(f"{len(set(soak.submitted))} jobs were submitted, the store has {len(jobs)}")
    for job in jobs:
        name = f"job {job.id} ({job.label}, seed {job.seed})"
        if (job.state is JobState.DONE) != (job.id in results):
            found.append(f"{name} is {job.state} and has {'a' if job.id in results else 'no'} result")
        if job.state is not JobState.DONE and (job.state is not JobState.FAILED or job.cause is None):
            found.append(f"{name} is {job.state} without a recorded cause")
        for before, after in pairwise(attempts[job.id]):
            if before.ended_at is None or after.started_at < before.ended_at:
                found.append(f"{name}: attempts {before.number} and {after.number} overlap")
        if job.state is JobState.DONE and numbers(soak.store, job.id) != undisturbed(soak, job):
            found.append(f"{name} has other numbers than an undisturbed training")
    found += [
        f"job {job_id}: a lease was taken back {early_s:.3f} s early" for job_id, early_s in taken_early(soak.store)
    ]
    found += [f"left behind: process {one.pid}, {' '.join(one.cmdline())}" for one in left_running(soak)]
    found += [f"left behind: {path}" for path in left_files(soak, jobs)]
    return found


def left_files(soak: "Soak", jobs) -> list[Path]:
    """What was never written to its end, and checkpoints of jobs that are done; a failed job may be tried again."""
    done = {job.key for job in jobs if job.state is JobState.DONE}
    folders = (soak.settings.folder / "artifacts" / "checkpoints").glob("*")
    return [*soak.settings.folder.rglob("*.partial"), *(folder for folder in folders if folder.name in done)]


def taken_early(store) -> list[tuple[int, float]]:
    """Leases that were still good when they were taken back, and for how long."""
    told = [(job.id, event) for job in store.jobs() for event in store.events(job.id) if event.what == LEASE_EXPIRED]
    early = [(job_id, event.details["lease_until"] - event.at.timestamp()) for job_id, event in told]
    return [(job_id, seconds) for job_id, seconds in early if seconds > 0]


def left_running(soak: "Soak") -> list[psutil.Process]:
    """Workers and their children that outlived the soak; the broker is stopped later."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            ours = process.environ().get("BENCH_HOME") == str(soak.settings.folder)
            if ours and process.pid != os.getpid() and "worker" in process.cmdline():
                found.append(process)
    return psutil.wait_procs(found, timeout=10)[1]


def undisturbed(soak: "Soak", job):
    """The numbers of the same job, trained here in one go."""
    home = soak.folder / f"undisturbed-{job.id}"
    settings = load_settings(home=home, database_url="")
    store = open_store(f"sqlite:///{home / 'bench.db'}", create=True)
    submit_digits(store, settings, job.label, seeds=[job.seed], epochs=soak.epochs)
    attempt_here(store, settings)
    found = numbers(store)
    store.close()
    return found


def recoveries_s(soak: "Soak") -> list[float]:
    """From each fault that cost an attempt to the start of the job's next one."""
    attempts = soak.store.attempts([job.id for job in soak.store.jobs()])
    found = []
    for job_id, tries in attempts.items():
        for before, after in pairwise(tries):
            started, ended = before.started_at.timestamp(), before.ended_at.timestamp() if before.ended_at else 0.0
            causes = [at for at, running in soak.struck if job_id in running and started <= at <= ended]
            if causes and before.outcome in (Cause.WORKER_LOST, Cause.PREEMPTED):
                found.append(after.started_at.timestamp() - causes[-1])
    return found
