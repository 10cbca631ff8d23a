"""What belongs beside the finding: what the sizes of classes are worth by themselves, and what sweeps have chosen."""

from report.numbers import percent
from report.points import point_text
from report.scope import Scope
from report.tables import choice

_UNEVEN = 1.5  # times as many training images in the largest class as in the smallest


def uneven(scope: Scope) -> str:
    """What always giving the most frequent answer would reach; empty where the classes are of one size."""
    data = scope.dataset
    if data is None or max(data.train_counts) < _UNEVEN * min(data.train_counts):
        return ""
    most = data.train_counts.index(max(data.train_counts))
    share = percent(data.test_counts[most] / sum(data.test_counts))
    return (
        f"The classes are not of one size: always answering {data.classes[most]} would be right for {share} % of the "
        "test images. Balanced accuracy counts each class the same."
    )


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
