"""Suite files: what they become, and how each mistake is named."""

import json
import re
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest
from filled_store import fill, layout_with_figures

from db import open_store
from db.errors import ConfigError
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
from scheduler.config import ENGINE_REVISION, Config, job_key
from scheduler.optimizers import OPTIMIZERS
from scheduler.planning import make_plan, seeds_of
from scheduler.suite import OWN_TABLES, load_suite, protocol_of

HEAD = '[suite]\nname = "mine"\ndataset = "digits"\n'
ONE = HEAD + '[variants.a]\nmodel = "small_cnn"\n'
RMSPROP, RPROP = "optimizer = 'rmsprop'\n", "optimizer = 'rprop'\nschedule = 'constant'\n"
GIVEN, SWEPT = "[variants.a.optimizer_arguments]\n", "[sweeps.s]\nbase = 'a'\n"
CLAIMED = "claims = ['best = a']\n"
TABLE, FIGURE = "[[tables]]\nname = 't'\n", "[[figures]]\nname = 'f'\n"


def suite(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return load_suite(str(path))


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


def test_a_config_that_two_experiments_share_is_one_job(tmp_path):
    found = load_suite()
    plan = make_plan(found, list(found.variants), [42, 43], data_dir=tmp_path)
    assert len(plan.entries) == 30
    assert len(plan.distinct()) == 24


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


POINTS = "[sweeps.s]\nbase = 'a'\n"
PRINTED = "[reference]\nsource = 'x'\n[reference.variants.a]\n"


@pytest.mark.parametrize(
    ("text", "words", "fix"),
    [
        ("[suite\n", "not valid TOML", "mend that line"),
        ("", "[suite]: is missing", "suite takes a table with name, title, dataset, image_size"),
        (HEAD, "[variants]: is missing", "write [variants.NAME]"),
        (HEAD + "[variants]\n", "[variants]: is empty", "write [variants.NAME]"),
        (HEAD + "seeds = []\n[variants.a]\n", "[suite] seeds: is empty", "seeds takes a list"),
        (
            HEAD + "lr = 0.1\n[variants.a]\n",
            "[suite] lr: no such field",
            "choose among name, title, dataset, image_size, channels, test_fraction, label_column, image_column, seeds",
        ),
        (ONE.replace("digits", "mnist"), "[suite] dataset: unknown data set 'mnist'", "choose one of cifar100-20"),
        (ONE + "dataset = 'cifar10'\n", "[variants.a] dataset: a suite has one data set", "in [suite]"),
        (ONE + "[defaults]\ndataset = 'cifar10'\n", "[defaults] dataset: a suite has one data set", "in [suite]"),
        (ONE + POINTS + "grid = { dataset = ['digits'] }\n", "[sweeps.s] digits dataset: a suite has", "in [suite]"),
        (ONE + "[defaults]\narguments = 3\n", "[defaults] arguments: not a table (it is 3)", "arguments = {"),
        (ONE + "[defaults]\narguments = { x = 1 }\n", "[defaults] arguments.x: no such field", "conv_depths"),
        (HEAD + "seeds = 42\n[variants.a]\n", "[suite] seeds: ", "seeds takes a list, each of it a whole number"),
        (HEAD + "seeds = [1, 1]\n[variants.a]\n", "[suite] seeds: 1 twice", "once"),
        (HEAD + "seeds = [-1]\n[variants.a]\n", "[suite.seeds] 1: ", "at least 0 and below 2147483648"),
        (HEAD + "seeds = []\n[variants.a]\n", "[suite] seeds: ", "seeds takes a list"),
        (HEAD + "[variants.'b@d']\n", "[variants] b@d: not a name", "letter or digit"),
        (HEAD + "[variants]\na = 3\n", "[variants] a: not a table", "a takes a table"),
        (
            HEAD + "[variants.a]\nmodel = 'mlp'\n",
            "[variants.a] model: no such network",
            "one of small_cnn, advanced_cnn",
        ),
        (ONE + "lr = 0.1\n", "[variants.a] lr: no such field", "learning_rate"),
        (ONE + "learnin_rate = 0.1\n", "[variants.a] learnin_rate: no such field", "did you mean learning_rate?"),
        (HEAD + "sede = [1]\n[variants.a]\n", "[suite] sede: no such field", "did you mean seeds?"),
        (HEAD + "[variant.a]\n", "[variant]: no such field", "did you mean variants?"),
        (HEAD + CLAIMED + "[variants.a]\n", "[suite] claims: no such field", "at the file's top, above [suite]"),
        (ONE + "[defaults]\n" + CLAIMED, "[defaults] claims: no such field", "at the file's top, above [suite]"),
        (ONE + CLAIMED, "[variants.a] claims: no such field", "at the file's top, above [suite]"),
        (ONE + SWEPT + CLAIMED, "[sweeps.s] claims: no such field", "at the file's top, above [suite]"),
        (ONE + "title = 3\n", "[variants.a] title: not text (it is 3)", "title takes text"),
        (ONE + "[defaults]\nlr = 0.1\n", "[defaults] lr: no such field", "learning_rate"),
        (ONE + "[defaults]\nepochs = '5'\n", "[defaults] epochs: ", "epochs takes a whole number, at least 1"),
        (ONE + "epochs = true\n", "[variants.a] epochs: should be a valid integer (it is True)", "a whole number"),
        (ONE + "epochs = 0\n", "greater than or equal to 1", "a whole number, at least 1 and at most 100000"),
        (ONE + "epochs = 1" + 30 * "0" + "\n", "[variants.a] epochs: a whole number of more than 64 bits", "smaller"),
        (ONE + "epochs = 1" + 5000 * "0" + "\n", "not valid TOML", "mend"),
        (ONE + "epochs = " + 30 * "[" + 30 * "]" + "\n", "lists within each other", "flatter"),
        (ONE + "epochs = " + 3000 * "[" + 3000 * "]" + "\n", "lists within each other", "flatter"),
        (ONE + "learning_rate = nan\n", "finite number", "learning_rate takes a number, above 0"),
        (ONE + "optimizer = 'adamx'\n", "no such optimizer (it is 'adamx')", "optimizer takes one of adam, sgd, adamw"),
        (ONE + "optimizer = 'LBFGS'\n", "lbfgs computes each batch several times over", "optimizer takes one of adam"),
        (ONE + "optimizer = 'muon'\n", "muon takes weights of two dimensions alone", "optimizer takes one of adam"),
        (ONE + "optimizer = 'adamw'\nmomentum = 0.9\n", "momentum: adamw takes none (it is 0.9)", "leave momentum out"),
        (ONE + RMSPROP + "momentum = 0.9\nnesterov = true\n", "nesterov: rmsprop takes none", "leave nesterov out"),
        (ONE + RPROP + "weight_decay = 0.1\n", "weight_decay: rprop takes none", "or take another optimizer"),
        (ONE + "optimizer = 'rprop'\n", "schedule: no schedule moves rprop's steps", 'set schedule = "constant"'),
        (ONE + RPROP + "warmup_epochs = 1\n", "warmup_epochs: no schedule moves rprop's", "without a warm-up"),
        (
            ONE + "optimizer_arguments = 3\n",
            "optimizer_arguments: not a table (it is 3)",
            "adam takes the arguments betas",
        ),
        (ONE + GIVEN + "lr = 1\n", "lr is the config's learning_rate", "take lr out of optimizer_arguments"),
        (ONE + GIVEN + "weight_decay = 1\n", "is the config's own weight_decay", "take weight_decay out"),
        (ONE + GIVEN + "fused = true\n", "fused is for bench to choose", "take fused out"),
        (ONE + GIVEN + "maximize = true\n", "maximize would make the loss grow", "take maximize out"),
        (ONE + GIVEN + "beta = 1\n", "[variants.a] optimizer_arguments.beta: no such field", "did you mean betas?"),
        (ONE + GIVEN + "betas = [0.9]\n", "optimizer_arguments.betas.2: is missing", "below 1"),
        (ONE + GIVEN + "betas = [0.9, 1]\n", "optimizer_arguments.betas.2: should be less than 1 (it is 1)", "below 1"),
        (ONE + GIVEN + "betas = 0.9\n", "optimizer_arguments.betas", "betas takes a list of 2: a number, at least 0"),
        (ONE + GIVEN + "amsgrad = 1\n", "optimizer_arguments.amsgrad", "amsgrad takes true or false"),
        (ONE + RPROP + GIVEN + "step_sizes = [2, 1]\n", "the first of step_sizes is above the second", "swap them"),
        (
            ONE + "optimizer = 'sgd'\nmomentum = 0.9\nnesterov = true\n" + GIVEN + "dampening = 0.1\n",
            "nesterov: needs dampening 0",
            "take dampening out",
        ),
        (ONE + "[defaults]\noptimizer_arguments.eps = -1\n", "[defaults] optimizer_arguments.eps", "at least 0"),
        (ONE + SWEPT + "grid = { 'optimizer.eps' = [1] }\n", "no field 'optimizer.eps'", "optimizer_arguments.NAME"),
        (ONE + "schedule = 'linear'\n", "(it is 'linear')", "one of constant, plateau, cosine, step, one_cycle"),
        (ONE + "step_milestones = [3, 3]\n", "step_milestones: not ascending (it is [3, 3])", "each epoch once"),
        (ONE + "step_milestones = [3]\nstep_epochs = 2\n", "step_epochs says when as well", "give one of them"),
        (ONE + "step_milestones = [0]\n", "step_milestones.1: should be greater", "whole number, at least 1"),
        (ONE + "schedule = 'one_cycle'\nwarmup_epochs = 2\n", "one_cycle has a warm-up of its own", "one_cycle_warmup"),
        (ONE + "one_cycle_warmup = 1\n", "one_cycle_warmup: should be less than 1", "above 0 and below 1"),
        (
            ONE + "epochs = 5\nwarmup_epochs = 5\n",
            "[variants.a] warmup_epochs: a warm-up of 5 epochs takes all of the 5 epochs",
            "lower warmup_epochs, or raise epochs",
        ),
        (
            ONE + "[defaults]\nwarmup_epochs = 3.5\n" + POINTS + "grid = { epochs = [4, 3] }\n",
            "[sweeps.s] 3 warmup_epochs: a warm-up of 3.5 epochs takes all of the 3 epochs",
            "lower warmup_epochs",
        ),
        (ONE + "warmup_epochs = -1\n", "warmup_epochs: should be greater", "at least 0"),
        (ONE + "gradient_clip = -1\n", "gradient_clip: should be greater", "a number, at least 0"),
        (ONE + "train_budget_s = 0\n", "train_budget_s: should be greater than 0", "a number, above 0"),
        (ONE + "nesterov = true\n", "[variants.a] nesterov: needs momentum", "set momentum above 0"),
        (ONE + "arguments = 3\n", "[variants.a] arguments: ", "small_cnn takes the arguments conv_depths, hidden"),
        (
            ONE + "arguments = { depth = 3 }\n",
            "arguments.depth: no such field",
            "did you mean conv_depths?",
        ),
        (ONE + "arguments = { dropout = 1.5 }\n", "below 1, not 1.5", "small_cnn takes the arguments"),
        (ONE + "arguments = { hidden_units = 'x' }\n", "arguments.hidden_units: ", "hidden_units takes a whole number"),
        (
            ONE + "augmentation = ['mixin']\n",
            "augmentation.1: ",
            "each of augmentation takes one of affine, color_jitter, crop, cutmix, cutout, flip, mixup, random_erasing",
        ),
        (ONE + "augmentation = [{ name = 'crop', padding = 99 }]\n", "crop.padding", "at least 1 and at most 16"),
        (ONE + "augmentation = [{ name = 'flip', size = 2 }]\n", "flip.size: no such field", "name, probability"),
        (ONE + "[sweeps.s]\nbase = 'b'\nlist = []\n", "[sweeps.s] base: no variant 'b'", "choose one of a"),
        (ONE + "[sweeps.s]\ngrid = {}\n", "[sweeps.s] base: is missing", "base takes text"),
        (ONE + "[sweeps.a]\nbase = 'a'\nlist = [{}]\n", "[sweeps.a] has the name of a variant", "another name"),
        (ONE + POINTS, "needs one of `grid`, `list` and `random`", "one of them"),
        (
            ONE + POINTS + "grid = { epochs = [1] }\nlist = [{ epochs = 2 }]\n",
            "needs one of `grid`, `list` and `random`",
            "one of them",
        ),
        (ONE + POINTS + "grid = { epochs = [] }\n", "no values", "at least one"),
        (ONE + POINTS + "grid = { epochs = 3 }\n", "[sweeps.s.grid] epochs: ", "epochs takes a list"),
        (ONE + POINTS + f"grid = {{ epochs = {[*range(1, 10_002)]} }}\n", "10,001 points", "at most 10,000"),
        (ONE + POINTS + "grid = { 'model.x' = [1] }\n", "no field 'model.x'", "arguments.NAME"),
        (ONE + POINTS + "grid = { epochs = [1, 1] }\n", "s=1 is the name of two points", "name the points"),
        (ONE + POINTS + "grid = { optimizer = ['x y'] }\n", "unusual letters", "name the points"),
        (
            ONE + POINTS + "list = [{ name = 'p' }, { name = 'p' }]\n",
            "s=p is the name of two points",
            "name the points",
        ),
        (
            ONE + "[variants.'s=p']\n" + POINTS + "list = [{ name = 'p' }]\n",
            "s=p is a variant's name",
            "name the points",
        ),
        (ONE + POINTS + "list = [{ name = 1 }]\n", "[sweeps.s] list 1 name: not text", "name takes text"),
        (ONE + POINTS + "list = [{ epochs = 0 }]\n", "[sweeps.s] 1 epochs: ", "at least 1"),
        (ONE + FIGURE + "kind = 'pie'\n", "[[figures]] 1 kind: ", "kind takes one of class_distribution, samples"),
        (ONE + FIGURE + "kind = 'history'\nvariants = ['z']\n", "[[figures]] f: no variant 'z'", "choose among a"),
        (ONE + FIGURE + "kind = 'history'\n", "[[figures]] f: shows no variant", "give variants, of a"),
        (ONE + FIGURE + "kind = 'tuning'\n", "[[figures]] f: shows no sweep", "give sweeps, of (none)"),
        (ONE + FIGURE + "kind = 'tuning'\nsweeps = ['z']\n", "no sweep 'z'", "choose among (none)"),
        (ONE + 2 * (FIGURE + "kind = 'samples'\n"), "[[figures]] f: another one has this name", "another name"),
        (ONE + 2 * (TABLE + "kind = 'results'\nvariants = ['a']\n"), "[[tables]] t: another one has", "another name"),
        (ONE + "[[tables]]\nname = 'Cost'\nkind = 'results'\nvariants = ['a']\n", "another one has", "another name"),
        (ONE + TABLE + "kind = 'results'\n", "[[tables]] t: shows no variant", "give variants, of a"),
        (ONE + TABLE + "kind = 'tuning'\n", "[[tables]] t: no sweep ''", "choose among (none)"),
        (
            ONE + TABLE + "kind = 'results'\ncolumns = ['f1']\n",
            "[[tables]] 1 columns 1: ",
            "one of test_accuracy, test_loss",
        ),
        (ONE + PRINTED.replace(".a]", ".z]"), "[reference]: no variant 'z'", "choose among a"),
        (ONE + PRINTED + "f1 = 0.5\n", "[reference.variants.a] f1: no such field", "choose among test_accuracy"),
        (
            ONE + PRINTED + "test_accuracy = 54.7\n",
            "(it is 54.7)",
            "test_accuracy takes a number, at least 0 and at most 1",
        ),
        (ONE + "[extra]\nx = 1\n", "[extra]: no such field", "choose among suite, defaults, variants"),
    ],
    ids=lambda value: None,
)
def test_a_mistake_names_file_place_and_what_would_be_allowed(tmp_path, text, words, fix):
    with pytest.raises(ConfigError) as raised:
        suite(tmp_path, text)
    assert str(raised.value).startswith(f"{tmp_path / 'mine.toml'}: ")
    assert words in str(raised.value)
    assert fix in raised.value.fix


@pytest.mark.parametrize("title", ["'\"`", "<script>alert(1)</script>", r"50 % \& _x_ $y$ #{z}~^", "日本語"])
def test_a_title_is_any_text(tmp_path, title):
    found = suite(tmp_path, ONE + f"title = {json.dumps(title)}\n")
    assert found.variants["a"].title == title


@pytest.mark.parametrize("where", ["[suite]\n", "[variants.a]\n"])
def test_a_title_of_more_letters_than_a_table_can_show_is_refused(tmp_path, where):
    text = (HEAD + "[variants.a]\n").replace(where, f"{where}title = {json.dumps(201 * 'x')}\n")
    with pytest.raises(ConfigError, match=r"200|201"):
        suite(tmp_path, text)


def test_control_codes_and_line_breaks_of_a_title_become_spaces(tmp_path):
    title = 'title = "two\\nlines\\u001b[31m \\u202e left"\n'
    text = HEAD.replace("[suite]\n", "[suite]\n" + title) + "[variants.a]\n" + title
    text += POINTS + title + "list = [{ " + title.strip() + " }]\n" + FIGURE + "kind = 'samples'\n" + title
    text += TABLE + "kind = 'results'\nvariants = ['a']\n" + title
    found = suite(tmp_path, text)
    titles = [found.title, found.variants["a"].title, found.sweeps["s"]["title"], found.variants["s=1"].title]
    titles += [found.figures[0]["title"], found.tables[0]["title"]]
    assert {*titles} == {"two lines [31m left"}


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    assert suite(tmp_path, "\ufeff" + ONE).name == "mine"


@pytest.mark.parametrize("value", ["inf", "nan", "1e300", "-0.1"])
def test_a_printed_loss_is_a_number_that_a_loss_can_be(tmp_path, value):
    with pytest.raises(ConfigError, match="test_loss") as raised:
        suite(tmp_path, ONE + PRINTED + f"test_loss = {value}\n")
    assert "at least 0 and at most 1000000" in raised.value.fix


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
    text += SWEPT + "grid = { 'optimizer_arguments.eps' = [1e-4, 1e-8] }\n"
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


def test_equal_configs_and_only_they_share_a_key():
    same = [Config.parse({}), Config.parse({"arguments": {"hidden_units": 128}}), Config.parse({"epochs": 50})]
    assert len({job_key(config, 1) for config in same}) == 1
    others = [job_key(Config.parse({"epochs": 3}), 1), job_key(same[0], 2), job_key(same[0], 1, fingerprint="x")]
    assert len({job_key(same[0], 1), *others}) == 4


def test_another_engine_revision_makes_other_jobs(monkeypatch):
    before = job_key(Config.parse({}), 1)
    monkeypatch.setattr("scheduler.config.ENGINE_REVISION", ENGINE_REVISION + 1)
    assert job_key(Config.parse({}), 1) != before


def image_folder(root, *, classes=2, train=6):
    for part, count in (("train", train), ("test", 1)):
        for name in range(classes):
            (root / part / f"class{name}").mkdir(parents=True)
            for index in range(count):
                (root / part / f"class{name}" / f"{index}.png").write_bytes(f"{part}{name}{index}".encode())
    return root


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_changed_file_of_a_folder_makes_other_jobs(tmp_path, part):
    pets = image_folder(tmp_path / "pets")

    def keys():
        plan = make_plan(load_suite(), ["baseline"], [1], data_dir=tmp_path, dataset=f"folder:{pets}")
        return [entry.key for entry in plan.entries], plan.scope

    before = keys()
    assert keys() == before
    (pets / part / "class1" / "0.png").write_bytes(b"another picture")
    changed = keys()
    assert changed[0] != before[0]
    assert changed[1] != before[1]


@pytest.mark.parametrize("classes", [2, 20], ids=["other classes", "too few images"])
def test_printed_values_stay_away_from_a_copy_that_is_not_the_published_set(tmp_path, classes):
    image_folder(tmp_path / "cifar100-20", classes=classes)
    plan = make_plan(load_suite(), ["baseline"], [1], data_dir=tmp_path)
    assert not plan.as_printed
    assert plan.submission().reference == {}


def test_printed_values_come_along_only_with_their_own_protocol(tmp_path):
    found = load_suite()
    as_printed = make_plan(found, ["baseline"], [1], data_dir=tmp_path)
    shortened = make_plan(found, ["baseline"], [1], data_dir=tmp_path, epochs=3)
    digits = make_plan(found, ["baseline"], [1], data_dir=tmp_path, dataset="digits")
    assert as_printed.submission().reference["variants"]["baseline"]["test_accuracy"] == 0.547
    assert shortened.submission().reference == digits.submission().reference == {}
    assert len({plan.scope for plan in (as_printed, shortened, digits)}) == 3


def test_seeds_are_those_of_the_command_or_else_the_suites(tmp_path):
    own = suite(tmp_path, HEAD + "seeds = [7, 9]\n[variants.a]\n").seeds
    assert own == (7, 9)
    assert seeds_of(number=None, listed=[], own=own) == [7, 9]
    assert seeds_of(number=3, listed=[], own=own) == [42, 43, 44]
    assert seeds_of(number=None, listed=[7, 7, 1], own=own) == [7, 1]


def test_a_suite_that_names_no_seeds_has_42_alone(tmp_path):
    assert suite(tmp_path, ONE).seeds == load_suite().seeds == (42,)


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
