"""The tables, as rows of plain values first, as text afterwards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from db.records import Attempt, Cause, Job, JobState, Result, Scores
from report.numbers import NOTHING, Show, interval_text, loss, percent, whole
from report.scope import CHOSEN, Scope
from report.statistics import summarise
from report.variant import VariantData, kind_of

ONE_SEED = "one seed: the noise of seeds is unknown"
ONE_SEED_INTERVAL = "the interval of one seed (Wilson's, of a share of images) holds the noise of the test images only"
SEEDS = "several seeds: mean ± one standard deviation over seeds"
SEEDS_INTERVAL = "the interval of several seeds holds the noise of seeds and of test images, cut off at 0 and 100"
THESE_IMAGES = "where there are no predictions, the noise of seeds alone"
TWO_SEEDS = "2 seeds: the interval is very wide"
BEST = "best: the weights of the lowest validation loss"
LAST = "last: those of the last epoch"
FAILURES = "attempts_without_result"

Columns = list[tuple[str, Callable[[VariantData], str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`cells` are texts for people; `values` the same rows as numbers, for CSV and JSON."""

    name: str
    title: str
    note: str
    head: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    values: tuple[dict[str, Any], ...]
    fields: tuple[str, ...] = ()  # of `values`, where there may be none
    shown: bool = True  # False: nothing was submitted for any of its rows


def build_tables(scope: Scope) -> list[Table]:
    """Those that the suite asks for, then what every report has: attempts that ended badly."""
    kinds = {"training": _training, "results": _results, "tuning": _tuning}
    tables = [kinds[wanted["kind"]](scope, wanted) for wanted in scope.submission.layout.get("tables", [])]
    return [*tables, _failures(scope)]


def mean_text(values: Sequence[float], show: Show) -> str:
    """Mean, with the deviation when there are several seeds; a dash for nothing."""
    found = summarise(values)
    if found is None:
        return NOTHING
    return show(found.mean) if found.deviation is None else f"{show(found.mean)} ± {show(found.deviation)}"


def _interval(variant: VariantData) -> str:
    found = variant.accuracy_interval
    return interval_text(*found) if found else NOTHING


def _printed(scope: Scope, label: str, name: str, show: Show) -> str:
    value = scope.reference(label).get(name)
    return NOTHING if value is None else show(value)


def _parameters(variant: VariantData) -> str:
    return whole(variant.done[0].parameters) if variant.done else NOTHING


def devices(results: Sequence[Result]) -> list[str]:
    return sorted({kind_of(result) for result in results})


def with_deviation(name: str, values: Sequence[float]) -> dict[str, float | None]:
    found = summarise(values)
    mean = values[0] if len(values) == 1 else found.mean if found else None  # one count stays a whole number
    return {name: mean, f"{name}_sd": found.deviation if found else None}


def _result_values(scope: Scope, variant: VariantData) -> dict[str, Any]:
    done = variant.done
    row: dict[str, Any] = {"variant": variant.label, "title": scope.name(variant.label)}
    row |= {"state": variant.state, "n": len(done)}
    for weights in ("best", "last"):
        scores = [getattr(result, weights) for result in done]
        for name in ("test_accuracy", "test_loss", "val_accuracy", "val_loss", "train_accuracy", "train_loss"):
            row |= with_deviation(f"{weights}_{name}", [getattr(score, name) for score in scores])
        row |= with_deviation(f"{weights}_gap", [gap(score) for score in scores])
    interval = variant.accuracy_interval
    row["best_test_accuracy_low"], row["best_test_accuracy_high"] = interval or (None, None)
    row["parameters"] = done[0].parameters if done else None
    row["devices"] = devices(done)
    row |= {f"printed_{name}": value for name, value in scope.reference(variant.label).items()}
    return row


def gap(score: Scores) -> float:
    """How much better the network is on what it was trained on, as a fraction."""
    return score.train_accuracy - score.val_accuracy


def _results(scope: Scope, wanted: Mapping[str, Any]) -> Table:
    variants = [scope.variant(label) for label in wanted["variants"]]
    columns: Columns = [
        ("Variant", lambda v: v.title),
        ("n", lambda v: str(len(v.done))),
        ("Test acc. %, best", lambda v: mean_text([r.best.test_accuracy for r in v.done], percent)),
        ("95 % interval", _interval),
        ("Test acc. %, last", lambda v: mean_text([r.last.test_accuracy for r in v.done], percent)),
    ]
    printed = bool(scope.submission.reference)
    if printed:
        columns.append(("Printed acc. %", lambda v: _printed(scope, v.label, "test_accuracy", percent)))
    if "test_loss" in wanted["columns"]:
        columns.append(("Test loss, best", lambda v: mean_text([r.best.test_loss for r in v.done], loss)))
        columns.append(("Test loss, last", lambda v: mean_text([r.last.test_loss for r in v.done], loss)))
        if printed:
            columns.append(("Printed loss", lambda v: _printed(scope, v.label, "test_loss", loss)))
    if "parameters" in wanted["columns"]:
        columns.append(("Parameters", _parameters))
        if printed:
            columns.append(("Printed parameters", lambda v: _printed(scope, v.label, "parameters", whole)))
    columns.append(("State", lambda v: v.state))
    return _table(scope, wanted, variants, columns, notes_of(scope, variants))


