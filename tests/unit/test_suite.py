"""Suite files: what they become."""

import json
import re
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest
from filled_store import fill, layout_with_figures
from suite_files import FIGURE, GIVEN, HEAD, ONE, PRINTED, SWEEP, TABLE, suite

from db import open_store
from models import ARGUMENTS
from report import write_report
from scheduler._suite_file import (
    DrawnRange,
    RandomTable,
    ReferenceTable,
    ReferenceValues,
    ReportFigure,
    ReportTable,
    SuiteHead,
    SweepTable,
)
from scheduler.config import Config
from scheduler.optimizers import OPTIMIZERS
from scheduler.suite import OWN_TABLES, load_suite, protocol_of


def test_the_built_in_suite_is_the_study():
    found = load_suite()
    resnet = found.variants["resnet"].config
    assert (resnet.optimizer, resnet.learning_rate, resnet.nesterov, resnet.batch_size) == ("sgd", 0.1, True, 256)
    assert resnet.early_stopping_patience == 0
    assert [one.name for one in resnet.augmentation] == ["flip", "crop", "cutout"]
    assert len(found.figures) == 13
    assert [table["kind"] for table in found.tables] == ["training", *["results"] * 3, *["tuning"] * 3]


PROTOCOL = {
    "dataset": "cifar100-20",
    "validation_fraction": 0.2,
    "split_seed": 42,
    "batch_size": 32,
    "epochs": 50,
    "optimizer": "adam",
    "learning_rate": 0.001,
    "momentum": 0.0,
    "nesterov": False,
    "weight_decay": 0.0,
    "schedule": "plateau",
    "plateau_factor": 0.5,
    "plateau_patience": 5,
    "early_stopping_patience": 10,
    "label_smoothing": 0.0,
    "precision": "float32",
    "augmentation": [],
}
SMALL = {"conv_depths": [32, 64], "hidden_units": 128, "batch_norm": False, "dropout": 0.0, "dropout_kind": "channel"}
ADVANCED = {
    "block_depths": [64, 128, 256],
    "hidden_units": [512, 256],
    "conv_dropout": 0.25,
    "dense_dropout": 0.5,
}
FLIP, CROP = {"name": "flip", "probability": 0.5}, {"name": "crop", "padding": 4}
RESNET = {
    "model": "resnet",
    "arguments": {"stage_depths": [64, 128, 256], "blocks": 3},
    "augmentation": [FLIP, CROP, {"name": "cutout", "size": 8}],
    "batch_size": 256,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 0.0005,
    "schedule": "cosine",
    "early_stopping_patience": 0,
    "label_smoothing": 0.1,
}


def small(augmentation=(), **arguments):
    return {"model": "small_cnn", "arguments": SMALL | arguments, "augmentation": [*augmentation]}


STUDY = {
    "baseline": small(),
    "dropout": small(dropout=0.5),
    "batchnorm": small(batch_norm=True),
    "both": small(batch_norm=True, dropout=0.5),
    "both_augmented": small([FLIP, CROP], conv_depths=[64, 128], batch_norm=True, dropout=0.5),
    "advanced": {"model": "advanced_cnn", "arguments": ADVANCED, "augmentation": [FLIP, CROP]},
    "resnet": RESNET,
    "conv_depths=32x64": small(),
    "conv_depths=64x128": small(conv_depths=[64, 128]),
    "conv_depths=128x256": small(conv_depths=[128, 256]),
    "hidden_units=64": small(hidden_units=64),
    "hidden_units=128": small(),
    "hidden_units=256": small(hidden_units=256),
    "depth=two_conv": small(),
    "depth=three_conv": small(conv_depths=[32, 64, 128]),
}


def test_the_built_in_suite_has_the_studys_configs_and_no_others():
    assert [*load_suite().variants] == [*STUDY]


@pytest.mark.parametrize("label", STUDY)
def test_a_config_of_the_built_in_suite_is_to_the_last_field_what_the_study_says(label):
    assert load_suite().variants[label].config.canonical() == PROTOCOL | STUDY[label]


def test_a_grid_is_every_combination(tmp_path):
    grid = '"arguments.hidden_units" = [8, 16]\nlearning_rate = [0.1, 0.01, 0.001]\n'
    grid = '[sweeps.g]\nbase = "a"\n[sweeps.g.grid]\n' + grid
    found = suite(tmp_path, ONE + grid)
    assert len(found.sweeps["g"]["points"]) == 6
    assert found.variants["g=hidden_units=16,learning_rate=0.01"].config.arguments["hidden_units"] == 16


MERGED = """[defaults]
arguments = { batch_norm = true, hidden_units = 64 }
[variants.a]
arguments = { hidden_units = 32 }
[variants.other]
model = "resnet"
[sweeps.grid]
base = "a"
grid = { "arguments.dropout" = [0.5] }
[sweeps.list]
base = "a"
list = [{ name = "p", arguments = { batch_norm = false } }, { name = "q", model = "resnet" }]
"""


