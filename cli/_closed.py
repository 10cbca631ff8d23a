"""A closed job: everything that is started here is stopped here."""

import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from cli import _options as options
from cli._progress import Screen, failures
from cli.report import say_where
from cli.submit import summary
from db.records import WAITING, Job, JobState, Worker
from scheduler.duration import Durations
from scheduler.outage import through_outages

if TYPE_CHECKING:
    from db.store import Store
    from scheduler.planning import Plan
    from scheduler.settings import Settings
    from worker.background import Background


def run_closed(
    here: "Settings", plan: "Plan", *, priority: int, slots: int | None, device: str, graph: bool = True, out: Path
) -> int:
    """Submit the plan, train it here, write the report into `out`; gives the exit code."""
    from scheduler.broker import closed_broker
    from scheduler.queue import submit
    from worker.background import Background, check_precisions
    from worker.devices import choose_device

    # a wrong one is named before anything is written, and so is a folder for nothing
    check_precisions([entry.config.precision for entry in plan.entries], choose_device(device))
    options.check_writable(out)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is not signal.SIG_IGN:  # nohup's word
            signal.signal(ending, signal.default_int_handler)  # as Ctrl-C: nothing must outlive this process
    with closing(options.opened(here)) as store, closed_broker(here):
        done = submit(store, plan, priority=priority, command=options.command_line())
        options.say(summary(done))
        job_ids = {job.job_id for job in done.jobs}
        code = _train(here, store, job_ids, lambda: Background(here, slots=slots, device=device, graph=graph))
        if code == 130:
            options.say(f"Stopped; what checkpoints hold is kept. To go on: {options.command_line()}")
            return code
        say_where(store, out, submission=done.id)
        return code


def _train(here: "Settings", store: "Store", job_ids: set[int], start: "Callable[[], Background]") -> int:
    """Until each of the jobs has ended: 0 all done, 1 some not, 130 interrupted."""
    jobs = store.jobs(job_ids)
    if not any(job.state in WAITING for job in jobs):
        for line in failures(jobs):
            options.say(line)
        return _code(jobs)
    worker = start()
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
                worker.check()
                screen.show(jobs, workers, durations)
                time.sleep(every_s)
            screen.end(jobs)
    except KeyboardInterrupt:
        options.say("Stopping: each job saves a checkpoint. Ctrl-C again to stop at once.")
        return 130
    finally:
        worker.stop(at_once=_say_at_once)
    return _code(jobs)


def _say_at_once() -> None:
    options.say("Stopping at once: a job that was running comes back when its lease is over.")


def _code(jobs: Sequence[Job]) -> int:
    return 0 if all(job.state is JobState.DONE for job in jobs) else 1
