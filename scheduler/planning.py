"""From what somebody asks for to the exact jobs, without writing anything."""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from db.errors import ConfigError
from db.records import NetworkSize, NewJob, NewSubmission
from models import OwnNetworkError, describe, probing
from scheduler._suite_file import COLUMNS, FIRST_SEED, MAX_SEEDS, OF_THE_DATA
from scheduler._wording import explained
from scheduler.config import Config, job_key, network_key, picture_of
from scheduler.datasets import DatasetIdentity, has_columns, identify, is_own, normalise
from scheduler.lengths import check_steps
from scheduler.settings import PROBE_S
from scheduler.suite import Suite

_TRIAL = {"epochs", "dataset"}
"""What a command changes to try a suite out: a training may then be shorter than its learning rates need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """One (label, seed); several labels may share a key, then they are one job."""

    label: str
    title: str
    seed: int
    key: str
    config: Config
    dataset: DatasetIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    suite: Suite
    entries: tuple[PlannedJob, ...]
    overrides: dict[str, Any]
    scope: str
    dataset: str
    configs: dict[str, Config]  # of every label of the suite, overrides applied
    sizes: dict[str, NetworkSize]  # by `network_key`, of networks that are not bench's, or of all

    @property
    def as_printed(self) -> bool:
        """Whether data and protocol are the suite's own: only of them its printed values and its claims speak."""
        # a copy with other files than the published set has a fingerprint
        theirs = all(e.dataset.fingerprint is None for e in self.entries if not is_own(e.dataset.name))
        return theirs and not self.overrides

    def distinct(self) -> list[PlannedJob]:
        """One entry for each key: the jobs as they run."""
        first: dict[str, PlannedJob] = {}
        for entry in self.entries:
            first.setdefault(entry.key, entry)
        return list(first.values())

    def sources(self) -> dict[str, str]:
        """The code of networks that are not bench's, as the store keeps it: by its sha256."""
        wanted = {entry.config.code for entry in self.entries}
        return {name: code.content for name, code in self.suite.own.items() if name in wanted and code.content}

    def new_jobs(self) -> list[NewJob]:
        return [
            NewJob(
                key=entry.key,
                label=entry.label,
                seed=entry.seed,
                config=entry.config.canonical(),
                fingerprint=entry.dataset.fingerprint,
                timeout_s=entry.config.timeout_s,
            )
            for entry in self.entries
        ]

    def submission(self, *, command: str = "") -> NewSubmission:
        """The suite as it is now; printed values and claims come along only for its own data and protocol."""
        suite = self.suite
        return NewSubmission(
            suite=suite.name,
            title=suite.title,
            text=suite.text,
            scope=self.scope,
            dataset=self.dataset,
            overrides=self.overrides,
            variants={
                label: {"title": variant.title, "config": self.configs[label].canonical()}
                for label, variant in suite.variants.items()
            },
            layout={"sweeps": suite.sweeps, "tables": suite.tables, "figures": suite.figures},
            reference=suite.reference if self.as_printed else {},
            claims=suite.claims if self.as_printed else (),
            command=command,
        )


def seeds_of(*, number: int | None, listed: Sequence[int], own: Sequence[int]) -> list[int]:
    """`--seeds N` means 42 ... 42+N-1, `--seed S` the named ones, neither `own`."""
    if number is not None and listed:
        raise ConfigError("--seeds and --seed exclude each other", fix="give one of them")
    if number is not None and not 1 <= number <= MAX_SEEDS:
        raise ConfigError(f"--seeds must be 1 to {MAX_SEEDS}, not {number}", fix="give how many seeds to run")
    if any(not 0 <= seed < 2**31 for seed in listed):
        raise ConfigError("--seed must be 0 to 2147483647", fix="give another seed")
    if number is not None:
        return [FIRST_SEED + offset for offset in range(number)]
    return list(dict.fromkeys(listed)) or list(own)


def make_plan(
    suite: Suite,
    labels: Iterable[str],
    seeds: Sequence[int] | None,
    *,
    data_dir: Path,
    dataset: str | None = None,
    epochs: int | None = None,
    precision: str | None = None,
    probe_s: float = PROBE_S,
    measure_all: bool = False,
    say: Callable[[str], object] = lambda _: None,
) -> Plan:
    """Every (label, seed) with its config and key; without `seeds` each label's own, else the suite's.

    Networks that are not bench's are tried, each for at most `probe_s`; bench's own are measured with `measure_all`.
    Raises ConfigError or DataError; reads only. `say` hears what takes long.
    """
    labels = list(labels)
    overrides = _overrides(suite, dataset, epochs, precision)
    configs = {label: _overridden(variant.config, overrides) for label, variant in suite.variants.items()}
    of_labels = [configs[label] for label in labels]
    identities = _identities(of_labels, data_dir)
    own = {label: suite.seeds_of(label) if seeds is None else seeds for label in labels}
    in_order = dict.fromkeys(itertools.chain(suite.seeds if seeds is None else (), *own.values()))
    asked = {(label, seed) for label in labels for seed in own[label]}
    entries = tuple(
        PlannedJob(
            label=label,
            title=suite.variants[label].title,
            seed=seed,
            key=job_key(config, seed, fingerprint=identities[config.dataset].fingerprint),
            config=config,
            dataset=identities[config.dataset],
        )
        for seed in in_order
        for label in labels
        if (label, seed) in asked
        for config in (configs[label],)
    )
    if not overrides.keys() & _TRIAL:
        for entry in _one_of_each(entries):
            _check_length(suite, entry)
    data = sorted((name, identity.fingerprint or "") for name, identity in identities.items())
    return Plan(
        suite=suite,
        entries=entries,
        overrides=overrides,
        scope=_digest([suite.name, data, overrides, *_pictures(of_labels)]),
        dataset=overrides.get("dataset", normalise(suite.dataset)),
        configs=configs,
        sizes=_sizes(suite, entries, measure_all=measure_all, probe_s=probe_s, say=say),
    )


