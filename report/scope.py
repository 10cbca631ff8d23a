"""What one report covers: a suite on one data set under one protocol, gathered from the store."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from db.errors import NotFoundError
from db.records import Attempt, Dataset, Job, Result, Submission, Weights
from db.splits import split_name
from db.store import Store
from report.calibration import calibration
from report.numbers import few
from report.points import drawn_text, numbered
from report.theme import colours
from report.variant import Measured, VariantData, kind_of

Whole: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Makes a stored config whole, with the defaults that it leaves out: they are the scheduler's, of which no report
knows. `dict` takes it as it is."""

CHOSEN = "chosen"
"""A printed mark of one point of one sweep; all other printed values belong to a config, whatever its label."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    submission: Submission  # where it speaks of a label whose results are of several kinds, it names each kind's row
    submissions: tuple[Submission, ...]  # all that are reported together, as they were, the oldest first
    variants: Mapping[str, VariantData]  # of every label of the suite, submitted or not
    dataset: Dataset | None
    attempts: Mapping[int, Sequence[Attempt]]
    claimed_at: Mapping[str, datetime]  # when each of the submission's claims was first submitted
    warnings: tuple[str, ...]  # what makes these numbers less comparable than they look
    test_labels: Mapping[str, NDArray[np.int64]]  # (images,) the true classes, by `Measured.images`
    sources: Mapping[str, Mapping[str, str]]  # of users' networks by their sha256: the text of each file by its path
    whole: Whole = dict

    def variant(self, label: str) -> VariantData:
        return self.variants[label]

    @cached_property
    def colours(self) -> Mapping[str, str]:
        """Of each label, in all figures."""
        return colours(self.submission.variants)

    def name(self, label: str) -> str:
        """The variant's title; for a point of a sweep the sweep's title before it."""
        for sweep in self.submission.layout.get("sweeps", {}).values():
            if label in sweep["points"]:
                return f"{sweep['title']}: {sweep['points'][label]}"
        return self.variants[label].title

    def drawn(self, label: str) -> str:
        """What was drawn for it, of a point of a random sweep."""
        return "".join(drawn_text(sweep, label) for sweep in self.submission.layout.get("sweeps", {}).values())

    def reference(self, label: str) -> Mapping[str, float]:
        """Printed values for the same data and protocol: the label's own, else those of a label of equal config."""
        printed = self.submission.reference.get("variants", {})
        described = self.submission.variants
        found: dict[str, float] = {}
        for other in reversed(list(described)):
            if other in printed and described[other]["config"] == described[label]["config"]:
                found |= {name: value for name, value in printed[other].items() if name != CHOSEN}
        found |= printed.get(label, {})
        return found

    def trained_configs(self) -> int:
        """How many configs have results."""
        described = self.submission.variants
        return len({_text(described[label]["config"]) for label, variant in self.variants.items() if variant.done})

    def with_results(self) -> list[VariantData]:
        """Each config with results once, under its first label; points of sweeps are among them."""
        found: dict[tuple[int, ...], VariantData] = {}
        for variant in self.variants.values():
            if variant.done:
                found.setdefault(variant.job_ids, variant)
        return list(found.values())

    def jobs(self) -> list[Job]:
        """Each job once, in the store's order."""
        found = {job.id: job for variant in self.variants.values() for job in variant.jobs}
        return [found[job_id] for job_id in sorted(found)]

    def results(self) -> dict[int, Result]:
        return {job_id: one for variant in self.variants.values() for job_id, one in variant.results.items()}


def read_scope(store: Store, submission_id: int | None, *, whole: Whole = dict) -> Scope:
    """The newest submission, or the one named, with all others of its suite, data and protocol.

    A label means the config that this submission gives it, and counts every job of that config that any of them
    asked for, under whatever label. Results of one config from several kinds of device make a row for each kind.
    Raises NotFoundError for an empty store.
    """
    with store.one_moment():
        return replace(_read_scope(store, submission_id), whole=whole)


