"""`bench diff`: what differs between two jobs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import _options as options
from cli import _selection as select
from cli._schemas import numbered

if TYPE_CHECKING:
    from cli._tables import Part, Table
    from db.records import Job
    from report.differences import Difference, Differences, Tested


def diff(
    job: options.Jobs = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is equal.")] = False,
    submission: options.Submission = None,
    variant: select.Variants = None,
    state: select.States = None,
    where: select.Wheres = None,
    as_json: options.Json = False,
) -> None:
    """Show what differs between two jobs.

    JOB JOB are two ids from `bench status`; the difference is the first less the second.
    """
    from report import job_differences
    from scheduler.config import applying, whole

    chosen = select.selection(job, submission=submission, variant=variant, state=state, where=where)
    store = options.opened(options.settings(), create=False)
    ours, theirs = chosen.exactly(store, 2, "diff")
    found = job_differences(store, ours.id, theirs.id, whole=lambda config: applying(whole(config)))
    if as_json:
        options.put(json.dumps(_as_dict(found, everything), indent=2))
    else:
        options.show(_page(found, everything))


def _as_dict(found: "Differences", everything: bool) -> dict[str, Any]:
    told = [one for one in found.values if everything or not one.equal]
    tested = asdict(found.tested) if found.tested else None
    if tested and not everything:
        tested["flips"] = [one for one in tested["flips"] if one["only_ours"] or one["only_theirs"]]
    return numbered(
        "diff",
        jobs=[_job_dict(found.ours), _job_dict(found.theirs)],
        differences=[asdict(one) for one in told],
        equal=sum(one.equal for one in found.values),
        missing=list(found.missing),
        tested=tested,
        not_tested=found.why or None,
    )


def _job_dict(job: "Job") -> dict[str, Any]:
    return {"id": job.id, "variant": job.label, "seed": job.seed, "state": job.state, "key": job.key}


def _page(found: "Differences", everything: bool) -> "list[Part]":
    parts: list[Part] = [_title(job) for job in (found.ours, found.theirs)]
    told = [one for one in found.values if everything or not one.equal]
    for part in dict.fromkeys(one.part for one in told):
        parts += ["", _table(part, [one for one in told if one.part == part], found)]
    equal = sum(one.equal for one in found.values)
    if equal and not everything:
        parts += ["", f"{options.number(equal, 'value')} equal; --all lists them."]
    if found.missing:
        parts += ["", f"Not compared, as one of them has none: {', '.join(found.missing)}."]
    parts += ["", *(_tested(found.tested, found, everything) if found.tested else [f"Not tested: {found.why}."])]
    return parts


def _title(job: "Job") -> str:
    return f"Job {job.id}: {job.label}, seed {job.seed}, {job.state}"


def _table(part: str, rows: "Sequence[Difference]", found: "Differences") -> "Table":
    from cli._tables import table

    head = [part, f"job {found.ours.id}", f"job {found.theirs.id}"]
    cells = [[one.name, _value(one.name, one.ours), _value(one.name, one.theirs)] for one in rows]
    if part in _MEASURED:
        head.append("difference")
        cells = [[*line, _apart(one)] for line, one in zip(cells, rows, strict=True)]
    return table(head, cells, right={1, 2, 3} if part in _MEASURED else (), shrinks=2)


def _tested(tested: "Tested", found: "Differences", everything: bool) -> "list[Part]":
    from cli._tables import table

    low, high = (100 * end for end in (tested.low, tested.high))
    chance = "< 0.0001" if tested.p < 0.0001 else f"= {tested.p:.4f}"
    said: list[Part] = [
        f"Test accuracy: {100 * tested.difference:+.2f} points [{low:+.2f}, {high:+.2f}], p {chance},",
        f"on {tested.images:,} images, best weights: 95 % interval, McNemar's exact test. It is of",
        "these two networks alone: what other seeds would give is not in it.",
    ]
    told = [one for one in tested.flips if everything or one.only_ours or one.only_theirs]
    rows = [[one.name, one.images, one.only_ours, one.only_theirs] for one in told]
    if rows:
        totals = [sum(one.images for one in tested.flips)]
        totals += [sum(getattr(one, name) for one in tested.flips) for name in ("only_ours", "only_theirs")]
        rows.append(["all classes", *totals])
        said += [
            "",
            table(
                ["class", "images", *(f"only job {job.id} right" for job in (found.ours, found.theirs))],
                rows,
                right={1, 2, 3},
            ),
        ]
    return said


_MEASURED = ("curve", "result")


def _value(name: str, value: Any) -> str:
    from cli._job_page import percent, shown

    if value is None:
        return "-"
    if name.endswith("accuracy"):
        return percent(value)
    if name in ("git.revision", "fingerprint"):
        return str(value)[:12]
    if isinstance(value, float):
        return f"{value:.4f}" if name.endswith("loss") else f"{value:g}"
    return f"{value:,}" if name in ("parameters", "flops") else shown(value)


def _apart(one: "Difference") -> str:
    """The first less the second: accuracies in points, all else as it is."""
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (one.ours, one.theirs)):
        return ""
    apart = one.ours - one.theirs
    if one.name.endswith("accuracy"):
        return f"{100 * apart:+.2f}"
    if isinstance(apart, int):
        return f"{apart:+,}"
    return f"{apart:+.4f}" if one.name.endswith("loss") else f"{apart:+,.4g}"
