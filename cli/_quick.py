"""Bash's completion of names and ids without Typer, whose import takes three times as long as all else that it needs.

It answers the plain lines, by the same choices; whatever it is not sure of it leaves to Typer.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial

from cli import _choices
from cli._choices import Choices, beginning

PLANS = ("plan", "submit", "run")
SELECTS = ("show", "logs", "diff", "cancel", "retry", "status", "watch", "export")
LOOKS = ("report",)
VALUES = {
    "--variant": (*PLANS, *SELECTS),
    "--submission": (*SELECTS, *LOOKS),
    "--state": SELECTS,
    "--suite": PLANS,
    "--dataset": PLANS,
    "--seeds": PLANS,
    "--seed": PLANS,
    "--epochs": PLANS,
    "--precision": PLANS,
    "--priority": ("submit", "run"),
    "--slots": ("run",),
    "--device": ("run",),
    "--out": ("run", "report", "export"),
    "--where": SELECTS,
    "--attempt": ("logs",),
    "--cause": ("retry",),
    "--what": ("export",),
    "--format": ("export",),
}
"""Options that take a value, and the commands that have them."""
FLAGS = {
    "--all": (*PLANS, "cancel", "diff"),
    "--json": ("plan", "show", "diff", "status", "report", "logs"),
    "--no-graph": ("run",),
    "--follow": ("logs",),
    "--failed": ("retry",),
    "--cancelled": ("retry",),
    "--yes": ("cancel", "retry"),
    "--watch": ("status",),
    "--latex": ("report",),
}
_NOT_PLAIN = frozenset("\"'\\`$=(){}<>|&;")


def asked() -> str | None:
    """What bash is to be offered, a line each; None for what is left to Typer."""
    if os.environ.get("_BENCH_COMPLETE") != "complete_bash":
        return None
    line, number = os.environ.get("COMP_WORDS", ""), os.environ.get("COMP_CWORD", "")
    if _NOT_PLAIN.intersection(line) or not number.isdecimal():
        return None
    words = line.split()
    before, at_cursor = words[1 : int(number)], (words[int(number) :] or [""])[0]
    found = _choices_of(before) if not at_cursor.startswith("-") else None
    return None if found is None else "\n".join(word for word, _ in beginning(at_cursor, found))


def _choices_of(before: Sequence[str]) -> Callable[[], Choices] | None:
    """For the word behind these, the first of which is the command."""
    if not before:
        return None
    command, given, rest = before[0], dict[str, str](), iter(before[1:])
    for word in rest:
        if command in VALUES.get(word, ()):
            value = next(rest, None)
            if value is None:
                return _of_option(word, command, given)
            given[word] = value
        elif not (command in FLAGS.get(word, ()) or (command in SELECTS and word.isdecimal())):
            return None
    return partial(_choices.jobs, command) if command in SELECTS else None


def _of_option(option: str, command: str, given: dict[str, str]) -> Callable[[], Choices] | None:
    if option == "--variant" and command in PLANS:
        return partial(_choices.of_suite, given.get("--suite"))
    if option == "--variant":
        number = given.get("--submission")
        if number is not None and not number.isdecimal():
            return None
        return partial(_choices.submitted, None if number is None else int(number))
    return {"--submission": _choices.submissions, "--state": _choices.states}.get(option)