def notes_of(scope: Scope, variants: Sequence[VariantData], *, intervals: bool = True, last: bool = True) -> str:
    """What the columns of a table mean; `intervals` and `last`: whether it has columns of these."""
    numbers = {len(variant.done) for variant in variants} - {0}
    notes = ([ONE_SEED] if 1 in numbers else []) + ([SEEDS] if numbers - {1} else [])
    if intervals:
        notes += [ONE_SEED_INTERVAL] if 1 in numbers else []
        several = [variant for variant in variants if len(variant.done) > 1]
        notes += [SEEDS_INTERVAL] if several else []
        notes += [THESE_IMAGES] if any(variant.hits is None for variant in several) else []
        notes += [TWO_SEEDS] if 2 in numbers else []
    kinds = devices([result for variant in variants for result in variant.done])
    notes += [f"trained on {' and '.join(kinds)}"] if kinds else []
    notes += [BEST, LAST] if last else [BEST]
    notes += [str(scope.submission.reference["source"])] if scope.submission.reference else []
    return "; ".join(notes)


def _table(
    scope: Scope, wanted: Mapping[str, Any], variants: Sequence[VariantData], columns: Columns, note: str
) -> Table:
    return Table(
        name=wanted["name"],
        title=wanted["title"],
        note=note,
        head=tuple(name for name, _ in columns),
        cells=tuple(tuple(show(variant) for _, show in columns) for variant in variants),
        values=tuple(_result_values(scope, variant) for variant in variants),
        shown=any(variant.jobs for variant in variants),
    )


def _training(scope: Scope, wanted: Mapping[str, Any]) -> Table:
    """Final loss, accuracy and gap, at the last and at the best epoch, for each variant."""
    variants = [scope.variant(label) for label in wanted["variants"]]
    head = ["Variant", "n", "Data", "Loss, last", "Acc. %, last", "Loss, best", "Acc. %, best"]
    head += ["Printed loss", "Printed acc. %"] if scope.submission.reference else []
    return Table(
        name=wanted["name"],
        title=wanted["title"],
        note="training figures are means over the epoch, in training mode; the gap is training minus validation, in "
        "points; " + notes_of(scope, variants, intervals=False),
        head=(*head, "State"),
        cells=tuple(line for variant in variants for line in _training_lines(scope, variant)),
        values=tuple(_result_values(scope, variant) for variant in variants),
        shown=any(variant.jobs for variant in variants),
    )


def _training_lines(scope: Scope, variant: VariantData) -> list[tuple[str, ...]]:
    scores = [[getattr(result, weights) for result in variant.done] for weights in ("last", "best")]
    lines = []
    for name, part in (("Training", "train"), ("Validation", "val")):
        line = [name]
        for found in scores:
            line.append(mean_text([getattr(score, f"{part}_loss") for score in found], loss))
            line.append(mean_text([getattr(score, f"{part}_accuracy") for score in found], percent))
        line.append(_printed(scope, variant.label, f"{part}_loss", loss))
        line.append(_printed(scope, variant.label, f"{part}_accuracy", percent))
        lines.append(line)
    gaps = [mean_text([gap(score) for score in found], percent) for found in scores]
    lines.append(["Gap", "", gaps[0], "", gaps[1], "", _printed(scope, variant.label, "gap", percent)])
    shown = slice(None) if scope.submission.reference else slice(-2)
    return [(variant.title, str(len(variant.done)), *line[shown], variant.state) for line in lines]


def choice(scope: Scope, sweep: str) -> str | None:
    """The point with the highest mean validation accuracy of its best weights; None before all of them are done."""
    variants = [scope.variant(label) for label in scope.submission.layout["sweeps"][sweep]["points"]]
    if not all(variant.complete for variant in variants):
        return None
    return max(variants, key=lambda v: sum(r.best.val_accuracy for r in v.done) / len(v.done)).label


