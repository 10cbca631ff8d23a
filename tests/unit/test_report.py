"""The report shows what the store holds: every number compared with it, what is missing said."""

import csv
import json
from pathlib import Path

import pytest
from filled_store import fill

from db import open_store
from db.records import JobState
from report import write_report
from report.figure_data import figure_rows
from report.figures import draw
from report.scope import read_scope
from report.statistics import over_seeds, summarise, wilson
from report.tables import build_tables
from report.theme import colours


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'bench.db'}", create=True)
    fill(opened, seeds=(42, 43, 44), failed=("resnet",), missing=("advanced",))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def scope(store):
    return read_scope(store, None)


@pytest.fixture(scope="module")
def written(store, tmp_path_factory):
    return write_report(store, tmp_path_factory.mktemp("out")), store


def figure(scope, name):
    wanted = next(one for one in scope.submission.layout["figures"] if one["name"] == name)
    rows = figure_rows(scope, wanted)
    return rows, draw(scope, wanted, rows)


def results_of(store, label):
    ids = [job.id for job in store.jobs() if job.label == label]
    return list(store.results(ids).values())


def test_every_table_and_figure_of_the_study_is_there(written):
    out = written[0].html.parent
    names = sorted(path.stem for path in (out / "figures").glob("*.png"))
    assert [name[:9] for name in names] == [f"figure_{number:02d}" for number in range(1, 14)]
    assert names[0] == "figure_01_class_distribution"
    assert names[-1] == "figure_13_confusion_matrices"
    for kind in ("svg", "csv"):
        assert sorted(path.stem for path in (out / "figures").glob(f"*.{kind}")) == names
    tables = {path.stem for path in (out / "tables").glob("*.tex")}
    study = {"table_1_baseline", "table_2_improvements", "table_3_augmentation", "table_4_comparison"}
    assert study | {"tuning_conv_depths", "tuning_hidden_units", "tuning_depth"} < tables


def test_each_mean_is_the_mean_of_the_store(store, scope):
    table = next(one for one in build_tables(scope) if one.name == "table_4_comparison")
    for row in table.values:
        values = [result.best.test_accuracy for result in results_of(store, row["variant"])]
        assert row["n"] == len(values)
        assert row["best_test_accuracy"] == (pytest.approx(sum(values) / len(values)) if values else None)


def test_printed_values_stand_beside_ours(scope):
    cells = next(one for one in build_tables(scope) if one.name == "table_2_improvements").cells
    assert [row[5] for row in cells] == ["54.70", "52.70", "59.15", "56.25"]


def test_a_failed_and_a_missing_variant_are_named(scope):
    states = {row[0]: row[-1] for row in next(t for t in build_tables(scope) if t.name == "table_4_comparison").cells}
    assert states["ResNet"] == "3 failed: diverged"
    assert states["Advanced CNN + augmentation"] == "not submitted"
    failures = next(one for one in build_tables(scope) if one.name == "attempts_without_result")
    assert len(failures.cells) == 3


def test_a_shared_job_counts_under_each_of_its_labels(scope):
    rows = {row["point"]: row for row in figure_rows(scope, {"kind": "tuning", "sweeps": ["conv_depths"]})}
    assert rows["(32, 64)"]["test_accuracy"] == pytest.approx(
        sum(r.best.test_accuracy for r in scope.variant("baseline").done) / 3
    )


def test_a_config_has_one_colour_under_each_of_its_labels(scope):
    palette = colours(scope.submission.variants)
    assert palette["baseline"] == palette["conv_depths=32x64"] == palette["hidden_units=128"]
    assert len(set(palette.values())) == 12


def test_the_class_distribution_draws_the_counts(scope):
    rows, drawn = figure(scope, "class_distribution")
    heights = [bar.get_height() for bars in drawn.axes[0].containers for bar in bars]
    counts = scope.dataset
    assert heights == [*counts.train_counts, *counts.val_counts, *counts.test_counts]
    assert [row["class"] for row in rows] == list(counts.classes)


@pytest.mark.parametrize("name", ["baseline_history", "improvement_histories", "augmentation_comparison"])
def test_history_lines_are_the_means_of_the_stored_history(store, scope, name):
    _, drawn = figure(scope, name)
    line = drawn.axes[0].lines[0]
    label = next(one for one in scope.submission.layout["figures"] if one["name"] == name)["variants"][0]
    ids = [job.id for job in store.jobs() if job.label == label]
    first = [history[0].train_loss for history in store.histories(ids).values()]
    assert line.get_ydata()[0] == pytest.approx(sum(first) / len(first))


