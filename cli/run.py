"""`bench run`: submit, work, show, report, in one process tree."""

from pathlib import Path
from typing import Annotated

import typer

from cli import _options as options

Out = Annotated[Path, typer.Option(help="The folder that the report is written into.")]


def run(
    everything: options.All = False,
    variant: options.Variants = None,
    suite: options.SuiteName = "report",
    dataset: options.Dataset = None,
    seeds: options.Seeds = None,
    seed: options.Seed = None,
    epochs: options.Epochs = None,
    priority: options.Priority = 0,
    slots: options.Slots = None,
    device: options.Device = "auto",
    out: Out = Path("report"),
) -> None:
    """Submit, train here, show the progress and write the report. Ctrl-C is safe: the same command goes on."""
    from cli._closed import run_closed

    here = options.settings()
    plan = options.planned(
        here,
        everything=everything,
        variants=variant,
        suite=suite,
        dataset=dataset,
        seeds=seeds,
        seed=seed,
        epochs=epochs,
    )
    raise typer.Exit(run_closed(here, plan, priority=priority, slots=slots, device=device, out=out))