def _tuning(scope: Scope, wanted: Mapping[str, Any]) -> Table:
    sweep = scope.submission.layout["sweeps"][wanted["sweep"]]
    points: Mapping[str, str] = sweep["points"]
    chosen = choice(scope, wanted["sweep"])
    printed = bool(scope.submission.reference)
    columns: Columns = [
        *_point_columns(sweep),
        ("n", lambda v: str(len(v.done))),
        ("Val. acc. %", lambda v: mean_text([r.best.val_accuracy for r in v.done], percent)),
        ("Test acc. %, best", lambda v: mean_text([r.best.test_accuracy for r in v.done], percent)),
        ("95 % interval", _interval),
    ]
    columns += [("Printed acc. %", lambda v: _printed(scope, v.label, "test_accuracy", percent))] if printed else []
    columns += [("Test loss, best", lambda v: mean_text([r.best.test_loss for r in v.done], loss))]
    columns += [("Printed loss", lambda v: _printed(scope, v.label, "test_loss", loss))] if printed else []
    columns += [("Parameters", _parameters)]
    columns += [("Printed parameters", lambda v: _printed(scope, v.label, "parameters", whole))] if printed else []
    columns += [("Chosen", lambda v: f"best of {len(points)}, by validation" if v.label == chosen else "")]
    if any(scope.reference(label).get(CHOSEN) for label in points):
        columns += [("Printed choice", lambda v: "best" if scope.reference(v.label).get(CHOSEN) else "")]
    columns += [("State", lambda v: v.state)]
    variants = [scope.variant(label) for label in points]
    note = (
        f"chosen: the best of {len(points)} by validation accuracy, of equal ones the first, when every point is done, "
        "which does not mean better beyond noise; the test set had no say; " + notes_of(scope, variants, last=False)
    )
    table = _table(scope, wanted, variants, columns, note)
    marks = [{"chosen": row["variant"] == chosen, "chosen_of": len(points)} for row in table.values]
    if sweep.get("drawn"):
        marks = [{**mark, "drawn": scope.drawn(row["variant"])} for row, mark in zip(table.values, marks, strict=True)]
    return replace(table, values=tuple(row | mark for row, mark in zip(table.values, marks, strict=True)))


def _point_columns(sweep: Mapping[str, Any]) -> Columns:
    """Its title; of a random point its number and a column for each field, which can be sorted."""
    points, drawn = sweep["points"], sweep.get("drawn", {})
    if not drawn:
        return [(sweep["title"], lambda v: points[v.label])]
    names = dict.fromkeys(name for values in drawn.values() for name in values)
    columns: Columns = [(sweep["title"], lambda v: v.label.partition("=")[2])]
    return columns + [(name, lambda v, name=name: drawn[v.label].get(name, NOTHING)) for name in names]


def equal_or(values: Sequence[float], show: Show) -> str:
    """Counts that are all equal have no deviation to speak of."""
    return mean_text(values[:1] if len(set(values)) == 1 else values, show)


def by_jobs(scope: Scope) -> list[list[VariantData]]:
    """Variants, those together that are the same jobs under several labels."""
    groups: dict[Any, list[VariantData]] = {}
    for variant in scope.variants.values():
        groups.setdefault(variant.job_ids or variant.label, []).append(variant)
    return list(groups.values())


def _failures(scope: Scope) -> Table:
    """A row for each attempt that ended without a result; one that was only stopped, of a job that is done, is counted
    in the note alone."""
    ended = [
        (job, attempt)
        for job in scope.jobs()
        for attempt in scope.attempts[job.id]
        if attempt.outcome not in (None, "done")
    ]
    rows = _failure_rows(scope, [pair for pair in ended if not _only_stopped(*pair)])
    stopped = len(ended) - len(rows)
    resumed = f"; {stopped} more {'was' if stopped == 1 else 'were'} only stopped and resumed, of jobs that are done"
    fields = ("job", "title", "seed", "attempt", "cause", "message")
    return Table(
        name=FAILURES,
        title="Attempts without a result",
        note="every attempt that ended otherwise than with a result" + (resumed if stopped else ""),
        head=("Job", "Variant", "Seed", "Attempt", "Cause", "Message"),
        cells=tuple(tuple(str(row[name]) for name in fields) for row in rows),
        values=tuple(rows),
        fields=("job", "variant", *fields[1:]),
    )


def _failure_rows(scope: Scope, failed: Sequence[tuple[Job, Attempt]]) -> list[dict[str, Any]]:
    """Each under the first label of its job."""
    owners = {job.id: variant.label for variant in reversed(list(scope.variants.values())) for job in variant.jobs}
    return [
        {
            "job": job.id,
            "variant": owners[job.id],
            "title": scope.name(owners[job.id]),
            "seed": job.seed,
            "attempt": attempt.number,
            "cause": attempt.outcome,
            "message": attempt.message,
        }
        for job, attempt in failed
    ]


def _only_stopped(job: Job, attempt: Attempt) -> bool:
    """Whether the attempt was interrupted and a later one finished its job: nothing went wrong."""
    return attempt.outcome == Cause.PREEMPTED and job.state is JobState.DONE
