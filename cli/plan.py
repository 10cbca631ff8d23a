"""`bench plan`: what a submit would add, and what it would find."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli import _options as options
from cli._schemas import numbered
from cli._tables import Table, table

if TYPE_CHECKING:
    from db.records import Job
    from scheduler.disk import Bytes, Disk
    from scheduler.duration import Durations
    from scheduler.epoch_time import Estimate
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

    With their networks' sizes, whether the store has them already, the time and the disk they need; changes nothing.
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
        measure_all=True,
    )
    known = _known(here)
    rows, estimates = _rows(found, known)
    left = known.durations.scheduled(estimates)
    room = _room(found, rows, known, here)
    retried = [known.jobs[row["key"]].id for row in rows if row["state"] in _ENDED_BADLY]
    if as_json:
        told = numbered(
            "plan",
            counts=_counts(rows),
            time_left_s=span_list(left.whole),
            disk=_disk_dict(room),
            retry=retried,
            jobs=rows,
        )
        options.put(json.dumps(told, indent=2))
        return
    options.show([_table(rows, _drawn(found))])
    options.say(f"{options.number(len(rows), 'job')}: {_counted(rows)}. Data: {found.dataset}.")
    if retried:
        from cli._progress import retry_command

        options.say(f"A submit leaves what ended badly: {retry_command(retried)} queues it again.")
    if estimates:
        options.say(f"Time: {time_left(left)}{_basis([one for _, one in estimates]) if left.whole else ''}.")
    options.say(_disk_words(room))


_ENDED_BADLY = ("failed", "cancelled")
_WORDS = {"new": "new", "queued": "waiting", "running": "running", "done": "done already"}


def _counts(rows: "list[dict[str, Any]]") -> dict[str, int]:
    """How many are new, and how many are in each state."""
    from db.records import JobState

    return {state: sum(row["state"] == state for row in rows) for state in ("new", *map(str, JobState))}


def _counted(rows: "list[dict[str, Any]]") -> str:
    told = _counts(rows)
    return ", ".join(f"{told[state]} {_WORDS.get(state, state)}" for state in told if told[state] or state == "new")


def _room(found: "Plan", rows: "list[dict[str, Any]]", known: "_Known", here: "Settings") -> "Disk":
    """What the jobs that are new, wait or run will need."""
    import os
    from dataclasses import asdict

    from db.records import WAITING
    from scheduler.disk import Bytes, Training, disk

    open_states = {"new", *map(str, WAITING)}
    trainings = [
        Training(
            config=job.config.canonical(),
            parameters=row["parameters"],
            classes=job.dataset.classes,
            test_images=job.dataset.images[1],
        )
        for job, row in zip(found.distinct(), rows, strict=True)
        if row["state"] in open_states
    ]
    return disk(
        trainings,
        text=len(json.dumps(asdict(found.submission()))),
        new_store=known.is_new,
        known={name: (number, Bytes(least, most)) for name, (number, least, most) in known.predictions.items()},
        at_once=min(len(trainings), max(known.durations.slots, os.cpu_count() or 1)),
        kept=here.keep_checkpoints,
    )


def _disk_dict(room: "Disk") -> dict[str, Any]:
    return {
        "store_bytes": [round(end) for end in room.store],
        "checkpoint_bytes": [round(end) for end in room.checkpoints],
        "measured_jobs": room.measured,
    }


def _disk_words(room: "Disk") -> str:
    basis = f"from {options.number(room.measured, 'job')} on this data" if room.measured else "guessed"
    if not room.checkpoints.high:  # nothing is left to train
        return f"Disk: {_size(room.store)} in the store."
    return f"Disk: store {_size(room.store)}, {basis}; checkpoints meanwhile {_size(room.checkpoints)}."


def _size(room: "Bytes") -> str:
    """0.2-1.3 MiB: in the unit of its end, rounded outwards to two digits."""
    unit, one = next((unit, one) for unit, one in _UNITS if room.high >= one or one == 1024)
    low, high = (_outwards(end / one, up) for end, up in ((room.low, False), (room.high, True)))
    return f"< {high:g} {unit}" if not low else f"{low:g}-{high:g} {unit}"


_UNITS = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def _outwards(value: float, up: bool) -> float:
    step = 0.1 if value < 10 else 10 ** (math.floor(math.log10(value)) - 1)
    steps = value / step
    return round((math.ceil(steps) if up else math.floor(steps)) * step, 1)


def _basis(estimates: "Sequence[Estimate | None]") -> str:
    """What the time of the jobs comes from."""
    from scheduler.epoch_time import Source

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the store has: jobs by key, how long jobs take, and how large predictions are, by data set."""

    is_new: bool  # there is none yet
    jobs: "dict[str, Job]"
    durations: "Durations"
    predictions: dict[str, tuple[int, int, int]]


def _known(here: "Settings") -> _Known:
    """Nothing where there is no store, since a plan makes none."""
    from db.errors import NoStoreError
    from db.records import Measured
    from scheduler.duration import Durations

    try:
        store = options.opened(here, create=False)
    except NoStoreError:
        return _Known(is_new=True, jobs={}, durations=Durations(Measured()), predictions={})
    with closing(store):
        workers = store.workers(seen_within_s=here.lease_s)
        durations = Durations(store.measured(), workers, otherwise=0 if workers else _slots_of_a_run())
        jobs = {job.key: job for job in store.jobs()}
        return _Known(is_new=False, jobs=jobs, durations=durations, predictions=store.prediction_bytes())


def _slots_of_a_run() -> int:
    """As many as `bench run` would start here."""
    from worker.devices import auto_slots, choose_device

    return auto_slots(choose_device(os.environ.get("BENCH_DEVICE") or "auto"))


def _rows(
    found: "Plan", known: _Known
) -> "tuple[list[dict[str, Any]], list[tuple[Mapping[str, Any], Estimate | None]]]":
    """A row for each job; and config and time of each that a submit queues or finds waiting, the longest first."""
    from cli._progress import span_list
    from db.records import WAITING
    from scheduler.config import network_key

    configs = {}
    sizes = {}
    rows = []
    estimates = []
    for job in found.distinct():
        if job.label not in configs:  # once for all seeds: a key is a hash
            configs[job.label] = job.config.canonical()
            sizes[job.label] = found.sizes[network_key(configs[job.label])]
        there, size, config = known.jobs.get(job.key), sizes[job.label], configs[job.label]
        estimate = None
        if there is None or there.state in WAITING:
            estimate = known.durations.left(there) if there else None
            if estimate is None:  # the FLOPs of a job that waits may not be counted yet; here they are
                images = job.dataset.images[0]
                estimate = known.durations.planned(config, size.flops, images=images)
            estimates.append((config, estimate))
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
    return rows, sorted(estimates, key=lambda one: -sum(one[1].span) if one[1] else 0.0)
