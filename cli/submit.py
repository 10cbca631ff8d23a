"""`bench submit`: write the jobs, then ring for them."""

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
    priority: options.Priority = 0,
) -> None:
    """Queue what the store does not have yet.

    One job for each variant and seed; a second call adds nothing.
    """
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
    )
    store = options.opened(here)
    done = write(store, found, priority=priority, command=options.command_line())
    options.put(summary(done))
    ensure_broker(here)
    reconcile(store, doorbells(here), actor="submit", waiting=RING_MOST)
    options.say("Next: `bench worker` on each machine that trains, `bench status --watch` to follow.")


def summary(done: "Submitted") -> str:
    """One line: how many were added, how many were there, and what to do about those that ended badly."""
    from db.records import WAITING, JobState

    parts = [f"Submission {done.id}: {options.number(done.count(new=True), 'job')} added"]
    for name, states in (("done", [JobState.DONE]), ("waiting or running", [*WAITING])):
        number = done.count(*states, new=False)
        parts += [f"{number} already {name}"] if number else []
    for state in (JobState.FAILED, JobState.CANCELLED):
        number = done.count(state, new=False)
        parts += [f"{number} {state} (`bench retry --{state}` queues them again)"] if number else []
    return ", ".join(parts) + "."
