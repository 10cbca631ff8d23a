"""`bench plan`: what a submit would add, and what it would find."""

import json
from typing import TYPE_CHECKING, Any

from cli import _options as options
from cli._tables import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scheduler.planning import Plan
    from scheduler.settings import Settings


def plan(
    everything: options.All = False,
    variant: options.Variants = None,
    suite: options.SuiteName = "report",
    dataset: options.Dataset = None,
    seeds: options.Seeds = None,
    seed: options.Seed = None,
    epochs: options.Epochs = None,
    as_json: options.Json = False,
) -> None:
    """Show the exact jobs of a submit.

    With their networks' sizes and whether the store has them already; changes nothing.
    """
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
    )
    rows = _rows(here, found)
    if as_json:
        options.put(json.dumps({"jobs": rows}, indent=2))
        return
    options.show([_table(rows)])
    new = sum(row["state"] == "new" for row in rows)
    options.say(f"{options.number(len(rows), 'job')}: {new} new, {len(rows) - new} known. Data: {found.dataset}.")


def _table(rows: "list[dict[str, Any]]") -> "RenderableType":
    """Without the data set, of which a plan has one: it stands below."""
    head = ["variant", "seed", "epochs", "learn. rate", "parameters", "MFLOP/image", "state"]
    shown = [
        [
            *(row["variant"], row["seed"], row["epochs"], f"{row['learning_rate']:g}"),
            *(f"{row['parameters']:,}", f"{row['flops'] / 1e6:,.1f}", row["state"]),
        ]
        for row in rows
    ]
    return table(head, shown, right={1, 2, 3, 4, 5})


def _known_states(here: "Settings") -> dict[str, str]:
    """Of each job by key; nothing where there is no store yet, since a plan must not make one."""
    from db.errors import NoStoreError

    try:
        store = options.opened(here, create=False)
    except NoStoreError:
        return {}
    states = {job.key: str(job.state) for job in store.jobs()}
    store.close()
    return states


def _rows(here: "Settings", found: "Plan") -> list[dict[str, Any]]:
    from models import describe

    states = _known_states(here)
    sizes = {}
    rows = []
    for job in found.distinct():
        network = (job.config.model, json.dumps(job.config.arguments), job.dataset.classes)
        if network not in sizes:
            sizes[network] = describe(job.config.model, classes=job.dataset.classes, arguments=job.config.arguments)
        rows.append(
            {
                "variant": job.label,
                "key": job.key,
                "seed": job.seed,
                "parameters": sizes[network].parameters,
                "flops": sizes[network].flops,
                "state": states.get(job.key, "new"),
                "dataset": job.config.dataset,
                "epochs": job.config.epochs,
                "learning_rate": job.config.learning_rate,
            }
        )
    return rows
