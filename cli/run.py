"""`bench run`: submit, work, show, report, in one process tree."""

import typer

from cli import _options as options


def run(
    everything: options.All = False,
    variant: options.Variants = None,
    suite: options.SuiteName = "report",
    dataset: options.Dataset = None,
    seeds: options.Seeds = None,
    seed: options.Seed = None,
    epochs: options.Epochs = None,
    precision: options.Precision = None,
    priority: options.Priority = 0,
    slots: options.Slots = None,
    device: options.Device = "auto",
    no_graph: options.NoGraph = False,
    out: options.Out = None,
) -> None:
    """Submit, train here, and write the report.

    Shows the progress. Ctrl-C is safe: the same command goes on.
    """
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
        precision=precision,
    )
    folder = options.out_folder(out)
    raise typer.Exit(
        run_closed(here, plan, priority=priority, slots=slots, device=device, graph=not no_graph, out=folder)
    )
