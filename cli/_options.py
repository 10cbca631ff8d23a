"""The options that several commands share, and the way from them to a plan."""

import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli._completion import complete_job, complete_submission, complete_variant
from cli._talk import MOST
from cli._talk import number as number
from cli._talk import opened as opened
from cli._talk import put as put
from cli._talk import say as say
from cli._talk import settings as settings
from cli._talk import show as show
from cli._umask import as_the_user_writes
from db.errors import ConfigError

if TYPE_CHECKING:
    from scheduler.planning import Plan
    from scheduler.settings import Settings

_ASKED_ABOVE = 100  # jobs

All = Annotated[bool, typer.Option("--all", help="Every variant and every tuning config of the suite.")]
Variants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="NAME",
        help="A variant, a sweep or one of its points; may be repeated.",
        autocompletion=complete_variant,
    ),
]
SuiteName = Annotated[
    str, typer.Option("--suite", metavar="FILE", help="A suite file, or the name of a built-in suite.")
]
Dataset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Instead of the suite's own: cifar100-20, cifar100, cifar10, digits, folder:PATH or file:PATH.",
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        metavar="N",
        help="That many seeds: 42, 43, ...; not with --seed. Default: those that the suite lists for the "
        "variant or sweep, else for all, else 42 alone.",
    ),
]
Seed = Annotated[
    list[int] | None,
    typer.Option("--seed", metavar="S", help="This seed; may be repeated; not with --seeds. Default: see there."),
]
Epochs = Annotated[
    int | None,
    typer.Option(metavar="N", help="This many epochs at most for every config. Default: each config's own."),
]
Precision = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="float32, tf32 (on CUDA alone) or bfloat16 for every config. Default: each config's own.",
    ),
]
Priority = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=-MOST,
        max=MOST,
        help="Of these jobs, those that wait already too where it is higher; the highest goes first.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="The folder that the report is written into; default: ./report (in bench's clone ./bench-report).",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout.")]


def _slots(given: str) -> int | None:
    from worker.devices import chosen_slots

    return chosen_slots(given)


Slots = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=_slots,
        help="Jobs at once, 1 to 1024, or auto: one for each real core that has memory, or for each card. "
        "Default: auto.",
    ),
]
Device = Annotated[
    str, typer.Option(envvar="BENCH_DEVICE", metavar="NAME", help="auto (a card where there is one), cpu or cuda.")
]
Submission = Annotated[
    int | None,
    typer.Option(
        metavar="ID",
        min=1,
        max=MOST,
        autocompletion=complete_submission,
        help="Only this submission's jobs; `bench submit` and `bench status` print the numbers.",
    ),
]
Reported = Annotated[
    int | None,
    typer.Option(
        "--submission",
        metavar="ID",
        min=1,
        max=MOST,
        autocompletion=complete_submission,
        help="Report the suite, data and protocol of this submission, with all submissions that share them; "
        "`bench submit` and `bench status` print the numbers. Default: the newest one.",
    ),
]
# hidden: Typer would add `<list[int]>` to its line, so the command's own text explains it
NoGraph = Annotated[
    bool, typer.Option("--no-graph", help="On CUDA: train step by step, without a captured graph of the step.")
]
Jobs = Annotated[
    list[int] | None, typer.Argument(metavar="JOB", min=1, max=MOST, hidden=True, autocompletion=complete_job)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before more than 100 jobs change.")]


def make_sure(count: int, what: str, *, yes: bool) -> None:
    """Ask before `what` happens to more than a hundred jobs, unless `yes`; a no ends the command with 1.

    Raises ConfigError where nobody can be asked.
    """
    if yes or count <= _ASKED_ABOVE:
        return
    if not somebody_is_there():
        raise ConfigError(f"{count} jobs would be {what}: more than {_ASKED_ABOVE} need a yes", fix="add --yes")
    if not is_agreed(f"{count} jobs will be {what}. Go on?"):
        say("Nothing was changed.")
        raise typer.Exit(1)


def somebody_is_there() -> bool:
    """Whether a question would be seen and could be answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def is_agreed(question: str) -> bool:
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def out_folder(given: Path | None) -> Path:
    """Where a report goes: never among bench's own sources, where ./report is a package. Raises ConfigError."""
    chosen = given or Path("bench-report" if Path("report/__init__.py").exists() else "report")
    there = next(path for path in (chosen, *chosen.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(
            f"cannot write the report to {chosen}: {there} is no folder of yours", fix="give another --out"
        )
    return chosen


def planned(
    here: "Settings",
    *,
    everything: bool,
    variants: Iterable[str] | None,
    suite: str,
    dataset: str | None,
    seeds: int | None,
    seed: Iterable[int] | None,
    epochs: int | None,
    precision: str | None,
    measure_all: bool = False,
) -> "Plan":
    """The plan that the shared options ask for. Raises ConfigError, DataError or NotFoundError."""
    from scheduler.planning import make_plan, notices, seeds_of
    from scheduler.suite import load_suite

    found = load_suite(suite)
    names = list(variants or ())
    if everything == bool(names):
        what = "--all and --variant exclude each other" if everything else "nothing is selected"
        choices = ", ".join((*found.variants, *found.sweeps))
        raise ConfigError(what, fix=f"give --all, or --variant with one of: {choices}")
    labels = list(found.variants) if everything else found.select(names)
    plan = make_plan(
        found,
        labels,
        seeds_of(number=seeds, listed=list(seed or ()), own=()) or None,
        data_dir=here.data,
        dataset=dataset,
        epochs=epochs,
        precision=precision,
        probe_s=here.probe_s,
        measure_all=measure_all,
        say=say,
    )
    for notice in notices(plan):
        say(notice)
    return plan


def check_writable(out: Path) -> None:
    """Raises ConfigError now rather than after hours of training."""
    from report import check_writable

    with as_the_user_writes():
        check_writable(out)


def command_line() -> str:
    """What was typed, fit to be typed again; bytes that are not UTF-8 are only shown, the store takes text alone."""
    return shlex.join(["bench", *sys.argv[1:]]).encode(errors="backslashreplace").decode()
