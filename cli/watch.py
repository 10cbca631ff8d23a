"""`bench watch`: `bench status` again and again."""

import typer

from cli import _look
from cli import _options as options
from cli import _selection as select


def watch(
    job: options.Jobs = None,
    submission: options.Submission = None,
    variant: select.Variants = None,
    state: select.States = None,
    where: select.Wheres = None,
) -> None:
    """Follow the jobs until none waits or runs.

    Same as `bench status --watch`. Ctrl-C leaves the jobs.
    """
    chosen = select.narrowed(job, submission=submission, variant=variant, state=state, where=where)
    raise typer.Exit(_look.look_on(submission=submission, chosen=chosen))
