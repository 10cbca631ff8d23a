"""`bench worker`: train what is queued."""

import os
import signal
from typing import Annotated

import typer

from cli import _options as options
from db.errors import BenchError


def worker(
    slots: options.Slots = None,
    device: options.Device = "auto",
    no_graph: options.NoGraph = False,
    drain: Annotated[
        bool, typer.Option("--drain", help="Stop when nothing is left to do; 1 when a job failed or no card works.")
    ] = False,
    metrics: Annotated[
        str, typer.Option(envvar="BENCH_METRICS", metavar="[HOST:]PORT", help="Serve metrics there, for Prometheus.")
    ] = "",
    while_stdin: Annotated[bool, typer.Option("--while-stdin", hidden=True)] = False,
    healthy: Annotated[bool, typer.Option("--healthy", hidden=True)] = False,
) -> None:
    """Train queued jobs until stopped.

    Ctrl-C or SIGTERM: each job saves a checkpoint and goes back to the queue.
    """
    if healthy:
        _say_whether_one_works_here()
        return
    from worker.main import run_worker

    if while_stdin:
        import threading

        threading.Thread(target=_stop_with_stdin, name="stdin", daemon=True).start()
    code = run_worker(
        options.settings(),
        slots=slots,
        device=device,
        drain=drain,
        closed=while_stdin,
        graph=not no_graph,
        metrics=metrics,
    )
    raise typer.Exit(code)


def _say_whether_one_works_here() -> None:
    """For a container's health check: a worker of another host that lives says nothing about this one's."""
    import socket

    import psutil

    here, host = options.settings(), socket.gethostname()
    store = options.opened(here, create=False)
    seen = [one for one in store.workers(seen_within_s=here.lease_s) if one.host == host]
    store.close()
    if not any(psutil.pid_exists(one.pid) for one in seen):
        raise BenchError(f"no worker of {host} was heard of in the last {here.lease_s:g} s", fix="read its log")
    options.put(f"A worker of {host} was heard of: in order.")


def _stop_with_stdin() -> None:
    """End like on SIGTERM once whoever started this worker has gone."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
