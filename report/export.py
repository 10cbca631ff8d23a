"""What the store holds as rows for other programs: complete, in one order; docs/export.md explains every column.

Jobs are read at once, their epochs, results and predictions in parts, so that a large store needs little memory.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from db.errors import NotFoundError
from db.records import EpochRecord, Job, JobState, Predictions, Result, Scores, Weights
from db.store import Store

_PART = 50  # jobs whose rows are in memory together
_PROBABILITY = "probability_"


class Kind(StrEnum):
    """What a column holds; a moment is an aware datetime in UTC."""

    WHOLE = "whole number"
    NUMBER = "number"
    FLAG = "true or false"
    TEXT = "text"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind


Row: TypeAlias = Sequence[Any]
"""A value or None for each column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    what: str
    columns: tuple[Column, ...]
    rows: Iterator[Row]


def exported(
    store: Store, what: str, *, submission_id: int | None = None, jobs: Sequence[Job] | None = None
) -> Exported:
    """The rows of one of `WHAT`: of these jobs, or of those that a submission asked for, or of all.

    A report is of one submission's suite, data and protocol anyway: without one, of the newest. Raises NotFoundError.
    """
    if what == "report":
        return Exported(what=what, columns=_REPORT, rows=_report_rows(store, submission_id))
    jobs = jobs_of(store, submission_id) if jobs is None else jobs
    if what == "predictions":
        classes = store.most_classes(job.id for job in jobs)
        columns = (*_PREDICTIONS, *(Column(f"{_PROBABILITY}{number}", Kind.NUMBER) for number in range(classes)))
        return Exported(what=what, columns=columns, rows=_prediction_rows(store, jobs, classes))
    columns, rows = _BY_JOB[what]
    return Exported(what=what, columns=columns, rows=rows(store, jobs))


def jobs_of(store: Store, submission_id: int | None) -> list[Job]:
    """By id, as all rows are."""
    if submission_id is None:
        return store.jobs()
    store.submission(submission_id)  # names those that there are
    return store.jobs({one.job_id for one in store.submitted_jobs(submission_id)})


