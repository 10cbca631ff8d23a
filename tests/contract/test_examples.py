"""Examples of augmentations in the store, on SQLite and on Postgres."""

import numpy as np
from filled_store import FINGERPRINT, SPLIT, dataset

DATA = ("cifar100-20", FINGERPRINT)
NEW = np.full((6, 32, 32, 3), 7, np.uint8)


def test_a_column_is_added_once_and_no_more_than_so_many(store):
    assert store.shown_augmentations(*DATA, split=SPLIT) is None
    store.add_examples(*DATA, split=SPLIT, column="[1]", pixels=NEW, most=9)  # of data that are not there: nothing
    store.record_dataset(dataset(), split=SPLIT)
    before = store.shown_augmentations(*DATA, split=SPLIT)
    assert before == dataset().augmentation.columns
    for column, most, pixels in (("[1]", 9, NEW), ("[1]", 9, NEW), ("[2]", 6, NEW), ("[3]", 9, NEW[:, :16, :16])):
        store.add_examples(*DATA, split=SPLIT, column=column, pixels=pixels, most=most)
    assert store.shown_augmentations(*DATA, split=SPLIT) == (*before, "[1]")
    assert store.shown_augmentations(*DATA, split="0.3/1") is None
    grid = store.dataset(*DATA, split=SPLIT).augmentation
    assert (grid.pixels[:, -1] == NEW).all()
    assert (grid.pixels[:, :-1] == dataset().augmentation.pixels).all()
