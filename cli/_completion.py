"""What Typer asks for at a shell's completion; `_quick` answers bash for most lines before Typer is loaded."""

import typer

from cli import _choices
from cli._choices import Choices, beginning


def complete_variant(ctx: typer.Context, incomplete: str) -> Choices:
    """Variants and sweeps of the suite that the line names before, of the built-in one otherwise."""
    return beginning(incomplete, lambda: _choices.of_suite(ctx.params.get("suite")))


def complete_submitted(ctx: typer.Context, incomplete: str) -> Choices:
    """Variants, sweeps and points that were submitted; with the submission that the line names before, then."""
    return beginning(incomplete, lambda: _choices.submitted(ctx.params.get("submission")))


def complete_job(ctx: typer.Context, incomplete: str) -> Choices:
    """Jobs that the command may be given."""
    return beginning(incomplete, lambda: _choices.jobs(str(ctx.info_name)))


def complete_submission(incomplete: str) -> Choices:
    return beginning(incomplete, _choices.submissions)


def complete_state(incomplete: str) -> Choices:
    return beginning(incomplete, _choices.states)
