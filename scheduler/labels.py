"""Labels of a user's file, whole numbers or text, as indices of classes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from db.errors import DataError
from scheduler.parts import MOST_CLASSES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LONGEST = 200  # letters of a class's name: tables and figures have to show it

Raw = Sequence[str] | Sequence[int]
"""Of one part, in its order: all text, or all whole numbers."""


def coded(
    raw: Mapping[str, Raw], names: Sequence[str] | None, place: str
) -> "tuple[tuple[str, ...], dict[str, NDArray[np.int64]]]":
    """The classes, and of each part its labels as indices of them.

    `names` are those of the file, which whole numbers count from 0; without them a class is called as its label is.
    Raises DataError naming the part, the row and the label that is out of range, or the class that a part lacks.
    """
    import numpy as np

    text = isinstance(next(iter(raw["train"]), 0), str)
    if any(isinstance(label, str) != text for labels in raw.values() for label in labels):
        raise DataError(f"{place}: some labels are text and others numbers", fix="write them alike")
    if names is not None:
        _check_names(names, place)
    known: list[Any] = sorted({label for labels in raw.values() for label in labels})
    if names is not None:
        known = list(names) if text else list(range(len(names)))
    index = {label: number for number, label in enumerate(known)}
    for part, labels in raw.items():
        _check_range(part, labels, index, names, place)
    classes = tuple(names or map(str, known))
    if len(classes) > MOST_CLASSES:
        message = f"{place} has {len(classes):,} different labels"
        raise DataError(message, fix=f"at most {MOST_CLASSES:,} classes are compared; is this column the class?")
    if len(classes) < 2:
        raise DataError(f"{place} has labels of a single class", fix="at least 2 classes are needed")
    _check_names(classes, place)
    _check_presence(raw, known, classes, place)
    return classes, {part: np.array([index[label] for label in labels], np.int64) for part, labels in raw.items()}


def _check_names(names: Sequence[str], place: str) -> None:
    twice = [name for name, number in Counter(names).items() if number > 1]
    if twice:
        raise DataError(f"{place}: two classes are called {twice[0]!r}", fix="give each class a name of its own")
    for name in names:
        if not (name.strip() and name.isprintable() and len(name) <= _LONGEST):
            shown = f"{name[:60]!a}{'...' * (len(name) > 60)}"
            fix = f"give each class a name of 1 to {_LONGEST} letters"
            raise DataError(f"{place}: a class name that is no printable text: {shown}", fix=fix)


def _check_range(part: str, labels: Raw, index: Mapping[Any, int], names: Sequence[str] | None, place: str) -> None:
    for row, label in enumerate(labels):
        if isinstance(label, int) and label < 0:
            fix = "leave rows without a label out, and count classes from 0"
            raise DataError(f"{place}: label {label} in row {row} of the {part} part", fix=fix)
        if label not in index:
            known = f"there are names of {len(names or ())} classes"
            fix = "correct the label, or name every class"
            raise DataError(f"{place}: label {label!r} in row {row} of the {part} part, but {known}", fix=fix)


def _check_presence(raw: Mapping[str, Raw], known: Sequence[Any], classes: Sequence[str], place: str) -> None:
    for part in ("train", "test"):
        if part in raw:
            absent = {*known} - {*raw[part]}
            if absent:
                shown = ", ".join(sorted(repr(classes[known.index(label)]) for label in absent)[:5])
                fix = f"give each class images in the {part} part, or leave it out everywhere"
                raise DataError(f"{place}: classes without an image in the {part} part: {shown}", fix=fix)
