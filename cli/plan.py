"""`bench plan`: what a submit would add, and what it would find."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from cli import _options as options
from cli._schemas import numbered
from cli._tables import Table, table

if TYPE_CHECKING:
    from db.records import Job
    from scheduler.duration import Durations, Estimate
    from scheduler.planning import Plan
    from scheduler.settings import Settings

_EACH = 40  # jobs: of more than these, those that differ in their seed alone are one line


def plan(
    everything: options.All = False,
    variant: options.Variants = None,
    suite: options.SuiteName = "report",
    dataset: options.Dataset = None,
    seeds: options.Seeds = None,
    seed: options.Seed = None,
    epochs: options.Epochs = None,
    precision: options.Precision = None,
    as_json: options.Json = False,
) -> None:
    """Show the exact jobs of a submit.

    With their networks' sizes and whether the store has them already; changes nothing.
    """
    from cli._progress import span_list, time_left

    here = options.settings()
    found = options.planned(
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
    jobs, durations = _known(here)
    rows, estimates = _rows(found, jobs, durations)
    left = durations.scheduled(
        [one.span for one in estimates if one is not None], unknown=sum(one is None for one in estimates)
    )
    if as_json:
        options.put(json.dumps(numbered("plan", time_left_s=span_list(left.whole), jobs=rows), indent=2))
        return
    options.show([_table(rows, _drawn(found))])
    new = sum(row["state"] == "new" for row in rows)
    options.say(f"{options.number(len(rows), 'job')}: {new} new, {len(rows) - new} known. Data: {found.dataset}.")
    if estimates:
        options.say(f"Time: {time_left(left)}{_basis(estimates) if left.whole else ''}.")


def _basis(estimates: "Sequence[Estimate | None]") -> str:
    """What the time of the jobs comes from."""
    from scheduler.duration import Source

    guessed = sum(one is not None and one.source is Source.FLOPS for one in estimates)
    if not guessed:
        return ", from measured epochs"
    if guessed == len(estimates):
        return ", guessed from FLOPs and what other networks reached"
    return f", {options.number(guessed, 'job')} of {len(estimates)} guessed from FLOPs, the others from measured epochs"


def _table(rows: "Sequence[dict[str, Any]]", drawn: "Mapping[str, str]") -> Table:
    """Without the data set, of which a plan has one: it stands below. Many jobs: a variant's seeds share a line."""
    head = ["variant", "seed", "epochs", "learn. rate", "parameters", "MFLOP/image", "state"]
    precise = any(row["precision"] != "float32" for row in rows)  # a column that is all float32 would only take room
    lines: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows):
        line = (
            *(drawn.get(row["variant"], row["variant"]), str(row["epochs"]), f"{row['learning_rate']:g}"),
            *(f"{row['parameters']:,}", f"{row['flops'] / 1e6:,.1f}", str(row["state"])),
            *([str(row["precision"])] if precise else []),
            *([str(number)] if len(rows) <= _EACH else []),
        )
        lines.setdefault(line, []).append(row["seed"])
    width = len(head) + precise
    shown = [[name, _ranges(seeds), *rest][:width] for (name, *rest), seeds in lines.items()]
    return table([*head, *(["precision"] if precise else [])], shown, right={1, 2, 3, 4, 5})


def _drawn(found: "Plan") -> dict[str, str]:
    """Of random points, whose labels are numbers: the label, and what was drawn."""
    sweeps = {name: sweep for name, sweep in found.suite.sweeps.items() if "drawn" in sweep}
    return {label: f"{name}={title}" for name, sweep in sweeps.items() for label, title in sweep["points"].items()}


def _ranges(seeds: "Sequence[int]") -> str:
    """`42-44, 50`."""
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _known(here: "Settings") -> "tuple[dict[str, Job], Durations]":
    """The store's jobs by key, and how long jobs take; neither where there is no store, since a plan makes none."""
    from db.errors import NoStoreError
    from db.records import Measured
    from scheduler.duration import Durations

    try:
        store = options.opened(here, create=False)
    except NoStoreError:
        return {}, Durations(Measured())
    with closing(store):
        durations = Durations(store.measured(), store.workers(seen_within_s=here.lease_s))
        return {job.key: job for job in store.jobs()}, durations


def _rows(
    found: "Plan", known: "dict[str, Job]", durations: "Durations"
) -> "tuple[list[dict[str, Any]], list[Estimate | None]]":
    """A row for each job; and the time of each that a submit queues or finds waiting, the longest first."""
    from cli._progress import span_list
    from db.records import WAITING
    from models import describe
    from scheduler.config import picture_of

    sizes = {}
    rows = []
    estimates = []
    for job in found.distinct():
        config = job.config
        network = (config.model, config.code, json.dumps(config.arguments), job.dataset.classes)
        if network not in sizes:
            own, picture = found.suite.own.get(config.code or ""), picture_of(config.canonical())
            sizes[network] = describe(
                config.model, classes=job.dataset.classes, arguments=config.arguments, own=own, **picture
            )
        there, size = known.get(job.key), sizes[network]
        estimate = None
        if there is None or there.state in WAITING:
            estimate = durations.left(there) if there else None
            if estimate is None:  # the FLOPs of a job that waits may not be counted yet; here they are
                images = job.dataset.images[0]
                estimate = durations.planned(job.config.canonical(), size.flops, images=images)
            estimates.append(estimate)
        rows.append(
            {
                "variant": job.label,
                "key": job.key,
                "seed": job.seed,
                "parameters": size.parameters,
                "flops": size.flops,
                "state": str(there.state) if there else "new",
                "dataset": job.config.dataset,
                "epochs": job.config.epochs,
                "learning_rate": job.config.learning_rate,
                "precision": job.config.precision,
                "time_left_s": span_list(estimate.span if estimate else None),
                "time_from": str(estimate.source) if estimate else None,
            }
        )
    return rows, sorted(estimates, key=lambda one: -sum(one.span) if one else 0.0)