def _parts(jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
    for start in range(0, len(jobs), _PART):
        yield jobs[start : start + _PART]


def _columns(**kinds: str) -> tuple[Column, ...]:
    """The columns of each kind, named in one line: `whole="id seed"`."""
    return tuple(Column(name, Kind[kind.upper()]) for kind, names in kinds.items() for name in names.split())


_SCORES = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy")
_COST = (
    "epochs",
    "stopped_early",
    "parameters",
    "flops",
    "train_s",
    "eval_s",
    "peak_mib",
    "energy_j",
    "device",
    "precision",
)
_RESULT = (
    *(
        Column(f"{weights}_{name}", Kind.WHOLE if name == "epoch" else Kind.NUMBER)
        for weights in Weights
        for name in _SCORES
    ),
    Column("epochs_trained", Kind.WHOLE),
    Column("stopped_early", Kind.FLAG),
    *_columns(whole="parameters flops", number="train_s eval_s peak_mib energy_j", text="device precision"),
    *_columns(text="data_fingerprint environment best_confusion last_confusion"),
)
_JOBS = (
    *_columns(whole="job"),
    *_columns(text="key variant"),
    *_columns(whole="seed"),
    *_columns(text="state cause message"),
    *_columns(whole="attempts epoch epochs priority"),
    *_columns(text="config fingerprint"),
    *_columns(moment="created_at started_at finished_at"),
    *_RESULT,
)


def _job_rows(store: Store, jobs: Sequence[Job]) -> Iterator[Row]:
    for part in _parts(jobs):
        results = store.results(job.id for job in part if job.state is JobState.DONE)
        for job in part:
            yield (*_job(job), *_result(results.get(job.id)))


def _job(job: Job) -> Row:
    return (
        *(job.id, job.key, job.label, job.seed, str(job.state), str(job.cause) if job.cause else None, job.message),
        *(job.attempt, job.epoch, job.epochs, job.priority, _text(job.config), job.fingerprint),
        *(job.created_at, job.started_at, job.finished_at),
    )


def _result(result: Result | None) -> Row:
    if result is None:
        return (None,) * len(_RESULT)
    return (
        *(_scores(result.best)),
        *(_scores(result.last)),
        *(getattr(result, name) for name in _COST),
        *(result.fingerprint, _text(result.environment)),
        *(_text(result.best.confusion), _text(result.last.confusion)),
    )


def _scores(scores: Scores) -> Row:
    return tuple(getattr(scores, name) for name in _SCORES)


def _text(value: Any) -> str:
    return json.dumps(dict(value) if hasattr(value, "keys") else value, sort_keys=True)


_EPOCH_FIELDS = tuple(EpochRecord.__dataclass_fields__)[1:]
_EPOCHS = (
    *_columns(whole="job"),
    *_columns(text="variant"),
    *_columns(whole="seed attempt epoch", flag="counted", moment="recorded_at"),
    *(Column(name, Kind.NUMBER) for name in _EPOCH_FIELDS),
)


def _epoch_rows(store: Store, jobs: Sequence[Job]) -> Iterator[Row]:
    for part in _parts(jobs):
        known = {job.id: job for job in part}
        for one in store.recorded_epochs(known):
            job = known[one.job_id]
            about = (job.id, job.label, job.seed, one.attempt, one.record.epoch, one.counted, one.at)
            yield (*about, *(getattr(one.record, name) for name in _EPOCH_FIELDS))


_PREDICTIONS = (
    *_columns(whole="job"),
    *_columns(text="variant"),
    *_columns(whole="seed", text="weights"),
    *_columns(whole="image label predicted", text="label_name predicted_name"),
)


def _prediction_rows(store: Store, jobs: Sequence[Job], classes: int) -> Iterator[Row]:
    names: dict[tuple[str, str], Sequence[str]] = {}
    for part in _parts([job for job in jobs if job.state is JobState.DONE]):
        results = store.results(job.id for job in part)
        for job in part:
            data = (str(job.config["dataset"]), results[job.id].fingerprint)
            if data not in names:
                found = store.dataset(*data)
                names[data] = found.classes if found else ()
            for weights in Weights:
                about = (job.id, job.label, job.seed, str(weights))
                for row in _images(_predictions(store, job.id, weights), names[data], classes):
                    yield (*about, *row)


def _predictions(store: Store, job_id: int, weights: Weights) -> Predictions | None:
    try:
        return store.predictions(job_id, weights)
    except NotFoundError:
        return None


def _images(seen: Predictions | None, names: Sequence[str], classes: int) -> Iterator[Row]:
    """A row for each test image; without the names of the classes where the store has none, padded to `classes`."""
    if seen is None:
        return
    padding = (None,) * (classes - seen.probabilities.shape[1])
    predicted = seen.probabilities.argmax(1).tolist()
    for image, (label, guess, values) in enumerate(
        zip(seen.labels.tolist(), predicted, seen.probabilities, strict=True)
    ):
        told = (names[label], names[guess]) if names else (None, None)
        yield (image, label, guess, *told, *values.tolist(), *padding)


_REPORT = (
    *_columns(text="table"),
    *_columns(whole="row"),
    *_columns(text="column", number="number"),
    *_columns(text="text"),
)


def _report_rows(store: Store, submission_id: int | None) -> Iterator[Row]:
    """Every value of every table of a report, one a row: tables differ in their columns."""
    from report.pairs import compare
    from report.scope import read_scope
    from report.write import every_table

    scope = read_scope(store, submission_id)
    for table in every_table(scope, compare(scope)):
        for number, values in enumerate(table.values, start=1):
            for name, value in values.items():
                yield (table.name, number, name, *_number_or_text(value))


def _number_or_text(value: Any) -> tuple[float | None, str | None]:
    if value is None or isinstance(value, str):
        return None, value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value, None
    return None, json.dumps(value)


_BY_JOB: dict[str, tuple[tuple[Column, ...], Callable[[Store, Sequence[Job]], Iterator[Row]]]] = {
    "jobs": (_JOBS, _job_rows),
    "epochs": (_EPOCHS, _epoch_rows),
}
WHAT = (*_BY_JOB, "predictions", "report")
COLUMNS = {"jobs": _JOBS, "epochs": _EPOCHS, "predictions": _PREDICTIONS, "report": _REPORT}
"""Of each; predictions have one `probability_K` more for each class K, counted from 0."""
