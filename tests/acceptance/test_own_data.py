"""A user's own files from the command to the report, and what a command refuses of them."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from command import bench
from own_files import labels, pictures, png, write_npz, write_parquet

SUITE = """
[suite]
name = "own"
dataset = "file:pets.npz"
image_size = 20
channels = 1

[defaults]
epochs = 1
augmentation = ["flip", "crop", "cutout"]

[variants.small]
arguments = { conv_depths = [4, 8], hidden_units = 8 }

[variants.normed]
arguments = { conv_depths = [4, 8], hidden_units = 8, batch_norm = true }
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Two variants trained on uneven grey pictures without a test part; the report is in `out`."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.toml").write_text(SUITE)
    kept = np.r_[np.arange(90), np.arange(90, 180)[::3]]  # of class 0 twice as many
    np.savez(folder / "pets.npz", images=pictures(180, 28, 28)[kept], labels=labels(180)[kept])
    words = ("run", "--all", "--suite", "own.toml", "--out", "out")
    done = bench(*words, cwd=folder, BENCH_HOME=str(folder / "home"))
    (folder / "said.txt").write_text(done.stdout + done.stderr)
    return folder


def test_a_plan_says_that_a_test_part_will_be_made(study):
    done = bench("plan", "--all", "--suite", "own.toml", cwd=study, BENCH_HOME=str(study / "other"))
    assert "no test part is given: 24 images will be it" in done.stderr
    assert "no test part is given: 24 images will be it" in (study / "said.txt").read_text()
    assert not (study / "other").exists()


def test_the_report_tells_of_parts_sizes_and_unequal_classes(study):
    report = json.loads((study / "out" / "report.json").read_text())
    told = " ".join(report["notices"])
    assert "120 of 120 images were scaled to 20x20" in told
    assert "no test part was given: it is 20 % of the images of each class, by split_seed 42" in told
    assert "always answering 0 would be right for 50.0 % of the test images" in told
    page, text = ((study / "out" / f"report.{kind}").read_text() for kind in ("html", "md"))
    for notice in report["notices"]:
        assert notice[1:] in page
        assert notice[1:] in text.replace("\\", "")
    assert {"balanced_accuracy", "balanced_accuracy_sd"} <= report["tables"]["quality"][0].keys()


def test_the_report_shows_grey_pictures_of_that_size(study):
    from PIL import Image

    for name in ("sample_images", "augmentation_examples"):
        (path,) = (study / "out" / "figures").glob(f"*{name}.png")
        colours = np.asarray(Image.open(path).convert("RGB")).astype(int)
        assert np.ptp(colours, axis=2).max() == 0
        assert np.unique(colours).size > 50


def test_the_networks_are_those_of_the_size(study):
    report = json.loads((study / "out" / "report.json").read_text())
    parameters = {job["variant"]: job["result"]["parameters"] for job in report["jobs"]}
    assert parameters["small"] == (9 * 4 + 4) + (9 * 4 * 8 + 8) + (8 * 5 * 5 * 8 + 8) + (8 * 3 + 3)


def test_a_second_submission_of_the_same_file_adds_nothing_and_of_a_changed_one_new_jobs(study):
    words, home = ("plan", "--all", "--suite", "own.toml", "--json"), {"BENCH_HOME": str(study / "home")}
    before = json.loads(bench(*words, cwd=study, **home).stdout)["jobs"]
    assert {job["state"] for job in before} == {"done"}
    kept = (study / "pets.npz").read_bytes()
    try:
        np.savez(study / "pets.npz", images=pictures(90, 28, 28), labels=labels(90))
        after = json.loads(bench(*words, cwd=study, **home).stdout)["jobs"]
    finally:
        (study / "pets.npz").write_bytes(kept)
    assert {job["state"] for job in after} == {"new"}
    assert {job["key"] for job in before}.isdisjoint(job["key"] for job in after)


def test_of_several_labels_in_a_parquet_file_the_suite_names_one(tmp_path):
    images = [png(one) for one in pictures(60, 12, 12)]
    write_parquet(tmp_path / "pets.parquet", images, labels(60).tolist(), labels=pyarrow.array([0, 1] * 30))
    text = SUITE.replace("pets.npz", "pets.parquet")
    (tmp_path / "own.toml").write_text(text)
    words, home = ("plan", "--all", "--suite", "own.toml"), {"BENCH_HOME": str(tmp_path / "home")}
    refused = bench(*words, cwd=tmp_path, code=2, **home)
    first, second = refused.stderr.splitlines()
    assert re.fullmatch("error: .*pets.parquet: several columns may be that of the labels: label, labels", first)
    assert second == 'fix: name one in [suite]: label_column = "label"'
    (tmp_path / "own.toml").write_text(text.replace("channels = 1", 'channels = 1\nlabel_column = "labels"'))
    planned = json.loads(bench(*words, "--json", cwd=tmp_path, **home).stdout)["jobs"]
    parameters = {job["variant"]: job["parameters"] for job in planned}
    assert parameters["small"] == (9 * 4 + 4) + (9 * 4 * 8 + 8) + (8 * 5 * 5 * 8 + 8) + (8 * 2 + 2)  # of two classes


@pytest.mark.parametrize(
    ("words", "error", "fix"),
    [
        (["file:"], "file: needs a path", "file:./pets.npz"),
        (["file:~nosuch/x.npz"], "no home of ~nosuch", "in full"),
        (["file:absent.npz"], "cannot read .*absent.npz: No such file", "may read"),
        (["file:own.toml"], "neither .npz nor .parquet", "for each class"),
        (["file:floats.npz"], "x_train holds float64, not uint8", r"\(x_train \* 255\)"),
        (["imagenet"], "unknown data set 'imagenet'", "file:PATH"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_file_that_cannot_be_trained_on_is_one_line_with_its_mend(words, error, fix, tmp_path):
    (tmp_path / "own.toml").write_text(SUITE)
    write_npz(tmp_path / "floats.npz", 8, 8, x_train=pictures(30, 8, 8) / 255)
    home = tmp_path / "home"
    done = bench(
        "submit", "--all", "--suite", "own.toml", "--dataset", *words, cwd=tmp_path, code=2, BENCH_HOME=str(home)
    )
    first, second = done.stderr.splitlines()
    assert re.search(f"error: .*{error}", first)
    assert re.search(f"fix: .*{fix}", second)
    assert not home.exists()
