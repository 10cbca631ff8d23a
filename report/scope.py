"""What one report covers: a suite on one data set under one protocol, gathered from the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.errors import NotFoundError
from db.records import Dataset, EpochRecord, Job, JobState, Result, Submission
from db.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantData:
    """A label with its jobs, by seed; `results` and `histories` are those of the jobs that have them."""

    label: str
    title: str
    jobs: tuple[Job, ...]
    results: Mapping[int, Result]
    histories: Mapping[int, Sequence[EpochRecord]]

    @property
    def done(self) -> list[Result]:
        """The results, in the order of the jobs."""
        return [self.results[job.id] for job in self.jobs if job.id in self.results]

    @property
    def state(self) -> str:
        """In words for a reader: what is there, and what is missing."""
        if not self.jobs:
            return "not submitted"
        parts = []
        for state in JobState:
            these = [job for job in self.jobs if job.state is state]
            if these and state is JobState.FAILED:
                causes = ", ".join(sorted({str(job.cause) for job in these}))
                parts.append(f"{len(these)} failed: {causes}")
            elif these:
                parts.append(f"{len(these)} {state}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    submission: Submission
    variants: Mapping[str, VariantData]  # of every label of the suite, submitted or not
    dataset: Dataset | None
    attempts: Mapping[int, Sequence[Any]]

    def variant(self, label: str) -> VariantData:
        return self.variants[label]

    def reference(self, label: str) -> Mapping[str, float]:
        """Printed values for the same data and protocol; empty where there are none."""
        found: Mapping[str, float] = self.submission.reference.get("variants", {}).get(label, {})
        return found

    def jobs(self) -> list[Job]:
        """Each job once, in the store's order."""
        found = {job.id: job for variant in self.variants.values() for job in variant.jobs}
        return [found[job_id] for job_id in sorted(found)]

    def results(self) -> dict[int, Result]:
        return {job_id: one for variant in self.variants.values() for job_id, one in variant.results.items()}


def read_scope(store: Store, submission_id: int | None) -> Scope:
    """The newest submission, or the one named, with all others of its suite, data and protocol.

    A label means the config that the newest of them gives it. Raises NotFoundError for an empty store.
    """
    with store.one_moment():
        return _read_scope(store, submission_id)


def _read_scope(store: Store, submission_id: int | None) -> Scope:
    if submission_id is not None:
        chosen = store.submission(submission_id)
    else:
        newest = store.submissions()
        if not newest:
            raise NotFoundError("the store has no submission yet", fix="run `bench submit --all` or `bench run --all`")
        chosen = newest[0]
    same = [one for one in store.submissions() if one.scope == chosen.scope]
    asked: dict[str, set[int]] = {label: set() for label in chosen.variants}
    for one in same:
        for entry in store.submitted_jobs(one.id):
            if entry.label in asked:
                asked[entry.label].add(entry.job_id)
    ids = set().union(*asked.values())
    jobs = {job.id: job for job in store.jobs(ids)}
    results, histories = store.results(ids), store.histories(ids)
    variants = {}
    for label, described in chosen.variants.items():
        own = sorted((jobs[i] for i in asked[label] if jobs[i].config == described["config"]), key=lambda job: job.seed)
        variants[label] = VariantData(
            label=label,
            title=described["title"],
            jobs=tuple(own),
            results={job.id: results[job.id] for job in own if job.id in results},
            histories={job.id: histories[job.id] for job in own if job.id in results},
        )
    prints = {result.fingerprint for result in results.values()}
    dataset = store.dataset(chosen.dataset, prints.pop() if len(prints) == 1 else None)
    return Scope(submission=chosen, variants=variants, dataset=dataset, attempts=store.attempts(ids))
