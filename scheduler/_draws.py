"""Values drawn at random for the points of a sweep, the same on any machine and in any version of Python.

A draw is a function of (seed, point, attempt, field) alone: the first 53 bits of the SHA-256 of the text
`SEED/POINT/ATTEMPT/FIELD` are a number u in [0, 1). More points or another field change none of the others. The
arithmetic is decimal, since logarithms of floats may differ in their last bit from one C library to the next.
"""

import hashlib
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any

from pydantic import ValidationError

from db.errors import ConfigError
from scheduler._suite_configs import flat
from scheduler._suite_file import DrawnRange, Origin
from scheduler._wording import explained, shown

Drawn = list[Any] | DrawnRange
_DIGITS = 4  # of a number that is drawn: it has to be read in tables and typed again
_OF_RANGE = 3  # digits that tell the ends of a narrow range apart
_BITS = 53
_MOST_STEPS = 10**12  # of a range; a draw has no bits for many more


def drawn_fields(where: Origin, place: str, given: Mapping[str, Any]) -> dict[str, Drawn]:
    """What each field takes: values to choose from, or a range. Raises ConfigError."""
    return {name: _drawn(where, f"{place} {name}", one) for name, one in flat(given).items()}


def draw(fields: Mapping[str, Drawn], *, seed: int, point: int, attempt: int) -> dict[str, Any]:
    """A value for each field; `attempt` counts from 0, and is for points that may not be taken as drawn."""
    return {name: _value(one, _uniform(f"{seed}/{point}/{attempt}/{name}")) for name, one in fields.items()}


def _drawn(where: Origin, place: str, given: Any) -> Drawn:
    if isinstance(given, list) and given:
        return given
    if not isinstance(given, dict):
        what = "no values" if given == [] else f"neither values nor a range{shown(given)}"
        raise ConfigError(f"{where}: {place}: {what}", fix="write [VALUE, ...] or { low = A, high = B }")
    try:
        found = DrawnRange.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        path = [step for step in first["loc"] if step in given or step in DrawnRange.model_fields]
        message, fix = explained(first, DrawnRange.model_json_schema(), path=path)
        raise ConfigError(f"{where}: {place} {'.'.join(map(str, path))}: {message}", fix=fix) from error
    if found.low >= found.high:
        raise ConfigError(f"{where}: {place}: low {found.low} is not below high {found.high}", fix="exchange them")
    if found.log and found.low <= 0:
        raise ConfigError(f"{where}: {place}: log needs low above 0 (it is {found.low})", fix="raise low")
    if found.log and found.step is not None:
        raise ConfigError(f"{where}: {place}: log and step exclude each other", fix="leave one of them out")
    if found.step is not None and found.step > found.high - found.low:
        raise ConfigError(f"{where}: {place}: step {found.step} is wider than the range", fix="give a smaller one")
    if found.step is not None and (found.high - found.low) / found.step > _MOST_STEPS:
        raise ConfigError(f"{where}: {place}: step {found.step} is too small for the range", fix="give a larger one")
    return found


def _uniform(text: str) -> Decimal:
    """Of [0, 1)."""
    first = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> (64 - _BITS)
    return Decimal(first) / Decimal(2**_BITS)


def _value(one: Drawn, u: Decimal) -> Any:
    if isinstance(one, list):
        return one[int(u * len(one))]
    low, high = Decimal(str(one.low)), Decimal(str(one.high))
    whole = all(isinstance(number, int) for number in (one.low, one.high, one.step or 0))
    with localcontext(Context(prec=28, rounding=ROUND_HALF_EVEN)):
        if one.step is not None:
            step = Decimal(str(one.step))
            value = low + int(u * ((high - low) // step + 1)) * step
        elif one.log:
            top = high + 1 if whole else high
            value = (low.ln() + u * (top.ln() - low.ln())).exp()
        else:
            value = low + u * (high - low + (1 if whole else 0))
        if whole:
            return min(max(int(value // 1), one.low), one.high)
        return float(value if one.step is not None else min(max(_rounded(value, high - low), low), high))


def _rounded(value: Decimal, width: Decimal) -> Decimal:
    """To four significant digits, or as many as a range of this width needs."""
    last = min(value.adjusted() - _DIGITS, width.adjusted() - _OF_RANGE) + 1
    return value.quantize(Decimal(1).scaleb(last))
