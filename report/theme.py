"""Colours, sizes and names that every figure shares."""

from collections.abc import Iterator, Sequence
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


def colours(labels: Sequence[str]) -> dict[str, str]:
    """One colour for each label of the suite, the same in all figures; they repeat after twelve."""
    return {label: COLOURS[number % len(COLOURS)] for number, label in enumerate(labels)}


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
