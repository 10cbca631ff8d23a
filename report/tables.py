"""The tables, as rows of plain values first, as text afterwards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from db.records import Result
from report.scope import Scope, VariantData
from report.statistics import over_seeds, summarise, wilson

ONE_SEED = "one seed: the interval holds the noise of the test images only; the noise of seeds is unknown"
SEEDS = "several seeds: t interval over seeds, for these test images"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`cells` are texts for people; `values` the same rows as numbers, for CSV and JSON."""

    name: str
    title: str
    note: str
    head: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    values: tuple[dict[str, Any], ...]


def build_tables(scope: Scope) -> list[Table]:
    """Those that the suite asks for, then what every report has: cost and attempts that ended badly."""
    tables = []
    for wanted in scope.submission.layout.get("tables", []):
        if wanted["kind"] == "training":
            tables.append(_training(scope, wanted))
        elif wanted["kind"] == "results":
            tables.append(_results(scope, wanted))
        else:
            tables.append(_tuning(scope, wanted))
    return [*tables, _cost(scope), _failures(scope)]


def percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _cell(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Mean, with the deviation when there are several seeds; a dash for nothing."""
    found = summarise(values)
    if found is None:
        return "–"
    return show(found.mean) if found.deviation is None else f"{show(found.mean)} ± {show(found.deviation)}"


def _loss(value: float) -> str:
    return f"{value:.4f}"


def accuracy_interval(results: Sequence[Result]) -> tuple[float, float] | None:
    """Of the best weights' test accuracy: over seeds when there are several, else over the test images."""
    values = [result.best.test_accuracy for result in results]
    if len(values) == 1:
        images = sum(map(sum, results[0].best.confusion))
        return wilson(round(values[0] * images), images)
    return over_seeds(values)


def _interval(results: Sequence[Result]) -> str:
    found = accuracy_interval(results)
    return f"[{percent(found[0])}, {percent(found[1])}]" if found else "–"


def _printed(scope: Scope, label: str, name: str, show: Callable[[float], str]) -> str:
    value = scope.reference(label).get(name)
    return "–" if value is None else show(value)


def _result_values(scope: Scope, variant: VariantData) -> dict[str, Any]:
    done = variant.done
    row: dict[str, Any] = {"variant": variant.label, "title": variant.title, "state": variant.state, "n": len(done)}
    for weights in ("best", "last"):
        for name in ("test_accuracy", "test_loss", "val_accuracy", "val_loss", "train_accuracy", "train_loss"):
            found = summarise([getattr(getattr(result, weights), name) for result in done])
            row[f"{weights}_{name}"] = found.mean if found else None
            row[f"{weights}_{name}_sd"] = found.deviation if found else None
    interval = accuracy_interval(done)
    row["best_test_accuracy_low"], row["best_test_accuracy_high"] = interval or (None, None)
    row["parameters"] = done[0].parameters if done else None
    row["devices"] = sorted({f"{result.device} {result.precision}" for result in done})
    row |= {f"printed_{name}": value for name, value in scope.reference(variant.label).items()}
    return row


def _results(scope: Scope, wanted: dict[str, Any]) -> Table:
    variants = [scope.variant(label) for label in wanted["variants"]]
    columns: list[tuple[str, Callable[[VariantData], str]]] = [
        ("Variant", lambda v: v.title),
        ("n", lambda v: str(len(v.done))),
        ("Test acc. %, best", lambda v: _cell([r.best.test_accuracy for r in v.done], percent)),
        ("95 % interval", lambda v: _interval(v.done)),
        ("Test acc. %, last", lambda v: _cell([r.last.test_accuracy for r in v.done], percent)),
    ]
    printed = bool(scope.submission.reference)
    if printed:
        columns.append(("Printed acc. %", lambda v: _printed(scope, v.label, "test_accuracy", percent)))
    if "test_loss" in wanted["columns"]:
        columns.append(("Test loss, best", lambda v: _cell([r.best.test_loss for r in v.done], _loss)))
        columns.append(("Test loss, last", lambda v: _cell([r.last.test_loss for r in v.done], _loss)))
        if printed:
            columns.append(("Printed loss", lambda v: _printed(scope, v.label, "test_loss", _loss)))
    if "parameters" in wanted["columns"]:
        columns.append(("Parameters", lambda v: f"{v.done[0].parameters:,}" if v.done else "–"))
    columns.append(("State", lambda v: v.state))
    return _table(scope, wanted, variants, columns, _interval_note(variants))


def _interval_note(variants: Sequence[VariantData]) -> str:
    numbers = {len(variant.done) for variant in variants} - {0}
    notes = ([ONE_SEED] if 1 in numbers else []) + ([SEEDS] if numbers - {1} else [])
    kinds = {f"{result.device} {result.precision}" for variant in variants for result in variant.done}
    mixed = [f"trained on {' and '.join(sorted(kinds))}"] if kinds else []
    return "; ".join([*notes, *mixed, "best: the weights of the lowest validation loss; last: those of the last epoch"])


def _table(
    scope: Scope,
    wanted: dict[str, Any],
    variants: Sequence[VariantData],
    columns: Sequence[tuple[str, Callable[[VariantData], str]]],
    note: str,
) -> Table:
    return Table(
        name=wanted["name"],
        title=wanted["title"],
        note=note,
        head=tuple(name for name, _ in columns),
        cells=tuple(tuple(show(variant) for _, show in columns) for variant in variants),
        values=tuple(_result_values(scope, variant) for variant in variants),
    )


def _training(scope: Scope, wanted: dict[str, Any]) -> Table:
    """Final loss, accuracy and gap, at the last and at the best epoch, for each variant."""
    cells = []
    variants = [scope.variant(label) for label in wanted["variants"]]
    printed = bool(scope.submission.reference)
    for variant in variants:
        scores = {weights: [getattr(result, weights) for result in variant.done] for weights in ("last", "best")}
        for name, part in (("Training", "train"), ("Validation", "val")):
            row = [variant.title, name]
            for found in scores.values():
                row.append(_cell([getattr(score, f"{part}_loss") for score in found], _loss))
                row.append(_cell([getattr(score, f"{part}_accuracy") for score in found], percent))
            if printed:
                row.append(_printed(scope, variant.label, f"{part}_loss", _loss))
                row.append(_printed(scope, variant.label, f"{part}_accuracy", percent))
            cells.append(tuple(row))
        gaps = [_cell([s.train_accuracy - s.val_accuracy for s in found], percent) for found in scores.values()]
        row = [variant.title, "Gap (points)", "", gaps[0], "", gaps[1]]
        ours = scope.reference(variant.label)
        both = "train_accuracy" in ours and "val_accuracy" in ours
        row += ["", percent(ours["train_accuracy"] - ours["val_accuracy"]) if both else "–"] if printed else []
        cells.append(tuple(row))
    head = ["Variant", "Data", "Loss, last", "Acc. %, last", "Loss, best", "Acc. %, best"]
    head += ["Printed loss", "Printed acc. %"] if printed else []
    return Table(
        name=wanted["name"],
        title=wanted["title"],
        note="training figures are means over the epoch, in training mode; " + _interval_note(variants),
        head=tuple(head),
        cells=tuple(cells),
        values=tuple(_result_values(scope, variant) for variant in variants),
    )


def _tuning(scope: Scope, wanted: dict[str, Any]) -> Table:
    sweep = scope.submission.layout["sweeps"][wanted["sweep"]]
    points = [(scope.variant(label), title) for label, title in sweep["points"].items()]
    ranked = [(sum(r.best.val_accuracy for r in v.done) / len(v.done), v.label) for v, _ in points if v.done]
    chosen = max(ranked, key=lambda pair: pair[0])[1] if len(ranked) == len(points) else None
    titles = {variant.label: title for variant, title in points}
    columns: list[tuple[str, Callable[[VariantData], str]]] = [
        (sweep["title"], lambda v: titles[v.label]),
        ("n", lambda v: str(len(v.done))),
        ("Val. acc. %", lambda v: _cell([r.best.val_accuracy for r in v.done], percent)),
        ("Test acc. %, best", lambda v: _cell([r.best.test_accuracy for r in v.done], percent)),
        ("95 % interval", lambda v: _interval(v.done)),
        ("Test loss, best", lambda v: _cell([r.best.test_loss for r in v.done], _loss)),
        ("Parameters", lambda v: f"{v.done[0].parameters:,}" if v.done else "–"),
        ("Chosen", lambda v: "by validation" if v.label == chosen else ""),
        ("State", lambda v: v.state),
    ]
    if scope.submission.reference:
        columns.insert(5, ("Printed acc. %", lambda v: _printed(scope, v.label, "test_accuracy", percent)))
    variants = [variant for variant, _ in points]
    note = "chosen by validation accuracy when every point is done; the test set had no say; " + _interval_note(
        variants
    )
    return _table(scope, wanted, variants, columns, note)


def _cost(scope: Scope) -> Table:
    sweeps = scope.submission.layout.get("sweeps", {}).values()
    points = {label: f"{sweep['title']}: {title}" for sweep in sweeps for label, title in sweep["points"].items()}
    columns: list[tuple[str, Callable[[VariantData], str]]] = [
        ("Variant", lambda v: points.get(v.label, v.title)),
        ("n", lambda v: str(len(v.done))),
        ("MFLOP/image", lambda v: f"{v.done[0].flops / 1e6:,.1f}" if v.done else "–"),
        ("Epochs", lambda v: _cell([float(r.epochs) for r in v.done], lambda x: f"{x:.1f}")),
        ("Training s", lambda v: _cell([r.train_s for r in v.done], lambda x: f"{x:.1f}")),
        ("Evaluation s", lambda v: _cell([r.eval_s for r in v.done], lambda x: f"{x:.1f}")),
        ("Peak MiB", lambda v: _cell([r.peak_mib for r in v.done], lambda x: f"{x:.0f}")),
        ("Device", lambda v: ", ".join(sorted({f"{r.device} {r.precision}" for r in v.done})) or "–"),
    ]
    variants = [variant for variant in scope.variants.values() if variant.jobs]
    rows = []
    for variant in variants:
        fields = ("flops", "epochs", "train_s", "eval_s", "peak_mib")
        means = {name: summarise([float(getattr(r, name)) for r in variant.done]) for name in fields}
        values = {name: found.mean if found else None for name, found in means.items()}
        rows.append({"variant": variant.label, "n": len(variant.done), **values})
    return Table(
        name="cost",
        title="Cost",
        note="FLOPs of one image's forward pass; peak memory on CPU is that of the whole process",
        head=tuple(name for name, _ in columns),
        cells=tuple(tuple(show(variant) for _, show in columns) for variant in variants),
        values=tuple(rows),
    )


def _failures(scope: Scope) -> Table:
    rows = [
        {
            "job": job.id,
            "variant": job.label,
            "seed": job.seed,
            "attempt": attempt.number,
            "cause": attempt.outcome,
            "message": attempt.message,
        }
        for job in scope.jobs()
        for attempt in scope.attempts[job.id]
        if attempt.outcome not in (None, "done")
    ]
    return Table(
        name="attempts_without_result",
        title="Attempts without a result",
        note="every attempt that ended otherwise than with a result, whatever became of its job",
        head=("Job", "Variant", "Seed", "Attempt", "Cause", "Message"),
        cells=tuple(tuple(str(value) for value in row.values()) for row in rows),
        values=tuple(rows),
    )
