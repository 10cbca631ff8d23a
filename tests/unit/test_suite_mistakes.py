"""Suite files with a mistake: each is named with its file, its place and what would be allowed."""

import json

import pytest
from suite_files import FIGURE, GIVEN, HEAD, ONE, PRINTED, SWEEP, TABLE, suite

from db.errors import ConfigError

RMSPROP, RPROP = "optimizer = 'rmsprop'\n", "optimizer = 'rprop'\nschedule = 'constant'\n"
CLAIMED = "claims = ['best = a']\n"


@pytest.mark.parametrize(
    ("text", "words", "fix"),
    [
        ("[suite\n", "not valid TOML", "mend that line"),
        ("", "[suite]: is missing", "suite takes a table with name, title, dataset, image_size"),
        (HEAD, "[variants]: is missing", "write [variants.NAME]"),
        (HEAD + "[variants]\n", "[variants]: is empty", "write [variants.NAME]"),
        (
            HEAD + "lr = 0.1\n[variants.a]\n",
            "[suite] lr: no such field",
            "choose among name, title, dataset, image_size, channels, test_fraction, label_column, image_column, seeds",
        ),
        (ONE.replace("digits", "mnist"), "[suite] dataset: unknown data set 'mnist'", "choose one of cifar100-20"),
        (ONE + "dataset = 'cifar10'\n", "[variants.a] dataset: a suite has one data set", "in [suite]"),
        (ONE + "[defaults]\ndataset = 'cifar10'\n", "[defaults] dataset: a suite has one data set", "in [suite]"),
        (ONE + SWEEP + "grid = { dataset = ['digits'] }\n", "[sweeps.s] digits dataset: a suite has", "in [suite]"),
        (ONE + "[defaults]\narguments = 3\n", "[defaults] arguments: not a table (it is 3)", "arguments = {"),
        (ONE + "[defaults]\narguments = { x = 1 }\n", "[defaults] arguments.x: no such field", "conv_depths"),
        (HEAD + "seeds = 42\n[variants.a]\n", "[suite] seeds: ", "seeds takes a list, each of it a whole number"),
        (HEAD + "seeds = [1, 1]\n[variants.a]\n", "[suite] seeds: 1 twice", "once"),
        (HEAD + "seeds = [-1]\n[variants.a]\n", "[suite.seeds] 1: ", "at least 0 and below 2147483648"),
        (HEAD + "seeds = []\n[variants.a]\n", "[suite] seeds: is empty", "seeds takes a list"),
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
        (ONE + SWEEP + CLAIMED, "[sweeps.s] claims: no such field", "at the file's top, above [suite]"),
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
        (ONE + SWEEP + "grid = { 'optimizer.eps' = [1] }\n", "no field 'optimizer.eps'", "optimizer_arguments.NAME"),
        (ONE + "schedule = 'linear'\n", "(it is 'linear')", "one of constant, plateau, cosine, step, one_cycle"),
        (ONE + "step_milestones = [3, 3]\n", "step_milestones: not ascending (it is [3, 3])", "each epoch once"),
        (ONE + "step_milestones = [3]\nstep_epochs = 2\n", "step_epochs says when as well", "give one of them"),
        (ONE + "step_milestones = [0]\n", "step_milestones.1: should be greater", "whole number, at least 1"),
        (ONE + "schedule = 'one_cycle'\nwarmup_epochs = 2\n", "one_cycle has a warm-up of its own", "one_cycle_warmup"),
        (ONE + "one_cycle_warmup = 1\n", "one_cycle_warmup: should be less than 1", "above 0 and below 1"),
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
        (ONE + SWEEP, "needs one of `grid`, `list` and `random`", "one of them"),
        (
            ONE + SWEEP + "grid = { epochs = [1] }\nlist = [{ epochs = 2 }]\n",
            "needs one of `grid`, `list` and `random`",
            "one of them",
        ),
        (ONE + SWEEP + "grid = { epochs = [] }\n", "no values", "at least one"),
        (ONE + SWEEP + "grid = { epochs = 3 }\n", "[sweeps.s.grid] epochs: ", "epochs takes a list"),
        (ONE + SWEEP + f"grid = {{ epochs = {[*range(1, 10_002)]} }}\n", "10,001 points", "at most 10,000"),
        (ONE + SWEEP + "grid = { 'model.x' = [1] }\n", "no field 'model.x'", "arguments.NAME"),
        (ONE + SWEEP + "grid = { epochs = [1, 1] }\n", "s=1 is the name of two points", "name the points"),
        (ONE + SWEEP + "grid = { optimizer = ['x y'] }\n", "unusual letters", "name the points"),
        (
            ONE + SWEEP + "list = [{ name = 'p' }, { name = 'p' }]\n",
            "s=p is the name of two points",
            "name the points",
        ),
        (
            ONE + "[variants.'s=p']\n" + SWEEP + "list = [{ name = 'p' }]\n",
            "s=p is a variant's name",
            "name the points",
        ),
        (ONE + SWEEP + "list = [{ name = 1 }]\n", "[sweeps.s] list 1 name: not text", "name takes text"),
        (ONE + SWEEP + "list = [{ epochs = 0 }]\n", "[sweeps.s] 1 epochs: ", "at least 1"),
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


@pytest.mark.parametrize("where", ["[suite]\n", "[variants.a]\n"])
def test_a_title_of_more_letters_than_a_table_can_show_is_refused(tmp_path, where):
    text = (HEAD + "[variants.a]\n").replace(where, f"{where}title = {json.dumps(201 * 'x')}\n")
    with pytest.raises(ConfigError, match=r"200|201"):
        suite(tmp_path, text)


@pytest.mark.parametrize("value", ["inf", "nan", "1e300", "-0.1"])
def test_a_printed_loss_is_a_number_that_a_loss_can_be(tmp_path, value):
    with pytest.raises(ConfigError, match="test_loss") as raised:
        suite(tmp_path, ONE + PRINTED + f"test_loss = {value}\n")
    assert "at least 0 and at most 1000000" in raised.value.fix
