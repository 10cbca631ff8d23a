"""`bench cancel`: take jobs out of the queue, stop those that run."""

from typing import Annotated

import typer

from cli import _options as options
from cli import _selection as select
from db.errors import ConfigError


def cancel(
    job: options.Jobs = None,
    everything: Annotated[bool, typer.Option("--all", help="Every job that waits or runs.")] = False,
    submission: options.Submission = None,
    variant: select.Variants = None,
    state: select.States = None,
    where: select.Wheres = None,
    yes: options.Yes = False,
) -> None:
    """Cancel jobs.

    JOB is an id from `bench status`. A running job stops at its worker's next heartbeat. `bench retry` brings it back.
    """
    from db.records import WAITING

    chosen = select.selection(job, submission=submission, variant=variant, state=state, where=where)
    if chosen and everything:
        what = "ids" if job else "selectors"
        raise ConfigError(f"give {what} or --all, not both", fix="leave one of them out")
    if not chosen and not everything:
        raise ConfigError("say which jobs", fix="give ids, or --all, --submission, --variant, --state or --where")
    store = options.opened(options.settings())
    open_ones = [one.id for one in chosen.jobs(store) if one.state in WAITING]
    options.make_sure(len(open_ones), "cancelled", yes=yes)
    waiting, running = store.cancel(open_ones)
    options.put(f"{options.number(len(waiting), 'job')} cancelled, {len(running)} running asked to stop.")
    for one in store.jobs(job) if job else ():
        if one.id not in waiting + running:
            why = "does not meet the rest" if one.state in WAITING else f"is {one.state} already"
            options.say(f"job {one.id} {why}: nothing to cancel")
