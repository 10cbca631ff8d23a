"""`bench worker`: train what is queued."""

from typing import Annotated

import typer

from cli import _options as options


def worker(
    slots: options.Slots = None,
    device: options.Device = "auto",
    drain: Annotated[bool, typer.Option("--drain", help="Stop when nothing is left to do.")] = False,
) -> None:
    """Train queued jobs until stopped. Ctrl-C or SIGTERM: each job saves a checkpoint and goes back to the queue."""
    from worker.main import run_worker

    code = run_worker(options.settings(), slots=slots, device=device, drain=drain)
    raise typer.Exit(code)
