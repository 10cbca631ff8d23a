"""`bench worker`: train what is queued."""

import os
import signal
import threading
from typing import Annotated

import typer

from cli import _options as options


def worker(
    slots: options.Slots = None,
    device: options.Device = "auto",
    drain: Annotated[
        bool, typer.Option("--drain", help="Stop when nothing is left to do; 1 when a job failed.")
    ] = False,
    metrics: Annotated[
        str, typer.Option(envvar="BENCH_METRICS", metavar="[HOST:]PORT", help="Serve metrics there, for Prometheus.")
    ] = "",
    while_stdin: Annotated[bool, typer.Option("--while-stdin", hidden=True)] = False,
) -> None:
    """Train queued jobs until stopped. Ctrl-C or SIGTERM: each job saves a checkpoint and goes back to the queue."""
    from worker.main import run_worker

    if while_stdin:
        threading.Thread(target=_stop_with_stdin, name="stdin", daemon=True).start()
    code = run_worker(options.settings(), slots=slots, device=device, drain=drain, metrics=metrics)
    raise typer.Exit(code)


def _stop_with_stdin() -> None:
    """End like on SIGTERM once whoever started this worker has gone."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
