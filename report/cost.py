"""What a training costs, and which variants give more for less."""

from collections.abc import Mapping, Sequence
from typing import Any

from report.numbers import NOTHING, count, hundredth, tenth, whole
from report.pareto import COSTS, energies, epoch_s, rows
from report.scope import Scope
from report.tables import Columns, Table, by_jobs, devices, equal_or, mean_text, with_deviation
from report.variant import VariantData

_NOTE = (
    "FLOPs of one image's forward pass; peak memory on CPU is that of the whole process; dominated by: another variant "
    "has at least its mean test accuracy, best weights, for at most as much, and is strictly better in one of the two; "
    "noise has no say in that, and seconds depend on the machine and on what else it did"
)
_ENERGY = (
    "energy: an estimate, of a card's own counter during training and evaluation in equal parts for the trainings that "
    "were on it, with what it takes at rest"
)


def cost_table(scope: Scope) -> Table:
    """A row for each config, whether it has results or not."""
    groups = by_jobs(scope)
    titles = {group[0].label: ", ".join(scope.name(one.label) for one in group) for group in groups}
    dominated = {row["variant"]: {cost: row[f"dominated_{cost}"] for cost in COSTS} for row in rows(scope)}
    values = [_values(scope, group, dominated.get(group[0].label, {})) for group in groups]
    columns = _columns(scope, titles, dominated, energy=any(row["energy_j"] is not None for row in values))
    return Table(
        name="cost",
        title="Cost",
        note=_note(scope, values),
        head=tuple(name for name, _ in columns),
        cells=tuple(tuple(show(scope.variant(label)) for _, show in columns) for label in titles),
        values=tuple(values),
    )


def _columns(
    scope: Scope, titles: Mapping[str, str], dominated: Mapping[str, Mapping[str, str | None]], *, energy: bool
) -> Columns:
    printed: Columns = [("Printed epochs", lambda v: _printed_epochs(scope, v))] if scope.submission.reference else []
    used: Columns = [("Energy kJ, estimate", lambda v: mean_text([j / 1000 for j in energies(v.done)], tenth))]
    return [
        ("Variant", lambda v: titles[v.label]),
        ("n", lambda v: str(len(v.done))),
        ("MFLOP/image", lambda v: tenth(v.done[0].flops / 1e6) if v.done else NOTHING),
        ("Epochs", lambda v: equal_or([r.epochs for r in v.done], count)),
        *printed,
        ("Training s", lambda v: mean_text([r.train_s for r in v.done], tenth)),
        ("Evaluation s", lambda v: mean_text([r.eval_s for r in v.done], tenth)),
        (
            "s per epoch",
            lambda v: mean_text([epoch_s(r) for r in v.done], hundredth),
        ),
        ("Peak MiB", lambda v: mean_text([r.peak_mib for r in v.done], whole)),
        *(used if energy else []),
        ("Dominated by", lambda v: _dominators(scope, dominated[v.label]) if v.done else NOTHING),
        ("Device", lambda v: ", ".join(devices(v.done)) or NOTHING),
        ("State", lambda v: v.state),
    ]


def _printed_epochs(scope: Scope, variant: VariantData) -> str:
    value = scope.reference(variant.label).get("epochs")
    return NOTHING if value is None else count(value)


def _dominators(scope: Scope, by: Mapping[str, str | None]) -> str:
    """Each variant that has at least its accuracy for less, with what it has less of."""
    labels = list(dict.fromkeys(label for label in by.values() if label))
    parts = [f"{scope.name(one)} ({', '.join(COSTS[cost] for cost in by if by[cost] == one)})" for one in labels]
    return "; ".join(parts) or "none"


def _note(scope: Scope, values: Sequence[Mapping[str, Any]]) -> str:
    notes = [_NOTE]
    kinds = {result.device for variant in scope.variants.values() for result in variant.done}
    notes += ["seconds are compared within one kind of device"] if len(kinds) > 1 else []
    notes += [_ENERGY] if any(row["energy_j"] is not None for row in values) else []
    missing = [row["title"] for row in values if 0 < row["energy_n"] < row["n"]]
    notes += [f"not every seed has an energy: {', '.join(missing)}"] if missing else []
    several = any(row["n"] > 1 for row in values)
    return "; ".join(notes + (["with several seeds mean ± one standard deviation over seeds"] if several else []))


def _values(scope: Scope, group: Sequence[VariantData], dominated: Mapping[str, str | None]) -> dict[str, Any]:
    variant = group[0]
    row: dict[str, Any] = {"variant": variant.label, "labels": [one.label for one in group]}
    row |= {"title": scope.name(variant.label), "state": variant.state, "n": len(variant.done)}
    row["flops"] = variant.done[0].flops if variant.done else None
    for name in ("epochs", "train_s", "eval_s", "peak_mib"):
        row |= with_deviation(name, [getattr(result, name) for result in variant.done])
    row |= with_deviation("epoch_s", [epoch_s(result) for result in variant.done])
    used_j = energies(variant.done)
    row |= with_deviation("energy_j", used_j) | {"energy_n": len(used_j)}
    row |= {f"dominated_{cost}": dominated.get(cost) for cost in COSTS}
    row["printed_epochs"] = scope.reference(variant.label).get("epochs")
    return row | {"devices": devices(variant.done)}
