"""What belongs beside the finding: what the sizes of classes are worth by themselves, and what sweeps have chosen."""

from db.class_sizes import unevenness
from report.numbers import percent
from report.points import point_text
from report.scope import Scope
from report.tables import choice
from report.text import sentence


def uneven(scope: Scope) -> str:
    """What always giving the most frequent answer would reach; empty where the classes are of one size."""
    told = _uneven(scope)
    return f"{sentence(told)} Balanced accuracy counts each class the same." if told else ""


def other_notices(scope: Scope) -> tuple[str, ...]:
    """What the store was told of the data, but for the sizes of classes: `uneven` has said that already."""
    return tuple(one for one in scope.dataset.notices if one != _uneven(scope)) if scope.dataset else ()


def _uneven(scope: Scope) -> str:
    data = scope.dataset
    return unevenness(data.classes, data.train_counts, data.test_counts) if data else ""


def chosen(scope: Scope) -> list[str]:
    """A line for each sweep whose points are all done: the one that validation chose, and its test accuracy."""
    lines = []
    for name, sweep in scope.submission.layout["sweeps"].items():
        label = choice(scope, name)
        if label is not None:
            done = scope.variant(label).done
            accuracy = percent(sum(result.best.test_accuracy for result in done) / len(done))
            number, point = len(sweep["points"]), point_text(sweep, label)
            lines.append(f"{sweep['title']}: of {number} points validation chose {point}, {accuracy} % in the test.")
    return lines
