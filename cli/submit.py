"""`bench submit`: write the jobs, then ring for them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli import _options as options

if TYPE_CHECKING:
    from scheduler.queue import Submitted


def submit(
    everything: options.All = False,
    variant: options.Variants = None,
    suite: options.SuiteName = "report",
    dataset: options.Dataset = None,
    seeds: options.Seeds = None,
    seed: options.Seed = None,
    epochs: options.Epochs = None,
    precision: options.Precision = None,
    priority: options.Priority = 0,
) -> None:
    """Queue what the store does not have yet.

    One job for each variant and seed; a second call adds nothing.
    """
    from db.records import JobState
    from scheduler.app import doorbells
    from scheduler.broker import ensure_broker
    from scheduler.queue import RING_MOST, reconcile
    from scheduler.queue import submit as write

    here = options.settings()
    found = options.planned(
        here,
        everything=everything,
        variants=variant,
        suite=suite,
        dataset=dataset,
        seeds=seeds,
        seed=seed,
        epochs=epochs,
        precision=precision,
    )
    store = options.opened(here)
    done = write(store, found, priority=priority, command=options.command_line())
    options.put(summary(done))
    ensure_broker(here)
    reconcile(store, doorbells(here), actor="submit", waiting=RING_MOST)
    if done.count(JobState.QUEUED):
        options.say("Next: `bench worker` on each machine that trains, `bench watch` to follow.")


def summary(done: "Submitted") -> str:
    """One line: how many were added, how many were there, and what to do about those that ended badly."""
    from cli._progress import retry_command
    from db.records import WAITING, JobState

    parts = [f"Submission {done.id}: {options.number(done.count(new=True), 'job')} added"]
    for name, states in (("done", [JobState.DONE]), ("waiting or running", [*WAITING])):
        number = done.count(*states, new=False)
        parts += [f"{number} already {name}"] if number else []
    for state in (JobState.FAILED, JobState.CANCELLED):
        # by their ids: --failed would take those of every other submission as well
        ids = [job.job_id for job in done.distinct() if job.state is state]
        parts += [f"{len(ids)} {state} ({retry_command(ids)} queues {_them(ids)} again)"] if ids else []
    return ", ".join(parts) + "."


def _them(ids: Sequence[int]) -> str:
    from cli._progress import RETRIED_MOST

    if len(ids) == 1:
        return "it"
    return "them" if len(ids) <= RETRIED_MOST else f"the first {RETRIED_MOST}"
