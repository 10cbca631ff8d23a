"""What stands beside what when two jobs are compared, and when nothing can be tested."""

from contextlib import closing
from dataclasses import replace

import four_jobs
import pytest

from db import open_store
from db.errors import NotFoundError
from db.records import Predictions
from db.store import Store
from report import job_differences


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "home"
    four_jobs.make(folder)
    with closing(open_store(four_jobs.url(folder))) as opened:
        yield opened


def test_every_value_stands_in_its_part(store):
    found = {(one.part, one.name): (one.ours, one.theirs) for one in job_differences(store, 1, 2).values}
    history = store.histories([1])[1]
    assert found["config", "seed"] == (42, 42)
    assert found["data", "fingerprint"] == ("f" * 64, "f" * 64)
    assert found["packages", "python"] == ("3.11.9", "3.11.9")
    assert found["device", "device"] == ("cpu", "cuda")
    assert found["device", "instruction_set"] == (None, "AVX2")
    assert found["curve", "epochs_trained"] == (5, 5)
    assert found["curve", "best_val_loss"][0] == min(one.val_loss for one in history)
    assert found["curve", "last_val_accuracy"][0] == history[-1].val_accuracy
    assert found["result", "train_s"][1] == store.results([2])[2].train_s


def test_a_job_differs_from_itself_in_nothing(store):
    found = job_differences(store, 1, 1)
    assert all(one.equal for one in found.values)
    assert (found.tested.difference, found.tested.p) == (0.0, 1.0)
    assert {(one.only_ours, one.only_theirs) for one in found.tested.flips} == {(0, 0)}


def test_classes_of_unknown_data_are_numbered(store, monkeypatch):
    monkeypatch.setattr(Store, "dataset", lambda *_, **__: None)
    assert [one.name for one in job_differences(store, 1, 2).tested.flips] == [str(number) for number in range(20)]


def other_images(seen, job_id):
    return replace(seen, labels=seen.labels[::-1].copy()) if job_id == 2 else seen


def one_image(seen, _):
    return Predictions(labels=seen.labels[:1], probabilities=seen.probabilities[:1])


def none(_, job_id):
    raise NotFoundError(f"job {job_id} has no predictions")


@pytest.mark.parametrize(
    ("change", "why"),
    [(other_images, "other test images"), (one_image, "a single test image"), (none, "no predictions of one of them")],
)
def test_what_cannot_be_tested_says_why_and_is_compared_all_the_same(store, monkeypatch, change, why):
    real = Store.predictions
    monkeypatch.setattr(Store, "predictions", lambda self, job_id, of: change(real(self, job_id, of), job_id))
    found = job_differences(store, 1, 2)
    assert (found.tested, found.why, found.missing) == (None, why, ())
    assert found.values


def test_an_id_that_is_none_is_named(store):
    with pytest.raises(NotFoundError, match="no job 9"):
        job_differences(store, 1, 9)
