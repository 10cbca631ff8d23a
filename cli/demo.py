"""`bench demo`: the whole suite on the digits, small enough for a coffee break, without a network."""

from pathlib import Path
from typing import Annotated

import typer

from cli import _options as options

EPOCHS = 1  # the ResNet alone takes a minute of a core for each


def demo(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the demo keeps its store and its report.")] = Path(
        "bench-demo"
    ),
    precision: options.Precision = None,
    slots: options.Slots = None,
    device: options.Device = "auto",
) -> None:
    """Try everything on a small data set, offline.

    Trains the whole built-in suite on scikit-learn's digits with one epoch each, and reports.
    """
    from cli._closed import run_closed

    # a store and a broker of its own: a demo must never mix with somebody's work
    here = options.settings(home=out / "home", database_url="", broker_url="", artifacts_url="")
    plan = options.planned(
        here,
        everything=True,
        variants=None,
        suite="report",
        dataset="digits",
        seeds=None,
        seed=None,
        epochs=EPOCHS,
        precision=precision,
    )
    folder = options.out_folder(out / "report")
    raise typer.Exit(run_closed(here, plan, priority=0, slots=slots, device=device, out=folder))
