"""`bench cancel`: take jobs out of the queue, stop those that run."""

from typing import Annotated

import typer

from cli import _options as options
from db.errors import ConfigError


def cancel(
    job: options.Jobs = None,
    everything: Annotated[bool, typer.Option("--all", help="Every job that waits or runs.")] = False,
) -> None:
    """Cancel jobs; a running one stops at its worker's next heartbeat. `bench retry` brings them back."""
    from db.records import WAITING

    if bool(job) == everything:
        raise ConfigError("say which jobs", fix="give ids, or --all")
    store = options.opened(options.settings())
    waiting, running = store.cancel(job or [one.id for one in store.jobs() if one.state in WAITING])
    put = [f"{options.number(len(waiting), 'job')} cancelled", f"{len(running)} running asked to stop"]
    options.put(f"{', '.join(put)}.")
