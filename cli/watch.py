"""`bench watch`: `bench status` again and again."""

import typer

from cli import _look
from cli import _options as options


def watch(submission: options.Submission = None) -> None:
    """Follow the jobs until none waits or runs.

    Same as `bench status --watch`. Ctrl-C leaves the jobs.
    """
    raise typer.Exit(_look.look_on(submission=submission))
