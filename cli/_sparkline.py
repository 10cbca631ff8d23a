"""A curve in one line of letters."""

import math
import sys
from collections.abc import Sequence
from itertools import pairwise

_BARS, _ASCII = "▁▂▃▄▅▆▇█", "_.-:=+*#"  # eight levels each, the lowest first
_GAP = " "  # where there is no finite value


def sparkline(values: Sequence[float], *, width: int = 40, bars: str = _BARS) -> str:
    """A letter for each value, or for the mean of as many neighbours as it takes to stay within the width.

    The lowest value has the lowest bar and the highest the highest; values that are all the same have a middle one.
    """
    means = [_mean(part) for part in _parts(values, width)]
    finite = [mean for mean in means if mean is not None]
    if not finite:
        return _GAP * len(means)
    low, span = min(finite), max(finite) - min(finite)
    top = len(bars) - 1
    return "".join(
        _GAP if mean is None else bars[round(top * (mean - low) / span) if span else top // 2] for mean in means
    )


def bars_for_stdout() -> str:
    """The bars, or letters of ASCII where stdout's encoding has none."""
    try:
        _BARS.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _ASCII
    return _BARS


def _parts(values: Sequence[float], width: int) -> list[Sequence[float]]:
    """Neighbours together, none left out, in at most `width` parts of about one size."""
    number = min(len(values), width)
    ends = [len(values) * place // number for place in range(number + 1)] if number else [0]
    return [values[start:end] for start, end in pairwise(ends)]


def _mean(part: Sequence[float]) -> float | None:
    finite = [value for value in part if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else None
