"""The figure of augmentations: what jobs have recorded of the lists of their configs, and what a report shows of it."""

import io
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
from records import new_job, submission

from db import open_store
from db.examples import examples_name
from report.captions import caption
from report.examples import augmentation_examples
from report.figure_data import figure_rows
from report.figures import draw
from report.scope import read_scope
from report.theme import style
from scheduler.config import Config
from worker.attempt import _Run
from worker.augmentation import augment_images
from worker.dataset_record import MOST_COLUMNS

WANTED = {"name": "examples", "kind": "augmentation", "title": "", "variants": [], "sweeps": []}
ALWAYS = ("original", "flip", "crop", "flip + crop", "cutout")
SMALL, LARGE = ([{"name": "cutout", "size": size}] for size in (4, 16))
MIXED = ["flip", {"name": "mixup", "alpha": 1.0}]


@pytest.fixture
def store(tmp_path):
    with closing(open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)) as opened:
        yield opened


@pytest.fixture
def load(store, tmp_path):
    """What an attempt does before it trains, on the digits, in this store."""
    settings = SimpleNamespace(data=tmp_path / "data", cache=tmp_path / "cache")
    attempt = SimpleNamespace(
        slot=SimpleNamespace(settings=settings),
        claim=SimpleNamespace(fingerprint=None),
        outbox=SimpleNamespace(insist=lambda ask: ask()),
        store=store,
    )
    return lambda **fields: _Run.load_data(attempt, Config.parse({"dataset": "digits", **fields}))


def scope_of(store, *lists):
    """A submission with a variant for each list of augmentations."""
    jobs = [new_job(1, label=f"v{k}", dataset="digits", augmentation=one) for k, one in enumerate(lists)]
    variants = {job.label: {"title": job.label, "config": job.config} for job in jobs}
    store.submit(submission(variants=variants, layout={"sweeps": {}, "tables": [], "figures": []}), jobs)
    return read_scope(store, None)


def test_each_list_that_a_job_has_is_recorded_once(store, load):
    for augmentation in ([], SMALL, SMALL, LARGE, MIXED):
        load(augmentation=augmentation)
    grid = store.dataset("digits").augmentation
    stored = [Config.parse({"augmentation": one}).canonical()["augmentation"] for one in (SMALL, LARGE, MIXED)]
    assert grid.columns == (*ALWAYS, *map(examples_name, stored))
    original, small, large = (grid.pixels[:, place] for place in (0, 5, 6))
    for cut, size in ((small, 4), (large, 16)):
        changed = (cut != original).any(axis=-1)
        assert (cut[changed] == 0).all()
        assert 0 < changed.sum(axis=(1, 2)).max() <= size**2
    assert (large == 0).sum() > (small == 0).sum()


def test_a_search_over_augmentations_does_not_fill_the_store(store, load):
    for size in range(1, 17):
        load(augmentation=[{"name": "cutout", "size": size}])
    assert len(store.dataset("digits").augmentation.columns) == MOST_COLUMNS == 17


def test_a_mixed_example_is_between_its_own_and_the_one_to_its_left():
    stored = np.zeros((3, 3, 8, 8), np.uint8)
    stored[1] = 200
    own = Config.parse({"augmentation": ["mixup"]}).augmentation
    mixed = augment_images(stored, own, seed=1)
    assert len(np.unique(mixed[1])) == len(np.unique(mixed[2])) == 1
    assert mixed[0].max() == 0
    assert 0 < mixed[1, 0, 0, 0] < 200
    assert mixed[1, 0, 0, 0] + int(mixed[2, 0, 0, 0]) == pytest.approx(200, abs=1)


def test_the_figure_has_a_row_for_each_list_of_the_configs(store, load):
    for augmentation in (SMALL, LARGE, MIXED, ["crop"]):
        load(augmentation=augmentation)
    scope = scope_of(store, [], SMALL, MIXED, LARGE, ["affine"])
    recorded = store.dataset("digits").augmentation
    grid = augmentation_examples(scope)
    assert grid.rows == ("original", "cutout (size 4)", "flip + mixup", "cutout (size 16)")
    assert grid.columns == recorded.rows == tuple("012345")
    for row, column in enumerate((0, 5, 7, 6)):
        assert (grid.pixels[row] == recorded.pixels[:, column]).all()
    assert len(figure_rows(scope, WANTED)) == 24
    assert "Mixup and cutmix mix each" in caption(scope, WANTED)
    assert caption(scope, WANTED).endswith("Of 1 more list there is no picture.")
    with style():
        figure = draw(scope, WANTED, figure_rows(scope, WANTED))
        figure.savefig(io.BytesIO(), dpi=20)
    assert len(figure.axes[0].images) == 24
    assert {"flip + mixup", "cutout (size 16)", "5"} <= {text.get_text() for text in figure.axes[0].texts}


def test_without_a_list_of_theirs_the_examples_of_every_data_set_are_shown(store, load):
    load(augmentation=SMALL)
    scope = scope_of(store, [], LARGE)
    grid = augmentation_examples(scope)
    assert (grid.columns, grid.pixels.shape) == (ALWAYS, (6, 5, 32, 32, 3))
    assert caption(scope, WANTED).startswith("Each row: one training image")
