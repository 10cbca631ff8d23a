"""A closed job: everything that is started here is stopped here."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from cli import _options as options
from cli._outage import through_outages
from cli._progress import Screen, failures
from cli.report import say_where
from cli.submit import summary
from db.errors import BenchError, ConfigError, StoreError
from db.records import WAITING, Job, JobState, Worker
from scheduler.duration import Durations

if TYPE_CHECKING:
    from db.store import Store
    from scheduler.planning import Plan
    from scheduler.settings import Settings

_MOST_RESTARTS = 3  # of a worker that was killed, or that ended because it got no work though jobs wait
_STOP_S = 30.0  # what a worker may take to save its checkpoints


def run_closed(
    here: "Settings", plan: "Plan", *, priority: int, slots: int | None, device: str, graph: bool = True, out: Path
) -> int:
    """Submit the plan, train it here, write the report into `out`; gives the exit code."""
    from scheduler.broker import closed_broker
    from scheduler.queue import submit
    from worker.devices import choose_device

    # a wrong one is named before anything is written, and so is a folder for nothing
    check_precisions(plan, choose_device(device))
    options.check_writable(out)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is not signal.SIG_IGN:  # nohup's word
            signal.signal(ending, signal.default_int_handler)  # as Ctrl-C: nothing must outlive this process
    with closing(options.opened(here)) as store, closed_broker(here):
        done = submit(store, plan, priority=priority, command=options.command_line())
        options.say(summary(done))
        job_ids = {job.job_id for job in done.jobs}
        code = _train(here, store, job_ids, _worker_words(slots=slots, device=device, graph=graph))
        if code == 130:
            options.say(f"Stopped; what checkpoints hold is kept. To go on: {options.command_line()}")
            return code
        say_where(store, out, submission=done.id)
        return code


def check_precisions(plan: "Plan", device: str) -> None:
    """Raises ConfigError for jobs that this device could only fail."""
    from scheduler.config import NEEDS_CUDA

    lacking = {entry.config.precision for entry in plan.entries} & NEEDS_CUDA
    if lacking and device != "cuda":
        what = f"precision {', '.join(sorted(lacking))} needs CUDA, and this would train on {device}"
        raise ConfigError(what, fix="give --precision float32 or --precision bfloat16")


def _worker_words(*, slots: int | None, device: str, graph: bool) -> list[str]:
    words = ["--device", device, *([] if graph else ["--no-graph"])]
    return [*words, "--slots", str(slots)] if slots else words


def _train(here: "Settings", store: "Store", job_ids: set[int], words: list[str]) -> int:
    """Until each of the jobs has ended: 0 all done, 1 some not, 130 interrupted."""
    jobs = store.jobs(job_ids)
    if not any(job.state in WAITING for job in jobs):
        for line in failures(jobs):
            options.say(line)
        return _code(jobs)
    worker = _start_worker(here, words)
    restarts = 0
    every_s = 1.0 if sys.stderr.isatty() else 5.0

    def look() -> tuple[list[Job], list[Worker], Durations]:
        store.check_schema()
        workers = store.workers(seen_within_s=here.lease_s)
        return store.jobs(job_ids), workers, Durations(store.measured(), workers)

    try:
        with Screen(sys.stderr, closed=True) as screen:
            while True:
                jobs, workers, durations = through_outages(look, tell=screen.tell, every_s=every_s)
                if not any(job.state in WAITING for job in jobs):
                    break
                if worker.poll() is not None:
                    for_good = worker.returncode not in (os.EX_TEMPFAIL, -signal.SIGKILL)
                    if for_good or restarts == _MOST_RESTARTS:
                        raise _ended_early(here, worker.returncode)
                    restarts += 1
                    worker = _start_worker(here, words)
                screen.show(jobs, workers, durations)
                time.sleep(every_s)
            screen.end(jobs)
    except KeyboardInterrupt:
        options.say("Stopping: each job saves a checkpoint. Ctrl-C again to stop at once.")
        return 130
    finally:
        _stop_worker(worker)
    return _code(jobs)


def _start_worker(here: "Settings", words: list[str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "cli", "worker", *words]
    here.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    # the room of the package, not the current folder, where a user may have a cli/ of their own
    root = str(Path(__file__).parent.parent)
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, **here.environment(), "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    environment.pop("BENCH_METRICS", None)  # the port of a worker that is started by itself
    with _log(here).open("ab") as log:
        # a session of its own: a terminal's Ctrl-C reaches this process only, which then asks the worker to stop
        return subprocess.Popen(
            # the pipe is never written to: its end tells the worker that this process is gone, killed even
            [*command, "--while-stdin"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )


def _ended_early(here: "Settings", code: int) -> BenchError:
    """With the exit code that the worker had for the same reason."""
    kind = {2: ConfigError, 3: StoreError}.get(code, BenchError)
    return kind(f"the worker ended with exit code {code}", fix=f"read {_log(here)}, then run it again")


def _log(here: "Settings") -> Path:
    return here.logs / "worker.log"


def _stop_worker(worker: "subprocess.Popen[bytes]") -> None:
    """First politely, after 30 s or a second Ctrl-C at once; leases bring back what was cut off."""
    if worker.poll() is None:
        worker.send_signal(signal.SIGTERM)
    try:
        worker.wait(timeout=_STOP_S)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        options.say("Stopping at once: a job that was running comes back when its lease is over.")
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def _code(jobs: Sequence[Job]) -> int:
    return 0 if all(job.state is JobState.DONE for job in jobs) else 1
