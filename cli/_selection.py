"""The options that say which jobs a command is about, the same for every command that takes some of the store's.

Ids as arguments, `--submission`, `--variant`, `--state`, `--where 'FIELD OPERATOR VALUE'`; see `scheduler.selection`.
"""

from collections.abc import Iterable
from typing import Annotated

import typer

from cli._completion import complete_state, complete_submitted
from scheduler.selection import Selection as Selection
from scheduler.selection import selection as selection

Variants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="NAME",
        help="Jobs of this variant, sweep or point of one; may be repeated.",
        autocompletion=complete_submitted,
    ),
]
States = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        metavar="STATE",
        help="Jobs that are queued, running, done, failed or cancelled; may be repeated.",
        autocompletion=complete_state,
    ),
]
Wheres = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Jobs of which this is true: a field of the job or of its config, an operator (= != > >= < <=) and a "
        "value, `none` for no value, as in 'val_accuracy>0.5', 'lr=0.001' or 'cause!=oom'. May be repeated; then all "
        "have to be true.",
    ),
]


def narrowed(
    ids: Iterable[int] | None,
    *,
    submission: int | None,
    variant: Iterable[str] | None,
    state: Iterable[str] | None,
    where: Iterable[str] | None,
) -> Selection | None:
    """Of a command that has a way of its own to show all jobs, or those of a submission: None where it will do."""
    found = selection(ids, submission=submission, variant=variant, state=state, where=where)
    return None if found == Selection(submission=submission) else found