@pytest.mark.parametrize("name", ["test_accuracy", "accuracy_and_complexity"])
def test_accuracy_bars_are_the_means_and_gaps_say_why(scope, name):
    rows, drawn = figure(scope, name)
    heights = [bar.get_height() for bars in drawn.axes[0].containers if hasattr(bars, "patches") for bar in bars]
    assert heights == pytest.approx([100 * row["test_accuracy"] for row in rows if row["test_accuracy"] is not None])
    texts = {text.get_text() for text in drawn.axes[0].texts}
    assert {"3 failed: diverged", "not submitted"} <= texts


def test_metrics_bars_are_those_of_the_last_epoch(scope):
    rows, drawn = figure(scope, "improvement_metrics")
    heights = [bar.get_height() for bars in drawn.axes[0].containers if hasattr(bars, "patches") for bar in bars]
    assert heights == pytest.approx([row["train_loss"] for row in rows if row["weights"] == "last"])


def test_confusion_matrices_are_the_stored_counts_as_shares(scope):
    _, drawn = figure(scope, "confusion_matrices")
    shown = drawn.axes[0].images[0].get_array()
    stored = sum(
        next(iter([[list(row) for row in result.best.confusion]]))[0][0] for result in scope.variant("baseline").done
    )
    whole = sum(sum(result.best.confusion[0]) for result in scope.variant("baseline").done)
    assert shown[0, 0] == pytest.approx(stored / whole)


@pytest.mark.parametrize("name", ["sample_images", "augmentation_examples"])
def test_pictures_are_the_stored_pixels(scope, name):
    _, drawn = figure(scope, name)
    grid = scope.dataset.samples if name == "sample_images" else scope.dataset.augmentation
    assert (drawn.axes[0].images[0].get_array() == grid.pixels[0, 0]).all()


def test_the_data_beside_a_figure_are_the_numbers_of_the_report(written):
    report, _ = written
    with (report.html.parent / "figures" / "figure_12_test_accuracy.csv").open() as file:
        rows = list(csv.DictReader(file))
    ours = report.json["figures"]["figure_12_test_accuracy"]
    assert [row["test_accuracy"] for row in rows] == [str(row["test_accuracy"] or "") for row in ours]
    assert json.loads((report.html.parent / "report.json").read_text()) == json.loads(json.dumps(report.json))


def test_the_page_opens_offline_and_names_the_classes(written):
    page = written[0].html.read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "<script" not in page
    assert "aquarium_fish" in page
    assert len(page) < 5_000_000


def test_hostile_names_stay_text(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)
    fill(store, seeds=(42,), title="<script>alert(1)</script> $x_1$ & 50% \\input{x}")
    report = write_report(store, tmp_path / "out")
    store.close()
    assert "<script>" not in report.html.read_text()
    latex = (tmp_path / "out" / "tables" / "table_4_comparison.tex").read_text()
    assert "\\input{x}" not in latex
    assert "\\& 50\\%" in latex


def test_one_seed_says_that_seed_noise_is_unknown(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)
    fill(store, seeds=(42,))
    report = write_report(store, tmp_path / "out")
    store.close()
    assert "another seed" in report.html.read_text()
    row = report.json["tables"]["table_4_comparison"][0]
    assert row["best_test_accuracy_low"] < row["best_test_accuracy"] < row["best_test_accuracy_high"]


def test_another_protocol_is_another_report(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)
    fill(store, seeds=(42,))
    fill(store, seeds=(42, 43), scope="short", epochs=3, reference={})
    newest, older = read_scope(store, None), read_scope(store, 1)
    store.close()
    assert {job.epochs for job in newest.jobs()} == {3}
    assert {job.epochs for job in older.jobs()} == {50}
    assert newest.reference("baseline") == {}


def test_the_report_only_reads(store, tmp_path):
    before = [(job.id, job.state) for job in store.jobs()], len(store.submissions())
    write_report(store, tmp_path)
    assert ([(job.id, job.state) for job in store.jobs()], len(store.submissions())) == before
    assert JobState.FAILED in {state for _, state in before[0]}


def test_intervals_agree_with_published_figures():
    assert wilson(15, 50) == pytest.approx((0.1910, 0.4375), abs=1e-4)  # Newcombe 1998, method 3, by hand
    low, high = over_seeds([0.50, 0.52, 0.54])
    assert (low, high) == pytest.approx((0.52 - 4.302653 * 0.02 / 3**0.5, 0.52 + 4.302653 * 0.02 / 3**0.5))
    assert summarise([0.5]).deviation is None
    assert summarise([]) is None


def test_the_folder_that_cannot_be_written_is_named(store, tmp_path):
    from db.errors import ConfigError

    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write the report"):
        write_report(store, Path(tmp_path / "file" / "out"))
