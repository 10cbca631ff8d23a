"""Colours, sizes and names that every figure shares."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

# Okabe and Ito (2008), "Color Universal Design", then Tol's muted scheme; told apart with every common colour vision
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#332288",
    "#999933",
    "#882255",
    "#44AA99",
    "#AA4499",
    "#DDCC77",
)
TRAIN, VALIDATION, TEST = "#0072B2", "#E69F00", "#009E73"
PRINTED: dict[str, Any] = {"marker": "D", "color": "black", "markersize": 5, "linestyle": "none", "label": "printed"}


def colours(variants: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """One colour for each config, the same in all figures and under each of its labels; they repeat after 12."""
    configs = list(dict.fromkeys(json.dumps(described["config"], sort_keys=True) for described in variants.values()))
    return {
        label: COLOURS[configs.index(json.dumps(described["config"], sort_keys=True)) % len(COLOURS)]
        for label, described in variants.items()
    }


def short(text: str, most: int = 24) -> str:
    """A name that fits, as literal text: matplotlib would read dollars as mathematics."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return cut.replace("$", r"\$")


@contextmanager
def style() -> Iterator[None]:
    import matplotlib as mpl

    settings: Any = {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "axes.axisbelow": True,
        "figure.constrained_layout.use": True,
        "legend.frameon": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "bench",
        "figure.dpi": 110,
    }
    with mpl.rc_context(settings):
        yield
