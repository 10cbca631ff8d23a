"""Names of the points of random sweeps: their numbers, once a table says what was drawn for each.

The suite gives them titles that hold every value, which no legend, axis or cell of a table has room for.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from db.records import Submission


def numbered(submission: Submission) -> Submission:
    """Random points by number: alone within their sweep, elsewhere behind its title. Without a table they stay."""
    told = {one.get("sweep") for one in submission.layout.get("tables", []) if one["kind"] == "tuning"}
    sweeps = submission.layout.get("sweeps", {})
    short = {name: _numbered(sweep) for name, sweep in sweeps.items() if name in told and sweep.get("drawn")}
    titles = {
        label: f"{sweep['title']}: {number}" for sweep in short.values() for label, number in sweep["points"].items()
    }
    variants = {
        label: {**one, "title": titles[label]} if label in titles else one for label, one in submission.variants.items()
    }
    return replace(submission, variants=variants, layout={**submission.layout, "sweeps": {**sweeps, **short}})


def drawn_text(sweep: Mapping[str, Any], label: str) -> str:
    """What was drawn for a point; empty for one that was not drawn."""
    return ", ".join(f"{name} {value}" for name, value in sweep.get("drawn", {}).get(label, {}).items())


def point_text(sweep: Mapping[str, Any], label: str) -> str:
    """A point where there is room for it: its title, with what was drawn for it."""
    title = str(sweep["points"][label])
    return f"{title} ({drawn_text(sweep, label)})" if sweep.get("numbered") else title


def _numbered(sweep: Mapping[str, Any]) -> dict[str, Any]:
    return {**sweep, "points": {label: label.partition("=")[2] for label in sweep["points"]}, "numbered": True}
