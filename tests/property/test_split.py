"""Whatever the classes and the fraction, a split loses nothing, doubles nothing and keeps the proportions."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from db.errors import DataError
from worker.datasets import stratified
from worker.splits import Part

counts = st.lists(st.integers(2, 40), min_size=2, max_size=8)


def numbered(class_sizes: list[int]) -> Part:
    labels = np.repeat(np.arange(len(class_sizes)), class_sizes)
    images = np.arange(len(labels), dtype=np.uint16).view(np.uint8).reshape(-1, 2, 1, 1)
    return Part(images=images, labels=labels)


def numbers(part: Part) -> list[int]:
    return part.images.reshape(-1, 2).copy().view(np.uint16).ravel().tolist()


@settings(max_examples=60, deadline=None)
@given(class_sizes=counts, fraction=st.floats(0.05, 0.95), seed=st.integers(0, 2**32 - 1))
def test_every_image_is_in_exactly_one_part_with_its_own_label(class_sizes, fraction, seed):
    whole = numbered(class_sizes)
    try:
        parts = stratified(whole, fraction=fraction, seed=seed)
    except DataError:
        assume(False)
    assert sorted(numbers(parts[0]) + numbers(parts[1])) == list(range(len(whole.labels)))
    for part in parts:
        assert part.labels.tolist() == whole.labels[numbers(part)].tolist()


@settings(max_examples=60, deadline=None)
@given(class_sizes=counts, fraction=st.floats(0.05, 0.95), seed=st.integers(0, 2**32 - 1))
def test_each_class_is_divided_like_the_whole_and_stays_in_training(class_sizes, fraction, seed):
    whole = numbered(class_sizes)
    try:
        train, val = stratified(whole, fraction=fraction, seed=seed)
    except DataError:
        assume(False)
    share = len(val.labels) / len(whole.labels)
    for label, size in enumerate(class_sizes):
        assert abs((val.labels == label).sum() - share * size) <= 1
        assert (train.labels == label).any()


@settings(max_examples=20, deadline=None)
@given(class_sizes=counts, seed=st.integers(0, 2**32 - 1))
def test_the_same_seed_gives_the_same_split(class_sizes, seed):
    whole = numbered([size + 10 for size in class_sizes])
    first, second = (stratified(whole, fraction=0.2, seed=seed) for _ in range(2))
    assert [numbers(part) for part in first] == [numbers(part) for part in second]
