"""What a suite claims of its variants, before anything was trained; the report says what became of it."""

import math
from dataclasses import dataclass
from typing import Literal

FORMS = "A > B, A > B by 0.02, A > B by about 0.02, A = B within 0.01, or best = A"

_LONGEST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Of test accuracies, as fractions.

    `above`: `ours` is better than `theirs`, by `amount` or more. `about`: it is better, and `amount` is how much.
    `equal`: they differ by less than `amount`. `best`: `ours` is better than all others, and `theirs` is empty.
    """

    text: str
    kind: Literal["above", "about", "equal", "best"]
    ours: str
    theirs: str = ""
    amount: float = 0.0


def parse_statement(text: str) -> Statement:
    """Words with spaces between them, of the forms in `FORMS`. Raises ValueError."""
    text = " ".join(text.split())
    if len(text) > _LONGEST:
        raise ValueError(f"a claim of {len(text):,} letters is longer than {_LONGEST}")
    match text.split():
        case ["best", "=", ours]:
            return Statement(text=text, kind="best", ours=ours)
        case [ours, ">" | "<" as sign, theirs, *rest]:
            first, second = (ours, theirs) if sign == ">" else (theirs, ours)
            about = rest[:2] == ["by", "about"]
            amount = _amount(text, "by", ["by", *rest[2:]] if about else rest) if rest else 0.0
            kind: Literal["above", "about"] = "about" if about else "above"
            return _of_two(Statement(text=text, kind=kind, ours=first, theirs=second, amount=amount))
        case [ours, "=", theirs, *rest]:
            amount = _amount(text, "within", rest)
            return _of_two(Statement(text=text, kind="equal", ours=ours, theirs=theirs, amount=amount))
    raise ValueError(f"{text!r} is no claim")


def _amount(text: str, word: str, rest: list[str]) -> float:
    try:
        said, number = rest
        amount = float(number) if number.isascii() and len(number) < 20 else math.nan
    except ValueError:
        raise ValueError(f"{text!r} does not end in “{word} NUMBER”") from None
    if said != word or not 0 < amount < 1:
        raise ValueError(f"{text!r} does not end in “{word}” and a fraction between 0 and 1")
    return amount


def _of_two(statement: Statement) -> Statement:
    if statement.ours == statement.theirs:
        raise ValueError(f"{statement.text!r} compares {statement.ours} with itself")
    return statement