def _read_scope(store: Store, submission_id: int | None) -> Scope:
    """Within one moment of the store: of each label its jobs, with what the store holds of them."""
    chosen = numbered(chosen_submission(store, submission_id))
    own = {entry.job_id for entry in store.submitted_jobs(chosen.id)}
    same = [one for one in store.submissions() if one.scope == chosen.scope]
    ids = own.union(*({entry.job_id for entry in store.submitted_jobs(one.id)} for one in same))
    asked = store.jobs(ids)
    by_config = _by_config(asked, own)
    results, histories = store.results(ids), store.histories(ids)
    measured, test_labels = measured_of(store, asked, results)
    variants = {}
    for label, described in chosen.variants.items():
        jobs = by_config.get(_text(described["config"]), ())
        variants[label] = VariantData(
            label=label,
            title=described["title"],
            jobs=tuple(jobs),
            results={job.id: results[job.id] for job in jobs if job.id in results},
            histories={job.id: histories[job.id] for job in jobs if job.id in results},
            measured={job.id: measured[job.id] for job in jobs if job.id in measured},
        )
    dataset, warnings = _dataset(store, chosen, variants)
    warnings += _several_kinds(variants) + _moved(variants) + _copies(variants) + _budgets(chosen, variants)
    rows = {label: _by_kind(variant) for label, variant in variants.items()}
    return Scope(
        submission=_with_rows(chosen, rows),
        submissions=tuple(reversed(same)),
        variants={row.label: row for of in rows.values() for row in of},
        dataset=dataset,
        attempts=store.attempts(ids),
        claimed_at=_claimed_at(store, chosen),
        warnings=warnings,
        test_labels=test_labels,
        sources=_sources(store, variants),
    )


def _sources(store: Store, variants: Mapping[str, VariantData]) -> dict[str, dict[str, str]]:
    names = {job.config["code"] for variant in variants.values() for job in variant.jobs if "code" in job.config}
    found = {name: _texts(store.source(name) or "") for name in sorted(names)}
    return {name: texts for name, texts in found.items() if texts}


def _texts(content: str) -> dict[str, str]:
    """Of what the store has of a user's code, each file by its path; nothing of what somebody has spoilt there."""
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    whole = isinstance(found, dict) and all(isinstance(text, str) for text in found.values())
    return found if whole else {}


def _claimed_at(store: Store, chosen: Submission) -> dict[str, datetime]:
    earlier = [one for one in store.submissions() if one.scope == chosen.scope and one.id <= chosen.id]
    return {text: min(one.created_at for one in earlier if text in one.claims) for text in chosen.claims}


def measured_of(
    store: Store, jobs: Iterable[Job], results: Mapping[int, Result]
) -> tuple[dict[int, Measured], dict[str, NDArray[np.int64]]]:
    """By job, of those of which the store holds predictions; and the labels of each set of test images, kept once."""
    found: dict[int, Measured] = {}
    labels: dict[str, NDArray[np.int64]] = {}
    configs = {job.id: job.config for job in jobs}
    made = cache(lambda name, content: _makes_test_part(store, name, content))
    for job_id, result in results.items():
        config = configs[job_id]
        try:
            predicted = store.predictions(job_id, Weights.BEST)
        except NotFoundError:
            continue
        images = f"{result.fingerprint[:16]} {_digest(predicted.labels)}"
        if made(config["dataset"], result.fingerprint):
            # labels that are in the order of the classes are the same whichever images were drawn
            images += f" {config['split_seed']}"
        labels.setdefault(images, predicted.labels)
        found[job_id] = Measured(
            right=predicted.probabilities.argmax(1) == predicted.labels,
            images=images,
            predictions=_digest(predicted.probabilities),
            calibration=calibration(predicted),
        )
    return found, labels


def _makes_test_part(store: Store, name: str, content: str) -> bool:
    """Whether no test part was given with the data, so that `split_seed` decides which images it has."""
    data = store.dataset(name, content)
    return data is not None and "test" in data.made


def _digest(values: NDArray[Any]) -> str:
    return hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=16).hexdigest()


def chosen_submission(store: Store, submission_id: int | None) -> Submission:
    """The newest, or the one named. Raises NotFoundError."""
    if submission_id is not None:
        return store.submission(submission_id)
    newest = store.submissions()
    if not newest:
        raise NotFoundError("the store has no submission yet", fix="run `bench submit --all` or `bench run --all`")
    return newest[0]


