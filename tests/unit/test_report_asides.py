"""What stands beside the finding: what uneven classes are worth, what sweeps chose, and who shares the first place."""

from dataclasses import replace

import filled_store
import numpy as np
import pytest
from filled_store import dataset, filled

from db.class_sizes import unevenness
from report.asides import chosen, uneven
from report.finding import finding
from report.pairs import compare
from report.scope import read_scope
from report.tables import choice
from report.write import write_report


@pytest.fixture(scope="module")
def scope(tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), seeds=(42, 43)) as store:
        return read_scope(store, None)


def test_classes_of_one_size_need_no_word(scope):
    assert uneven(scope) == ""
    assert uneven(replace(scope, dataset=None)) == ""


def test_of_uneven_classes_it_is_told_what_the_most_frequent_answer_would_reach(scope):
    counts = tuple(900 if number == 3 else 100 for number in range(20))
    tests = tuple(62 if number == 3 else 2 for number in range(20))
    said = uneven(replace(scope, dataset=dataset(train_counts=counts, test_counts=tests)))
    assert "always answering bear would be right for 62.0 % of the test images. Balanced" in said


def test_each_sweep_tells_the_point_that_validation_chose_and_its_test_accuracy(scope):
    lines = chosen(scope)
    sweeps = scope.submission.layout["sweeps"]
    assert len(lines) == len(sweeps) == 3
    for line, (name, sweep) in zip(lines, sweeps.items(), strict=True):
        label = choice(scope, name)
        mean = np.mean([one.best.test_accuracy for one in scope.variant(label).done])
        assert f"of {len(sweep['points'])} points validation chose {sweep['points'][label]}, {100 * mean:.2f} %" in line


def test_a_sweep_with_a_point_that_is_not_done_says_nothing(tmp_path):
    with filled(tmp_path, seeds=(42,), missing=("depth=three_conv",)) as store:
        found = read_scope(store, None)
    assert len(chosen(found)) == 2


def test_the_terminal_and_both_pages_tell_it_once(tmp_path, monkeypatch):
    counts = tuple(900 if number == 3 else 100 for number in range(20))
    told = unevenness(dataset().classes, counts, dataset().test_counts)  # as a worker stores it
    uneven_data = dataset(train_counts=counts, notices=("all images were made 32x32", told))
    monkeypatch.setattr(
        filled_store, "dataset", lambda *given: replace(uneven_data, fingerprint=dataset(*given).fingerprint)
    )
    with filled(tmp_path, seeds=(42,), only=("baseline", "dropout")) as store:
        written = write_report(store, tmp_path / "report")
    texts = [written.text, (tmp_path / "report/report.md").read_text(), written.html.read_text()]
    assert [text.count("always answering bear") for text in texts] == [1] * 3
    assert [text.lower().count("all images were made 32x32") for text in texts] == [
        0,
        1,
        2,
    ]  # the list of questions too
    assert written.json["notices"] == [*uneven_data.notices]


def test_variants_of_one_accuracy_share_the_first_place(scope):
    variants = dict(scope.variants)
    ours, theirs = variants["dropout"].measured, variants["resnet"].measured
    variants["dropout"] = replace(variants["dropout"], measured=dict(zip(ours, theirs.values(), strict=True)))
    said = finding(compare(replace(scope, variants=variants)))
    assert "share the highest test accuracy of the 7 variants compared" in said
    assert "Dropout only" in said.partition(" share ")[0]
