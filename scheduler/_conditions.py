"""Conditions of a sweep: tables of fields, and a point that matches one of them is left out."""

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from db.errors import ConfigError
from models import ARGUMENTS
from scheduler._suite_configs import TABLES, flat
from scheduler._suite_file import Origin
from scheduler.config import Config

_COMPARED = re.compile(r"(<=|>=|!=|<|>)\s*(.*)", re.DOTALL)
_MISSING = object()


def conditions(where: Origin, place: str, given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each with its fields, `arguments.NAME` among them, checked by themselves. Raises ConfigError."""
    found = []
    for number, one in enumerate(given, start=1):
        fields = flat(one)
        if not fields:
            raise ConfigError(f"{where}: {place} leave_out {number}: names no field", fix="write { FIELD = VALUE }")
        for name, wanted in fields.items():
            _check_number(where, f"{place} leave_out {number} {name}", wanted)
        found.append(fields)
    return found


def check_names(where: Origin, place: str, given: Iterable[Mapping[str, Any]], known: Iterable[str]) -> None:
    """Raises ConfigError for a condition on a field that no point has; `known`: those of the points."""
    names = dict.fromkeys([name for name in known if name not in ("dataset", *TABLES)])
    for number, one in enumerate(given, start=1):
        for name in one:
            if name not in names:
                close = difflib.get_close_matches(name, names)
                fix = f"did you mean {' or '.join(close)}?" if close else f"choose among {', '.join(names)}"
                raise ConfigError(f"{where}: {place} leave_out {number}: no field {name!r}", fix=fix)


def values_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a point, defaults filled in, before it is checked: what is left out need not be a valid config."""
    filled = {name: field.get_default(call_default_factory=True) for name, field in Config.model_fields.items()}
    filled |= values
    arguments = ARGUMENTS.get(filled["model"]) if isinstance(filled["model"], str) else None
    known: dict[str, Any] = {
        field.name: list(field.default) if isinstance(field.default, tuple) else field.default
        for field in (dataclasses.fields(arguments) if arguments else ())
        if field.default is not dataclasses.MISSING
    }
    own = filled["arguments"]
    filled["arguments"] = {**known, **own} if isinstance(own, Mapping) else known
    return flat(filled)


def matches(condition: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether all fields of the condition are as it says."""
    return all(_is(wanted, values.get(name, _MISSING)) for name, wanted in condition.items())


def _is(wanted: Any, value: Any) -> bool:
    if value is _MISSING:
        return False
    if isinstance(wanted, list):
        return _equal(wanted, value) or any(_is(one, value) for one in wanted)
    compared = _COMPARED.fullmatch(wanted) if isinstance(wanted, str) else None
    if compared is None:
        return _equal(wanted, value)
    sign, text = compared.groups()
    number = _number(text)
    if sign == "!=":
        return not _equal(text if number is None else number, value)
    if number is None or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return {"<": value < number, "<=": value <= number, ">": value > number, ">=": value >= number}[sign]


def _equal(one: Any, other: Any) -> bool:
    """True is not 1, and 1 is 1.0."""
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _check_number(where: Origin, place: str, wanted: Any) -> None:
    for one in wanted if isinstance(wanted, list) else [wanted]:
        compared = _COMPARED.fullmatch(one) if isinstance(one, str) else None
        if compared and compared[1] != "!=" and _number(compared[2]) is None:
            raise ConfigError(f"{where}: {place}: no number after {compared[1]} (it is {one!r})", fix='write ">=256"')
