"""Whatever the classes and the fraction, a split loses nothing, doubles nothing and keeps the proportions."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from db.errors import DataError
from worker.division import stratified

counts = st.lists(st.integers(2, 40), min_size=2, max_size=8)


def labelled(class_sizes: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(class_sizes)), class_sizes)


@settings(max_examples=60, deadline=None)
@given(class_sizes=counts, fraction=st.floats(0.05, 0.95), seed=st.integers(0, 2**32 - 1))
def test_every_image_is_in_exactly_one_part(class_sizes, fraction, seed):
    labels = labelled(class_sizes)
    try:
        train, val = stratified(labels, fraction=fraction, seed=seed)
    except DataError:
        assume(False)
    assert sorted([*train, *val]) == list(range(len(labels)))


@settings(max_examples=60, deadline=None)
@given(class_sizes=counts, fraction=st.floats(0.05, 0.95), seed=st.integers(0, 2**32 - 1))
def test_each_class_is_divided_like_the_whole_and_stays_in_training(class_sizes, fraction, seed):
    labels = labelled(class_sizes)
    try:
        train, val = stratified(labels, fraction=fraction, seed=seed)
    except DataError:
        assume(False)
    share = len(val) / len(labels)
    for label, size in enumerate(class_sizes):
        assert abs((labels[val] == label).sum() - share * size) <= 1
        assert (labels[train] == label).any()


@settings(max_examples=20, deadline=None)
@given(class_sizes=counts, seed=st.integers(0, 2**32 - 1))
def test_the_same_seed_gives_the_same_split(class_sizes, seed):
    labels = labelled([size + 10 for size in class_sizes])
    first, second = (stratified(labels, fraction=0.2, seed=seed) for _ in range(2))
    assert [rows.tolist() for rows in first] == [rows.tolist() for rows in second]
