"""`bench status`: counts, and a line for each job."""

import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from cli import _look
from cli import _options as options
from cli._outage import through_outages
from db.errors import ConfigError, NoStoreError

if TYPE_CHECKING:
    from scheduler.settings import Settings


def status(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Until nothing waits or runs; Ctrl-C leaves the jobs.")
    ] = False,
    submission: options.Submission = None,
    as_json: options.Json = False,
) -> None:
    """Show what waits, runs and is done.

    Looks after the queue on the way: what dead workers held is queued again.
    """
    if watch and as_json:
        raise ConfigError("--watch and --json exclude each other", fix="give one of them")
    here = options.settings()
    if watch and _is_there(here, submission):
        _watch(here, submission)
    else:
        _look.look_once(submission=submission, as_json=as_json)


def _is_there(here: "Settings", submission: int | None) -> bool:
    """Whether there is a store to watch. Raises NoStoreError where a submission of it is asked for."""
    try:
        options.opened(here, create=False).close()
    except NoStoreError:
        if submission is not None:
            raise
        return False
    return True


def _watch(here: "Settings", submission: int | None) -> None:
    from cli._progress import Screen
    from db.records import WAITING

    every_s = 2.0 if sys.stdout.isatty() else 30.0
    told = False
    try:
        with Screen(sys.stdout) as screen:
            while True:
                seen = through_outages(partial(_look.in_full, here, submission), tell=screen.tell, every_s=every_s)
                if seen.silent and not told:
                    screen.tell(seen.silent)
                told = bool(seen.silent)
                screen.show(seen.jobs, seen.workers, seen.durations)
                if not any(job.state in WAITING for job in seen.jobs):
                    return
                time.sleep(every_s)
    except KeyboardInterrupt:
        options.say("The jobs go on. `bench status` looks again, `bench cancel` stops them.")
        raise typer.Exit(130) from None