def _overrides(suite: Suite, dataset: str | None, epochs: int | None, precision: str | None) -> dict[str, Any]:
    """What the command changes of the suite; what it only repeats is none."""
    found: dict[str, Any] = {}
    if dataset is not None and normalise(dataset) != normalise(suite.dataset):
        found["dataset"] = normalise(dataset)
    if epochs is not None and any(variant.config.epochs != epochs for variant in suite.variants.values()):
        found["epochs"] = epochs
    if precision is not None and any(variant.config.precision != precision for variant in suite.variants.values()):
        found["precision"] = precision
    return found


def _identities(configs: Iterable[Config], data_dir: Path) -> dict[str, DatasetIdentity]:
    """By data set; each is checked for all fractions that these configs split it by."""
    wanted = {one.validation_fraction: one for one in configs}  # the other fields of the data are all of theirs
    return {
        one.dataset: identify(
            one.dataset,
            data_dir,
            validation_fraction=validation,
            test_fraction=one.test_fraction,
            columns=one.columns,
        )
        for validation, one in sorted(wanted.items())
    }


def notices(plan: Plan) -> list[str]:
    """What whoever submits it should know: of the suite, of its data, and of budgets that the command goes beyond."""
    of_data = dict.fromkeys(notice for entry in plan.entries for notice in entry.dataset.notices)
    of_plan = [*_over_budget(plan), *_too_short(plan)]
    return [*plan.suite.notices, *(f"{plan.dataset}: {notice}" for notice in of_data), *of_plan]


def _over_budget(plan: Plan) -> list[str]:
    """A sentence for each sweep that takes more than its budget, with the seeds and epochs that the command gave."""
    said = []
    for name, budget in plan.suite.budgets.items():
        points = plan.suite.sweeps[name]["points"]
        epochs = sum(entry.config.epochs for entry in plan.entries if entry.label in points)
        if epochs > budget:
            said.append(f"[sweeps.{name}]: {epochs:,} epochs, more than its budget of {budget:,}.")
    return said


def _too_short(plan: Plan) -> list[str]:
    """A sentence for each variant that the command, not its suite, makes too short for its learning rates."""
    said = []
    for entry in _one_of_each(plan.entries) if plan.overrides.keys() & _TRIAL else ():
        try:
            _check_length(plan.suite, entry)
        except ConfigError as error:
            said.append(f"{error}.")
    return said


def _check_length(suite: Suite, entry: PlannedJob) -> None:
    """Raises ConfigError for a training too short for its own learning rates."""
    images = entry.dataset.training_images(entry.config.validation_fraction)
    check_steps(entry.config, images, f"suite {suite.name!r}: variant {entry.label}")


def _one_of_each(entries: Iterable[PlannedJob]) -> Iterable[PlannedJob]:
    """Of each variant, whatever the seed."""
    return {entry.label: entry for entry in entries}.values()


def _sizes(
    suite: Suite,
    entries: Iterable[PlannedJob],
    *,
    measure_all: bool,
    probe_s: float,
    say: Callable[[str], object],
) -> dict[str, NetworkSize]:
    """Each network that is not bench's is built and run once, on two images. Raises ConfigError."""
    wanted = [entry for entry in _one_of_each(entries) if measure_all or entry.config.code]
    # users' sources last, each with its own: what they patch holds for all that is tried after them
    wanted.sort(key=lambda entry: _contents(suite, entry.config))
    found: dict[str, NetworkSize] = {}
    with probing(limit_s=probe_s, say=say) as probe:
        # where another process loads torch for some, it measures the others too, and this one need not load it
        measured = probe.describe if any(entry.config.code for entry in wanted) else describe
        for entry in wanted:
            config, classes = entry.config, entry.dataset.classes
            if (key := network_key(config.canonical())) in found:
                continue
            own, picture = suite.own.get(config.code or ""), picture_of(config.canonical())
            try:
                size = measured(config.model, classes=classes, arguments=config.arguments, own=own, **picture)
            except OwnNetworkError as error:
                what = f"suite {suite.name!r}: variant {entry.label}: {error}"
                raise ConfigError(what, fix=error.fix) from error
            found[key] = NetworkSize(parameters=size.parameters, flops=size.flops, activations=size.activations)
    return found


def _contents(suite: Suite, config: Config) -> str:
    """The sources that a config's network comes with; empty for bench's own, and what is installed."""
    return suite.own[config.code].content if config.code else ""


def _pictures(configs: Sequence[Config]) -> list[dict[str, Any]]:
    """How the data are read, where it is not the usual way: no report compares results on other pictures or parts."""
    given = [
        {name: one.canonical()[name] for name in OF_THE_DATA[1:] if name in one.canonical()} for one in configs[:1]
    ]
    return [one for one in given if one]


def _overridden(config: Config, overrides: dict[str, Any]) -> Config:
    values = config.canonical() | {"timeout_s": config.timeout_s} | overrides
    values["dataset"] = normalise(values["dataset"])
    if not has_columns(values["dataset"]):
        values = {name: value for name, value in values.items() if name not in COLUMNS}
    try:
        return Config.parse(values)
    except ValidationError as error:
        first = error.errors()[0]
        message, fix = explained(first, Config.model_json_schema(), path=first["loc"])
        raise ConfigError(f"--{'.'.join(map(str, first['loc']))}: {message}", fix=fix) from error


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
