"""Suite files: what they become, and how each mistake is named."""

import pytest

from db.errors import ConfigError
from scheduler.config import Config, job_key
from scheduler.planning import make_plan, seeds_of
from scheduler.suite import load_suite

HEAD = '[suite]\nname = "mine"\ndataset = "digits"\n'
ONE = HEAD + '[variants.a]\nmodel = "small_cnn"\n'


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


def test_a_suite_without_figures_gets_the_usual_ones(tmp_path):
    found = suite(tmp_path, ONE)
    assert [figure["kind"] for figure in found.figures][:2] == ["class_distribution", "samples"]
    assert found.tables[0]["variants"] == ["a"]


@pytest.mark.parametrize(
    ("text", "words", "fix"),
    [
        ("[suite\n", "not valid TOML", "mend"),
        (HEAD, "variants", "correct"),
        (HEAD + "[variants.a]\nmodel = 'mlp'\n", "[variants.a] model: choose one of small_cnn", "model"),
        (ONE + "lr = 0.1\n", "[variants.a] lr: no such field", "learning_rate"),
        (ONE + "epochs = '5'\n", "[variants.a] epochs", "epochs"),
        (ONE + "epochs = true\n", "[variants.a] epochs", "epochs"),
        (ONE + "epochs = 0\n", "greater than or equal to 1", "epochs"),
        (ONE + "learning_rate = nan\n", "learning_rate", "learning_rate"),
        (ONE + "optimizer = 'adamw'\n", "'adam' or 'sgd'", "optimizer"),
        (
            ONE + "arguments = { depth = 3 }\n",
            "arguments.depth: no such field",
            "choose among conv_depths, hidden_units",
        ),
        (ONE + "arguments = { dropout = 1.5 }\n", "below 1", "arguments"),
        (ONE + "augmentation = ['mixup']\n", "'flip', 'crop', 'cutout'", "augmentation"),
        (ONE + "[sweeps.s]\nbase = 'b'\nlist = []\n", "no variant 'b'", "choose one of a"),
        (ONE + "[sweeps.s]\nbase = 'a'\n", "either `grid` or `list`", "one of them"),
        (ONE + "[sweeps.s]\nbase = 'a'\ngrid = { epochs = [] }\n", "no values", "at least one"),
        (ONE + "[[figures]]\nname = 'f'\nkind = 'pie'\n", "figures.0.kind", "correct"),
        (ONE + "[[figures]]\nname = 'f'\nkind = 'history'\nvariants = ['z']\n", "no variant 'z'", "choose among a"),
        (ONE + "[extra]\nx = 1\n", "extra: no such field", "suite"),
    ],
)
def test_a_mistake_names_file_place_and_mend(tmp_path, text, words, fix):
    with pytest.raises(ConfigError) as caught:
        suite(tmp_path, text)
    assert words in str(caught.value)
    assert "mine.toml" in str(caught.value)
    assert fix in caught.value.fix


def test_equal_configs_and_only_they_share_a_key():
    same = [Config.parse({}), Config.parse({"arguments": {"hidden_units": 128}}), Config.parse({"epochs": 50})]
    assert len({job_key(config, 1) for config in same}) == 1
    others = [job_key(Config.parse({"epochs": 3}), 1), job_key(same[0], 2), job_key(same[0], 1, fingerprint="x")]
    assert len({job_key(same[0], 1), *others}) == 4


def test_printed_values_come_along_only_with_their_own_protocol(tmp_path):
    found = load_suite()
    as_printed = make_plan(found, ["baseline"], [1], data_dir=tmp_path)
    shortened = make_plan(found, ["baseline"], [1], data_dir=tmp_path, epochs=3)
    digits = make_plan(found, ["baseline"], [1], data_dir=tmp_path, dataset="digits")
    assert as_printed.submission().reference["variants"]["baseline"]["test_accuracy"] == 0.547
    assert shortened.submission().reference == digits.submission().reference == {}
    assert len({plan.scope for plan in (as_printed, shortened, digits)}) == 3


def test_seeds_begin_at_42():
    assert seeds_of(number=None, listed=[]) == [42]
    assert seeds_of(number=3, listed=[]) == [42, 43, 44]
    assert seeds_of(number=None, listed=[7, 7, 1]) == [7, 1]
