"""`bench cancel`: take jobs out of the queue, stop those that run."""

from typing import Annotated

import typer

from cli import _options as options
from db.errors import ConfigError


def cancel(
    job: options.Jobs = None,
    everything: Annotated[bool, typer.Option("--all", help="Every job that waits or runs.")] = False,
) -> None:
    """Cancel jobs.

    JOB is an id from `bench status`. A running job stops at its worker's next heartbeat. `bench retry` brings it back.
    """
    from db.records import WAITING

    if job and everything:
        raise ConfigError("give ids or --all, not both", fix="leave one of them out")
    if not job and not everything:
        raise ConfigError("say which jobs", fix="give ids, or --all")
    store = options.opened(options.settings())
    waiting, running = store.cancel(job or [one.id for one in store.jobs() if one.state in WAITING])
    options.put(f"{options.number(len(waiting), 'job')} cancelled, {len(running)} running asked to stop.")
    for one in store.jobs(job) if job else ():
        if one.id not in waiting + running:
            options.say(f"job {one.id} is {one.state} already: nothing to cancel")
