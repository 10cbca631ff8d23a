"""When the classes of a data set count as uneven, and what is said of it: to whoever trains, and in reports."""

from collections.abc import Sequence

_UNEVEN = 1.5
"""Times the training images of the smallest class that the largest may have before a reader is told."""


def unevenness(classes: Sequence[str], train: Sequence[int], test: Sequence[int]) -> str:
    """From the images of each class, what always giving the most frequent answer would reach; else empty."""
    most, least = train.index(max(train)), train.index(min(train))
    if train[most] < _UNEVEN * train[least]:
        return ""
    first, last = classes[most], classes[least]
    return (
        f"the classes are not of one size: {first} has {train[most]:,} training images, {last} {train[least]:,}; "
        f"always answering {first} would be right for {100 * test[most] / sum(test):.1f} % of the test images"
    )