def _text(config: Mapping[str, Any]) -> str:
    return json.dumps(config, sort_keys=True)


def _by_config(jobs: Iterable[Job], own: set[int]) -> dict[str, list[Job]]:
    """By config, then by seed. Of two engine revisions' jobs the chosen submission's own counts, else the newer."""
    kept: dict[str, dict[int, Job]] = {}
    for job in sorted(jobs, key=lambda job: (job.id in own, job.id)):
        kept.setdefault(_text(job.config), {})[job.seed] = job
    return {config: [by_seed[seed] for seed in sorted(by_seed)] for config, by_seed in kept.items()}


def _dataset(
    store: Store, chosen: Submission, variants: Mapping[str, VariantData]
) -> tuple[Dataset | None, tuple[str, ...]]:
    """The data to show: the copy and the split of most results; and a warning when there are several."""
    copies: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    for label, variant in variants.items():
        copies.update(result.fingerprint for result in variant.done)
        config = chosen.variants[label]["config"]
        splits[split_name(config)] += len(variant.jobs)
    fingerprint = copies.most_common(1)[0][0] if copies else None
    warnings = []
    if len(copies) > 1:
        parts = [f"{copy[:12]}: {_trained_on(copy, variants)}" for copy in copies]
        warnings.append(
            f"The results come from {len(copies)} copies of the data with different contents, so their differences are "
            f"not those of the variants alone ({'; '.join(parts)}). The data shown are those of {str(fingerprint)[:12]}"
        )
    used = {split for split, jobs in splits.items() if jobs} or {*splits}
    split = splits.most_common(1)[0][0]
    data = store.dataset(chosen.dataset, fingerprint, split=split)
    if len(used) > 1:
        made = "training, validation and test" if data and "test" in data.made else "training and validation"
        warnings.append(
            f"The variants use {len(used)} splits into {made} ({', '.join(sorted(used))}; fraction "
            f"and seed). The counts shown are those of {split}"
        )
        if data and "test" in data.made:
            warnings[-1] += ". Accuracies on different test images are not compared"
    return data, tuple(warnings)


def _budgets(chosen: Submission, variants: Mapping[str, VariantData]) -> tuple[str, ...]:
    """Of trainings that ended because their seconds were spent: other machines would have trained longer, or less."""
    cut = []
    for label, variant in variants.items():
        config = chosen.variants[label]["config"]
        budget = config.get("train_budget_s")
        epochs = [one.epochs for one in variant.done if budget is not None and one.train_s >= budget]
        epochs = [number for number in epochs if number < config["epochs"]]
        if epochs:
            numbers = " to ".join(map(str, sorted({min(epochs), max(epochs)})))
            cut.append(f"{label}: {budget:g} s, epochs {numbers} of {config['epochs']}")
    warning = (
        "Trainings ended when their seconds were spent (train_budget_s): how far they came depends on the machine and "
        f"on what else ran there, and another one gives other numbers ({'; '.join(cut)})"
    )
    return (warning,) if cut else ()


def _trained_on(fingerprint: str, variants: Mapping[str, VariantData]) -> str:
    return ", ".join(
        label for label, variant in variants.items() if any(one.fingerprint == fingerprint for one in variant.done)
    )


def _several_kinds(variants: Mapping[str, VariantData]) -> tuple[str, ...]:
    """A warning where devices differ; precisions differ only between configs, where somebody asked for it."""
    labels: dict[str, list[str]] = {}
    for label, variant in variants.items():
        for device in sorted({result.device for result in variant.done}):
            labels.setdefault(device, []).append(label)
    if len(labels) < 2:
        return ()
    parts = "; ".join(f"{device}: {', '.join(of)}" for device, of in labels.items())
    apart = "so their differences are not those of the variants alone"
    rows = "A variant with results from several has a row for each"
    return (f"The results come from {len(labels)} kinds of device, {apart} ({parts}). {rows}",)


