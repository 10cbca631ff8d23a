"""Tables as TOML, which the standard library reads and does not write."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WIDTH = 100  # of a list on one line
_HEADS = 2  # tables within each other that have a head of their own; deeper ones are written in a line


def as_toml(table: Mapping[str, Any]) -> str:
    """A document that reads as `table`: text, numbers, booleans, lists and tables, in the order that they have."""
    return "\n".join(_lines(table, ())).strip("\n") + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    below = {key: value for key, value in table.items() if _has_head(value, path)}
    for key, value in table.items():
        if key not in below:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in below.items():
        inner = (*path, key)
        head = ".".join(map(_key, inner))
        if isinstance(value, list):
            for one in value:
                yield f"\n[[{head}]]"
                yield from _lines(one, ("", "", ""))
            continue
        if not value or not all(_has_head(one, inner) for one in value.values()):
            yield f"\n[{head}]"
        yield from _lines(value, inner)


def _has_head(value: Any, path: tuple[str, ...]) -> bool:
    if isinstance(value, list):
        return not path and bool(value) and all(isinstance(one, dict) for one in value)
    return isinstance(value, dict) and len(path) < _HEADS


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    """As JSON has it, which also TOML reads, but for one control code."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        line = f"[{', '.join(map(_value, value))}]"
        return line if len(line) <= _WIDTH else "[\n" + "".join(f"  {_value(one)},\n" for one in value) + "]"
    return str(value.isoformat())  # a date or a time, the last of TOML's kinds