@pytest.mark.parametrize(
    ("label", "arguments"),
    [
        ("a", SMALL | {"batch_norm": True, "hidden_units": 32}),
        ("grid=0.5", SMALL | {"batch_norm": True, "hidden_units": 32, "dropout": 0.5}),
        ("list=p", SMALL | {"hidden_units": 32}),
        ("other", RESNET["arguments"]),
        ("list=q", RESNET["arguments"]),
    ],
)
def test_arguments_are_merged_key_by_key_unless_the_network_is_another(tmp_path, label, arguments):
    assert suite(tmp_path, HEAD + MERGED).variants[label].config.arguments == arguments


def test_a_suite_without_figures_gets_the_usual_ones(tmp_path):
    found = suite(tmp_path, ONE)
    assert [figure["kind"] for figure in found.figures][:2] == ["class_distribution", "samples"]
    assert found.tables[0]["variants"] == ["a"]


@pytest.mark.parametrize("title", ["'\"`", "<script>alert(1)</script>", r"50 % \& _x_ $y$ #{z}~^", "日本語"])
def test_a_title_is_any_text(tmp_path, title):
    found = suite(tmp_path, ONE + f"title = {json.dumps(title)}\n")
    assert found.variants["a"].title == title


def test_control_codes_and_line_breaks_of_a_title_become_spaces(tmp_path):
    title = 'title = "two\\nlines\\u001b[31m \\u202e left"\n'
    text = HEAD.replace("[suite]\n", "[suite]\n" + title) + "[variants.a]\n" + title
    text += SWEEP + title + "list = [{ " + title.strip() + " }]\n" + FIGURE + "kind = 'samples'\n" + title
    text += TABLE + "kind = 'results'\nvariants = ['a']\n" + title
    found = suite(tmp_path, text)
    titles = [found.title, found.variants["a"].title, found.sweeps["s"]["title"], found.variants["s=1"].title]
    titles += [found.figures[0]["title"], found.tables[0]["title"]]
    assert {*titles} == {"two lines [31m left"}


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    assert suite(tmp_path, "\ufeff" + ONE).name == "mine"


def test_a_suites_table_cannot_have_the_name_of_one_that_every_report_has(tmp_path):
    with closing(open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)) as store:
        fill(store, seeds=[1], layout=layout_with_figures(0))
        write_report(store, tmp_path / "out")
    names = {path.stem for path in (tmp_path / "out" / "tables").iterdir()}
    added = names - {table["name"] for table in load_suite().tables}
    assert added == set(OWN_TABLES)


def _documented_fields():
    yield from (name for name in Config.model_fields if name != "dataset")
    for table in (SuiteHead, ReportTable, ReportFigure, ReferenceTable, ReferenceValues, DrawnRange, RandomTable):
        yield from table.model_fields
    yield from (of.alias or name for name, of in SweepTable.model_fields.items())
    for arguments in ARGUMENTS.values():
        yield from (field.name for field in fields(arguments))
    for optimizer in OPTIMIZERS.values():
        yield from optimizer.arguments.model_fields


def test_arguments_of_an_optimizer_are_merged_while_it_stays_the_same(tmp_path):
    text = "[defaults]\noptimizer = 'AdamW'\noptimizer_arguments = { eps = 1e-6, amsgrad = true }\n"
    text += ONE + GIVEN + "eps = 1e-5\n[variants.b]\noptimizer = 'sgd'\n[variants.c]\noptimizer = 'adamw'\n"
    text += SWEEP + "grid = { 'optimizer_arguments.eps' = [1e-4, 1e-8] }\n"
    found = {label: one.config.optimizer_arguments for label, one in suite(tmp_path, text).variants.items()}
    assert found == {
        "a": {"eps": 1e-5, "amsgrad": True},
        "b": {},
        "c": {"eps": 1e-6, "amsgrad": True},
        "s=0.0001": {"eps": 1e-4, "amsgrad": True},
        "s=1e-08": {"amsgrad": True},
    }


def test_adam_lets_momentum_pass_as_it_always_did():
    assert Config.parse({"momentum": 0.9, "nesterov": True}).optimizer == "adam"


@pytest.mark.parametrize("field", sorted({*_documented_fields()}))
def test_every_field_of_a_suite_file_is_documented(field):
    text = (Path(__file__).parents[2] / "docs" / "suites.md").read_text()
    assert f"`{field}`" in text or re.search(rf"^{field} = ", text, re.MULTILINE)


def test_the_built_in_suites_printed_values_fit_its_configs():
    found = load_suite()
    assert found.notices == ()
    assert found.reference["protocol"] == protocol_of(found.variants, found.reference["variants"])


def test_a_copy_with_another_protocol_loses_the_printed_values_and_says_which_digest_fits(tmp_path):
    text = load_suite().text
    same, other = suite(tmp_path, text), suite(tmp_path, text.replace("epochs = 50\n", "epochs = 5\n"))
    assert same.reference == load_suite().reference
    assert other.reference == {}
    (notice,) = other.notices
    digest = protocol_of(other.variants, same.reference["variants"])
    assert f'protocol = "{digest}"' in notice
    mended = text.replace("epochs = 50\n", "epochs = 5\n").replace(same.reference["protocol"], digest)
    assert suite(tmp_path, mended).reference["variants"] == same.reference["variants"]


def test_printed_values_without_a_protocol_stay_out(tmp_path):
    found = suite(tmp_path, ONE + PRINTED + "test_accuracy = 0.5\n")
    assert found.reference == {}
    assert "names no protocol" in found.notices[0]