def _moved(variants: Mapping[str, VariantData]) -> tuple[str, ...]:
    """A warning of trainings that went on elsewhere: what else is told of such a result is where it ended."""
    names: dict[str, dict[int, str]] = {}
    for variant in variants.values():
        for job in variant.jobs:
            result = variant.results.get(job.id)
            if result and "trained_on" in result.environment:
                places = " and ".join(result.environment["trained_on"])
                names.setdefault(places, {}).setdefault(job.id, f"{variant.label} seed {job.seed}")
    if not names:
        return ()
    parts = "; ".join(f"{places}: {few([*of.values()])}" for places, of in names.items())
    alone = "their numbers are those of none of these places alone, and stand where they ended"
    return (f"Some trainings went on elsewhere from a checkpoint: {alone} ({parts})",)


def _copies(variants: Mapping[str, VariantData]) -> tuple[str, ...]:
    """A warning where several seeds predicted the same in every number."""
    told = [
        f"{variant.label}: {len(variant.measured)} seeds, {len(variant.distinct)} of them different"
        for variant in variants.values()
        if len(variant.distinct) < len(variant.measured)
    ]
    if not told:
        return ()
    once = "They count once: a copy is no evidence"
    return (f"Some seeds gave the same predictions in every number ({'; '.join(told)}). {once}",)


def _by_kind(variant: VariantData) -> list[VariantData]:
    """The variant as it is when its results are of one kind; else a row for each, and one for jobs without a result."""
    kinds = sorted({kind_of(result) for result in variant.done})
    if len(kinds) < 2:
        return [variant]
    rows = [_of_kind(variant, kind) for kind in kinds]
    open_jobs = tuple(job for job in variant.jobs if job.id not in variant.results)
    return rows + ([replace(variant, jobs=open_jobs, results={}, histories={}, measured={})] if open_jobs else [])


def _of_kind(variant: VariantData, kind: str) -> VariantData:
    results = {job_id: result for job_id, result in variant.results.items() if kind_of(result) == kind}
    return VariantData(
        label=f"{variant.label} ({kind})",
        title=f"{variant.title} ({kind})",
        jobs=tuple(job for job in variant.jobs if job.id in results),
        results=results,
        histories={job_id: variant.histories[job_id] for job_id in results},
        measured={job_id: one for job_id, one in variant.measured.items() if job_id in results},
    )


def _with_rows(chosen: Submission, rows: Mapping[str, Sequence[VariantData]]) -> Submission:
    """The submission with each label's rows in its place, wherever it names labels."""
    if all([row.label for row in of] == [label] for label, of in rows.items()):
        return chosen
    described = {
        row.label: {**chosen.variants[label], "title": row.title, "kind": row.label.removeprefix(label)}
        for label, of in rows.items()
        for row in of
    }
    layout = dict(chosen.layout)
    layout["sweeps"] = {name: _sweep(sweep, rows) for name, sweep in layout.get("sweeps", {}).items()}
    for part in ("tables", "figures"):
        layout[part] = [_shown(one, rows) for one in layout.get(part, [])]
    reference = dict(chosen.reference)
    if reference:
        printed = reference["variants"]
        reference["variants"] = {row.label: printed[label] for label in printed for row in rows[label]}
    return replace(chosen, variants=described, layout=layout, reference=reference)


def _sweep(sweep: Mapping[str, Any], rows: Mapping[str, Sequence[VariantData]]) -> dict[str, Any]:
    """Its points' titles, with the kind after those of several rows."""
    points = {
        row.label: title + row.label.removeprefix(label)
        for label, title in sweep["points"].items()
        for row in rows[label]
    }
    drawn = {row.label: of for label, of in sweep.get("drawn", {}).items() for row in rows[label]}
    return {**sweep, "points": points, **({"drawn": drawn} if drawn else {})}


def _shown(one: Mapping[str, Any], rows: Mapping[str, Sequence[VariantData]]) -> dict[str, Any]:
    """A table or figure of these rows; the history of one variant becomes that of several."""
    given = one.get("variants", [])
    labels = [row.label for label in given for row in rows[label]]
    several = {"kind": "histories"} if one["kind"] == "history" and len(labels) > len(given) else {}
    return {**one, "variants": labels, **several}
