"""The kinds of values that a setting may have: from what a file, a variable or a flag says to the value, or a refusal.

Nothing of pydantic, whose import takes longer than all that `bench status` does.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

Check = Callable[[Any], Any]
"""Gives the value, or raises RefusedError."""

_SWITCH = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n", "off"), False),
}


class RefusedError(Exception):
    """`takes` says what the setting takes; `fix` is said instead of it."""

    def __init__(self, message: str, *, takes: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.takes, self.fix = takes, fix


def seconds(*, most: float, above: float | None = None, least: float | None = None) -> Check:
    """A finite number between these."""
    lower = f"above {above}" if above is not None else f"at least {least}"
    takes = f"a number, {lower} and at most {most}"

    def check(value: Any) -> float:
        found = _number(value, takes)
        if not math.isfinite(found):
            raise RefusedError("should be a finite number", takes=takes)
        if above is not None and found <= above:
            raise RefusedError(f"should be greater than {above}", takes=takes)
        if least is not None and found < least:
            raise RefusedError(f"should be greater than or equal to {least}", takes=takes)
        if found > most:
            raise RefusedError(f"should be less than or equal to {most}", takes=takes)
        return found

    return check


def _number(value: Any, takes: str) -> float:
    if not isinstance(value, int | float | str):
        raise RefusedError("should be a valid number", takes=takes)
    try:
        return float(value if str(value).isascii() else "")
    except ValueError as error:
        raise RefusedError("should be a valid number, unable to parse string as a number", takes=takes) from error


def switch(value: Any) -> bool:
    """True or false, or a usual word for it."""
    known = _SWITCH.get(str(int(value) if isinstance(value, bool) or value in (0, 1) else value).lower())
    if known is None:
        raise RefusedError("should be a valid boolean, unable to interpret input", takes="true or false")
    return known


def one_of(*names: str, any_case: bool = False) -> Check:
    def check(value: Any) -> str:
        name = str(value).upper() if any_case else value
        if name not in names:
            quoted = [f"'{one}'" for one in names]
            words = f"should be {', '.join(quoted[:-1])} or {quoted[-1]}"
            raise RefusedError(words, takes=f"one of {', '.join(names)}")
        return str(name)

    return check


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise RefusedError("should be a valid string", takes="text")
    return value


def folder(value: Any) -> Path:
    """One that is there, or may be made; as it was written, `~` and all."""
    if not isinstance(value, str | Path):
        raise RefusedError(f"is not a valid path for {Path}", takes="text")
    path = Path(value)
    try:
        there = path.expanduser()
    except RuntimeError as error:  # ~ somebody whom the system does not know
        raise RefusedError(f"there is no home of {path.parts[0]}", fix="write the folder in full") from error
    if there.exists() and not there.is_dir():
        raise RefusedError(f"{there} is not a folder", fix="name a folder; it is made when it is needed")
    return path
