"""Which columns of a Parquet file are meant: by their names, by Hugging Face's notes, or by the suite's word."""

import json
from pathlib import Path

import pyarrow
import pytest
from own_files import NAMES, load, pictures, png, write_parquet
from pyarrow import parquet

from db.errors import ConfigError, DataError
from scheduler.config import Config, job_key
from scheduler.data_file import Columns
from scheduler.datasets import identify
from scheduler.planning import make_plan
from scheduler.suite import load_suite

FINE = [row % 3 for row in range(30)]
COARSE = [row // 15 for row in range(30)]
LEVELS = ["low", "high"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """As CIFAR-100 lies on Hugging Face: a fine and a coarse label, and here a mask beside the picture."""
    images, masks = ([png(one) for one in pictures(30, 12, 12, start=start)] for start in (0, 9))
    write_parquet(tmp_path / "one.parquet", images, FINE, mask=pyarrow.array(masks), coarse=pyarrow.array(COARSE))
    features = {name: {"_type": "Image"} for name in ("img", "mask")}
    features |= {"fine": {"_type": "ClassLabel", "names": NAMES}, "coarse": {"_type": "ClassLabel", "names": LEVELS}}
    table = parquet.read_table(tmp_path / "one.parquet").rename_columns(["img", "fine", "mask", "coarse"])
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    parquet.write_table(table.replace_schema_metadata(metadata), tmp_path / "one.parquet")
    return tmp_path / "one.parquet"


def rewritten(path: Path, names: list[str]) -> Path:
    """The same with other names of its columns, and no note of them."""
    parquet.write_table(parquet.read_table(path).rename_columns(names).replace_schema_metadata(None), path)
    return path


def suite(tmp_path: Path, lines: str, *, dataset: str = "file:one.parquet", name: str = "mine.toml"):
    (tmp_path / name).write_text(f'[suite]\nname = "mine"\ndataset = "{dataset}"\n{lines}[variants.a]\n')
    return load_suite(str(tmp_path / name))


@pytest.mark.parametrize(("label", "expected"), [("fine", FINE), ("coarse", COARSE)])
def test_the_labels_are_those_of_the_column_that_is_named(label, expected, path, tmp_path):
    splits = load(
        path, tmp_path, label_column=label, image_column="img", image_size=12, channels=1, validation_fraction=0.5
    )
    names = NAMES if label == "fine" else LEVELS
    assert splits.classes == tuple(names)
    stored = {picture.tobytes(): code for picture, code in zip(pictures(30, 12, 12), expected, strict=True)}
    for part in (splits.train, splits.val, splits.test):
        assert [stored[image.tobytes()] for image in part.images] == part.labels.tolist()
    assert f"the labels are those of the column {label}" in splits.notices
    found = identify(f"file:{path}", tmp_path, validation_fraction=0.5, columns=Columns("img", label))
    assert found.classes == len(names)


def test_the_pictures_are_those_of_the_column_that_is_named(path, tmp_path):
    for column, start in (("img", 0), ("mask", 9), ("img", 0)):  # the third time from a copy, which is its own
        splits = load(path, tmp_path, label_column="fine", image_column=column, image_size=12, channels=1)
        stored = {picture.tobytes() for picture in pictures(30, 12, 12, start=start)}
        assert all(image.tobytes() in stored for image in splits.train.images)
        assert f"the pictures are those of the column {column}" in splits.notices


@pytest.mark.parametrize(
    ("columns", "words", "fix"),
    [
        (Columns(), "several columns may be that of the pictures: img, mask", 'image_column = "img"'),
        (Columns(image="img"), "several columns may be that of the labels: fine, coarse", 'label_column = "fine"'),
        (
            Columns("img", "coarze"),
            "no column is called coarze (there are img, fine, mask, coarse)",
            "did you mean coarse?",
        ),
        (Columns("x", "fine"), "no column is called x", "give image_column one of its columns"),
        (Columns("fine", "fine"), "the column of pictures, fine, holds no encoded ones", "bytes of a PNG"),
        (Columns("img", "mask"), "the column of labels, mask, holds binary", "whole numbers or text"),
    ],
)
def test_where_no_single_column_can_be_meant_the_line_lists_them_and_names_the_field(columns, words, fix, path):
    with pytest.raises(DataError) as error:
        identify(f"file:{path}", path, columns=columns)
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)
    assert fix in error.value.fix


@pytest.mark.parametrize("names", [["image", "label", "img", "labels"], ["picture", "label", "image", "labels"]])
def test_two_columns_of_usual_names_are_not_chosen_between(names, path):
    rewritten(path, names)
    with pytest.raises(DataError, match="several columns may be that of the"):
        identify(f"file:{path}", path)
    assert identify(f"file:{path}", path, columns=Columns("image" if "img" in names else "picture", "labels"))


def test_columns_without_a_usual_name_need_a_word_of_the_suite(path, tmp_path):
    rewritten(path, ["image", "kind", "x", "y"])
    with pytest.raises(DataError, match="no column is called label or labels") as error:
        identify(f"file:{path}", path)
    assert error.value.fix == 'name that of the labels in [suite]: label_column = "NAME"'
    plan = make_plan(suite(tmp_path, 'label_column = "kind"\n'), ["a"], [1], data_dir=tmp_path)
    assert plan.entries[0].dataset.classes == 3


def test_a_column_of_parts_may_be_the_label_and_divides_nothing_then(path):
    rewritten(path, ["image", "kind", "x", "split"])
    assert identify(f"file:{path}", path, validation_fraction=0.5, columns=Columns(label="split")).images == (24, 6)
    with pytest.raises(DataError, match="split 0 in row 0"):
        identify(f"file:{path}", path, columns=Columns(label="kind"))


def test_all_files_of_a_folder_have_the_columns_of_the_first(path, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for name, columns in (("test-0", ["image", "label", "x", "y"]), ("train-0", ["img", "label", "x", "y"])):
        parquet.write_table(parquet.read_table(path), folder / f"{name}.parquet")
        rewritten(folder / f"{name}.parquet", columns)
    with pytest.raises(DataError, match=r"train-0\.parquet: no column is called image \(there are img"):
        identify(f"file:{folder}", tmp_path)


def test_a_suite_names_columns_for_every_variant_and_each_makes_other_jobs_and_reports(path, tmp_path):
    plans = [
        make_plan(suite(tmp_path, f'image_column = "img"\nlabel_column = "{label}"\n'), ["a"], [1], data_dir=tmp_path)
        for label in ("fine", "coarse")
    ]
    assert [plan.entries[0].dataset.classes for plan in plans] == [3, 2]
    assert [plan.entries[0].config.label_column for plan in plans] == ["fine", "coarse"]
    assert plans[0].entries[0].key != plans[1].entries[0].key
    assert plans[0].scope != plans[1].scope


def test_configs_that_name_none_have_the_keys_that_they_had(tmp_path):
    config = suite(tmp_path, "", dataset="digits").variants["a"].config
    assert {"label_column", "image_column"}.isdisjoint(config.canonical())
    assert job_key(config, 1) == job_key(Config(dataset="digits"), 1)


@pytest.mark.parametrize("dataset", ["digits", "file:one.npz", "folder:pets"])
def test_data_without_columns_refuse_the_name_of_one(dataset, tmp_path):
    with pytest.raises(ConfigError, match=r"\[suite\] label_column: only Parquet files have columns") as error:
        suite(tmp_path, 'label_column = "fine"\n', dataset=dataset)
    assert error.value.fix == "take label_column out"


def test_a_variant_has_no_columns_of_its_own(tmp_path):
    (tmp_path / "mine.toml").write_text(
        '[suite]\nname = "x"\ndataset = "digits"\n[variants.a]\nlabel_column = "fine"\n'
    )
    with pytest.raises(ConfigError, match=r"\[variants\.a\] label_column: a suite has one"):
        load_suite(str(tmp_path / "mine.toml"))


def test_other_data_of_a_command_or_of_a_suite_on_top_go_without_the_columns(path, tmp_path):
    base = suite(tmp_path, 'image_column = "img"\nlabel_column = "fine"\n')
    assert make_plan(base, ["a"], [1], data_dir=tmp_path, dataset="digits").entries[0].config.columns == Columns()
    same = make_plan(base, ["a"], [1], data_dir=tmp_path, dataset=f"file:{path.parent / 'x' / '..' / 'one.parquet'}")
    assert same.entries[0].config.columns == Columns("img", "fine")
    head = '[suite]\nname = "top"\nextends = "mine.toml"\n'
    for lines, expected in (
        ("", Columns("img", "fine")),
        ('dataset = "digits"\n', Columns()),
        ('dataset = "file:other.parquet"\n', Columns("img", "fine")),
        ('label_column = "coarse"\n', Columns("img", "coarse")),
    ):
        (tmp_path / "top.toml").write_text(head + lines)
        assert load_suite(str(tmp_path / "top.toml")).variants["a"].config.columns == expected
