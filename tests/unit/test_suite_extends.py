"""A suite that extends another: what it becomes, and how each mistake is named."""

import tomllib

import pytest

from db.errors import ConfigError
from scheduler._suite_extends import with_absolute_paths
from scheduler._toml import as_toml
from scheduler.planning import make_plan
from scheduler.suite import load_suite, protocol_of

BASE = """claims = ["b > a", "s=8 > s=16", "best = b"]
[suite]
name = "base"
title = "Base"
dataset = "digits"
seeds = [1, 2]
[defaults]
epochs = 5
arguments = { batch_norm = true }
[variants.a]
title = "A"
batch_size = 64
arguments = { hidden_units = 8 }
[variants.b]
seeds = [3]
[sweeps.s]
base = "a"
grid = { "arguments.hidden_units" = [8, 16] }
[sweeps.t]
base = "b"
grid = { epochs = [5, 6] }
[[tables]]
name = "both"
kind = "results"
variants = ["a", "b", "s=16"]
[[tables]]
name = "of_b"
kind = "results"
variants = ["b"]
[[tables]]
name = "tuned"
kind = "tuning"
sweep = "s"
[[figures]]
name = "tuning"
kind = "tuning"
sweeps = ["s", "t"]
[[figures]]
name = "accuracies"
kind = "accuracy"
variants = ["a", "b"]
[[figures]]
name = "samples"
kind = "samples"
"""
PRINTED = '[reference]\nsource = "Smith"\nprotocol = "{}"\n[reference.variants.a]\ntest_accuracy = 0.5\n'
PRINTED += "[reference.variants.b]\ntest_accuracy = 0.6\n"
HEAD = '[suite]\nname = "mine"\nextends = "base.toml"\n'


@pytest.fixture
def mine(tmp_path):
    """Loads a file that extends the base."""

    def load(text, base=BASE):
        (tmp_path / "base.toml").write_text(base)
        (tmp_path / "mine.toml").write_text(text)
        return load_suite(str(tmp_path / "mine.toml"))

    return load


def as_one(found):
    return found.model_dump(exclude={"text", "notices"})


def names(of):
    return [one["name"] for one in of]


def test_a_file_that_only_extends_is_the_base_under_its_own_name(mine, tmp_path):
    found = mine(HEAD)
    base = load_suite(str(tmp_path / "base.toml"))
    assert as_one(found) == as_one(base) | {"name": "mine", "title": "mine"}
    assert found.notices == ()


def test_fields_are_laid_over_the_base_one_by_one(mine):
    found = mine(
        HEAD + "seeds = [9]\n[defaults]\nlearning_rate = 0.01\narguments = { dropout = 0.5 }\n"
        "[variants.a]\nepochs = 7\narguments = { conv_depths = [4] }\n[variants.c]\nbatch_size = 16\n"
    )
    a, c = found.variants["a"], found.variants["c"].config
    assert (a.title, a.config.batch_size, a.config.epochs, a.config.learning_rate) == ("A", 64, 7, 0.01)
    assert (c.batch_size, c.epochs, c.learning_rate) == (16, 5, 0.01)
    own = ("conv_depths", "hidden_units", "batch_norm", "dropout")
    assert [a.config.arguments[name] for name in own] == [[4], 8, True, 0.5]
    assert [c.arguments[name] for name in own] == [[32, 64], 128, True, 0.5]
    assert [*found.variants] == ["a", "b", "c", "s=8", "s=16", "t=5", "t=6"]
    assert found.variants["s=16"].config.arguments["conv_depths"] == [4]
    assert (found.seeds_of("a"), found.seeds_of("b")) == ((9,), (3,))


def test_another_network_takes_over_no_arguments(mine):
    found = mine(HEAD + '[variants.a]\nmodel = "resnet"\n', BASE.replace("arguments.hidden_units", "epochs"))
    assert found.variants["a"].config.arguments == {"stage_depths": [64, 128, 256], "blocks": 3}


def test_the_network_of_the_defaults_keeps_its_arguments(mine):
    base = '[suite]\nname = "base"\ndataset = "digits"\n[defaults]\nmodel = "resnet"\n'
    base += "[variants.a]\narguments = { blocks = 1 }\n"
    found = mine(HEAD + '[variants.a]\nmodel = "resnet"\nepochs = 2\n', base)
    assert found.variants["a"].config.arguments["blocks"] == 1


def test_a_sweep_of_the_same_name_takes_the_bases_place(mine):
    found = mine(HEAD + '[sweeps.s]\nbase = "b"\nlist = [{ name = "one" }]\n')
    assert [*found.sweeps] == ["s", "t"]
    assert found.sweeps["s"]["points"] == {"s=one": "one"}
    assert found.tables[0]["variants"] == ["a", "b"]  # without the point that is gone


def test_what_is_left_out_is_in_no_table_figure_or_claim(mine):
    found = mine(HEAD + 'without = ["b", "t"]\n')
    assert [*found.variants] == ["a", "s=8", "s=16"]
    assert [*found.sweeps] == ["s"]
    assert {one["name"]: one["variants"] for one in found.tables} == {"both": ["a", "s=16"], "tuned": []}
    assert [one["sweeps"] for one in found.figures if one["kind"] == "tuning"] == [["s"]]
    assert names(found.figures) == ["tuning", "accuracies", "samples"]
    assert found.claims == ("s=8 > s=16",)


def test_a_variant_that_is_left_out_may_be_written_anew(mine):
    found = mine(HEAD + 'without = ["a"]\n[variants.a]\nepochs = 3\n')
    assert (found.variants["a"].title, found.variants["a"].config.batch_size) == ("a", 32)
    assert [*found.variants][:2] == ["b", "a"]


def test_own_tables_and_figures_take_the_place_of_the_bases(mine):
    found = mine(HEAD + '[[tables]]\nname = "own"\nkind = "results"\nvariants = ["b"]\n')
    assert names(found.tables) == ["own"]
    assert names(found.figures) == ["tuning", "accuracies", "samples"]


def test_what_is_new_has_a_table_and_a_figure_beside_the_bases(mine):
    found = mine(HEAD + "[variants.c]\nepochs = 9\n[sweeps.u]\nbase = 'c'\ngrid = { epochs = [9] }\n")
    assert names(found.tables) == ["both", "of_b", "tuned", "comparison", "tuning_u"]
    assert found.tables[3]["variants"] == ["a", "b", "c"]
    assert names(found.figures) == ["tuning", "accuracies", "samples", "tuning_2", "test_accuracy"]
    assert found.figures[3]["sweeps"] == ["u"]


def test_a_base_with_the_usual_tables_leaves_them_to_the_suite(mine):
    base = BASE[: BASE.index("[[tables]]")]
    found = mine(HEAD + "[variants.c]\n", base)
    assert names(found.tables) == ["comparison", "training", "tuning_s", "tuning_t"]
    assert found.tables[0]["variants"] == ["a", "b", "c"]


def test_claims_add_up(mine):
    found = mine('claims = ["a > b by 0.1", "b > a"]\n' + HEAD)
    assert found.claims == ("s=8 > s=16", "best = b", "a > b by 0.1", "b > a")


def test_a_claim_of_two_that_have_become_the_same_is_dropped(mine):
    found = mine(HEAD + "[variants.a]\nbatch_size = 32\narguments = { hidden_units = 128 }\n")
    assert found.variants["a"].config == found.variants["b"].config
    assert found.claims == ("s=8 > s=16", "best = b")


def test_claims_of_other_data_stay_out_and_that_is_said(mine, tmp_path):
    found = mine('claims = ["a > b"]\n' + HEAD + 'dataset = "cifar10"\n')
    assert (found.dataset, found.claims) == ("cifar10", ("a > b",))
    told = f"{tmp_path}/mine.toml: the claims of {tmp_path}/base.toml are of digits, and stay out"
    assert found.notices == (told,)


@pytest.fixture
def printed(tmp_path):
    (tmp_path / "first.toml").write_text(BASE)
    found = load_suite(str(tmp_path / "first.toml"))
    return BASE + PRINTED.format(protocol_of(found.variants, ["a", "b"]))


def test_printed_values_come_along_while_the_configs_are_the_same(mine, printed):
    found = mine(HEAD, printed)
    assert found.reference["variants"] == {"a": {"test_accuracy": 0.5}, "b": {"test_accuracy": 0.6}}
    assert found.notices == ()


def test_of_printed_values_those_of_changed_configs_stay_out_and_that_is_said(mine, printed, tmp_path):
    found = mine(HEAD + "[variants.b]\nepochs = 6\n", printed)
    assert found.reference["variants"] == {"a": {"test_accuracy": 0.5}}
    assert found.reference["protocol"] == protocol_of(found.variants, ["a"])
    told = f"the printed values of {tmp_path}/base.toml for b stay out: their configs are others here"
    assert found.notices == (f"{tmp_path}/mine.toml: {told}",)
    assert mine(HEAD + "[defaults]\nepochs = 6\n", printed).reference == {}


def test_printed_values_of_a_variant_that_is_left_out_go_without_a_word(mine, printed):
    found = mine(HEAD + 'without = ["b", "t"]\n', printed)
    assert ([*found.reference["variants"]], found.notices) == (["a"], ())


def test_own_printed_values_take_the_place_of_the_bases(mine, printed):
    found = mine(HEAD, printed)
    digest = protocol_of(found.variants, ["a"])
    own = f'[reference]\nsource = "Jones"\nprotocol = "{digest}"\n[reference.variants.a]\ntest_accuracy = 0.7\n'
    found = mine(HEAD + own, printed)
    assert (found.reference["source"], [*found.reference["variants"]]) == ("Jones", ["a"])


OWN = """claims = ["c > a by 0.01"]
[suite]
name = "mine"
title = "Wei\\u007ft \\"quoted\\" \\\\ ü"
extends = "base.toml"
without = ["t"]
[variants.c]
learning_rate = 1e-5
augmentation = ["flip", { name = "crop", padding = 2 }]
[sweeps.u]
base = "c"
leave_out = [{ batch_size = ">=128", arguments.hidden_units = [8, 16] }]
budget = { epochs = 500 }
[sweeps.u.random]
points = 4
[sweeps.u.random.fields]
batch_size = [64, 128]
"arguments.hidden_units" = { low = 8, high = 64, step = 8 }
"""


def test_the_text_alone_makes_the_same_suite(mine, printed, tmp_path):
    found = mine(OWN, printed)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.toml").write_text(found.text)
    again = load_suite(str(elsewhere / "mine.toml"))
    assert as_one(again) == as_one(found)
    keys = [
        [job.key for job in make_plan(one, [*one.variants], None, data_dir=tmp_path).entries] for one in (found, again)
    ]
    assert keys[0] == keys[1]


def test_the_text_has_what_was_written_as_a_comment(mine):
    lines = mine(OWN).text.splitlines()
    written = lines[lines.index("# As it was written:") + 2 :]
    assert "\n".join(line.removeprefix("#").removeprefix(" ") for line in written) == OWN.rstrip("\n")


def test_the_built_in_suite_can_be_extended(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[suite]\nname = "mine"\nextends = "report"\n')
    found, study = load_suite(str(path)), load_suite()
    assert as_one(found) == as_one(study) | {"name": "mine", "title": "mine"}
    path.write_text(found.text)
    assert as_one(load_suite(str(path))) == as_one(found)


def test_each_file_of_a_chain_is_laid_over_the_one_before(tmp_path):
    (tmp_path / "0.toml").write_text(BASE)
    for number in range(1, 6):
        text = f'[suite]\nname = "n{number}"\nextends = "{number - 1}.toml"\n[variants.v{number}]\nepochs = {number}\n'
        (tmp_path / f"{number}.toml").write_text(text + f"[variants.a]\nbatch_size = {10 + number}\n")
    found = load_suite(str(tmp_path / "5.toml"))
    assert found.variants["a"].config.batch_size == 15
    assert [found.variants[f"v{number}"].config.epochs for number in range(1, 6)] == [1, 2, 3, 4, 5]
    (tmp_path / "6.toml").write_text('[suite]\nname = "n6"\nextends = "5.toml"\n')
    with pytest.raises(ConfigError, match=r"more than 5 suites on each other: .*6\.toml extends .*5\.toml") as raised:
        load_suite(str(tmp_path / "6.toml"))
    assert "as one" in raised.value.fix


@pytest.mark.parametrize("files", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_a_circle_is_named(tmp_path, files):
    (tmp_path / "in").mkdir()
    for file, base in zip(files, [*files[1:], files[0]], strict=True):
        (tmp_path / f"{file}.toml").write_text(f'[suite]\nname = "{file}"\nextends = "in/../{base}.toml"\n')
    with pytest.raises(ConfigError, match="a circle") as raised:
        load_suite(str(tmp_path / "a.toml"))
    assert str(raised.value).count(" extends ") == len(files)


def test_paths_of_the_base_count_from_its_own_folder(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "own").mkdir()
    (tmp_path / "shared" / "base.toml").write_text(BASE.replace('"digits"', '"folder:./pets"'))
    path = tmp_path / "own" / "mine.toml"
    path.write_text(HEAD.replace("base.toml", "../shared/base.toml"))
    assert load_suite(str(path)).dataset == f"folder:{tmp_path}/shared/pets"
    path.write_text(HEAD.replace("base.toml", "../shared/base.toml") + 'dataset = "folder:./cats"\n')
    assert load_suite(str(path)).variants["a"].config.dataset == f"folder:{tmp_path}/own/cats"


def test_networks_of_the_bases_files_count_from_its_own_folder(tmp_path):
    networks = {"a": {"model": "nets.py:Net"}, "b": {"model": "small_cnn"}, "c": {"model": "/x/nets.py:Net"}}
    sweep = {"base": "a", "grid": {"model": ["sub/nets.py:Net", "resnet"]}, "leave_out": [{"model": "!= nets.py:Net"}]}
    found = with_absolute_paths({"variants": networks, "sweeps": {"s": sweep}, "claims": ["nets.py:Net"]}, tmp_path)
    assert [one["model"] for one in found["variants"].values()] == [
        *(f"{tmp_path}/./nets.py:Net", "small_cnn", "/x/nets.py:Net"),
    ]
    assert found["sweeps"]["s"]["grid"]["model"] == [f"{tmp_path}/./sub/nets.py:Net", "resnet"]
    assert found["sweeps"]["s"]["leave_out"] == [{"model": f"!= {tmp_path}/./nets.py:Net"}]
    assert found["claims"] == ["nets.py:Net"]


NETS = "from lib.sizes import WIDTH\nclass Net: width = WIDTH\n"
LIBRARY = """[suite]
name = "base"
dataset = "digits"
[variants.file]
model = "lib/nets.py:Net"
[variants.module]
model = "lib.nets:Net"
[variants.installed]
model = "torchvision.models:resnet18"
"""


def test_inherited_networks_are_the_same_jobs_from_another_folder_and_from_the_text_alone(tmp_path):
    for folder in ("base/lib", "own", "last"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "base" / "lib" / "nets.py").write_text(NETS)
    (tmp_path / "base" / "lib" / "sizes.py").write_text("WIDTH = 3\n")
    paths = [tmp_path / place for place in ("base/base.toml", "own/mine.toml", "last/last.toml", "text.toml")]
    paths[0].write_text(LIBRARY)
    paths[1].write_text(HEAD.replace("base.toml", "../base/base.toml"))
    paths[2].write_text(HEAD.replace("base.toml", "../own/mine.toml"))
    paths[3].write_text(load_suite(str(paths[2])).text)
    first, *others = ({label: one.config for label, one in load_suite(str(path)).variants.items()} for path in paths)
    assert first["file"].model == "lib/nets.py:Net"
    assert others == [first] * 3


@pytest.mark.parametrize(
    ("text", "words", "fix"),
    [
        (HEAD.replace("name", "title"), "[suite] name: is missing", "name takes a name"),
        (HEAD.replace("base.toml", "x.toml"), "[suite] extends: there is no suite file", "built-in suite: report"),
        (HEAD.replace('"base.toml"', "3"), "[suite] extends: ", "extends takes text"),
        (HEAD.replace('"base.toml"', '""'), "[suite] extends: ", "extends takes text"),
        (HEAD.replace("base", "\\u0000"), "[suite] extends: not a path", "name a TOML file"),
        (
            HEAD + 'without = ["c"]\n',
            "[suite] without: no variant or sweep 'c' to leave out",
            "choose among a, b, s, t",
        ),
        (HEAD + 'without = ["s=8"]\n', "no variant or sweep 's=8'", "among"),
        (HEAD + 'without = ["a"]\n', "[suite] without: a is the base of s", 'leave out "s" as well'),
        (
            HEAD + 'without = ["a", "b", "s", "t"]\n',
            "[suite] without: it leaves out every variant there is, a, b",
            "keep one of them, or write a [variants.NAME] of its own",
        ),
        (HEAD + 'without = ["a", "b"]\n[variants]\n', "it leaves out every variant", "keep one"),
        (HEAD.replace("extends", "without").replace('"base.toml"', '["a"]'), "it extends nothing", "add extends"),
        (HEAD + "[variants.a]\nlr = 3\n", "[variants.a] lr: no such field", "learning_rate"),
        (HEAD + "[variants]\na = 3\n", "[variants] a: not a table", "a takes a table"),
        (HEAD + "[defaults]\nepochs = 0\n", "[defaults] epochs: ", "at least 1"),
        (HEAD + "[defaults]\nmodel = 'resnet'\n", "[variants.a] of {base}, arguments.hidden_units: no such", "blocks"),
        (HEAD + "[sweeps.s]\nbase = 'a'\n", "[sweeps.s] needs one of", "one of them"),
        (HEAD + "[variants.a]\nmodel = 'resnet'\n", "[sweeps.s] of {base}, 8 arguments.hidden_units: ", "blocks"),
        ("claims = ['a > z']\n" + HEAD, "claims 1: no variant 'z'", "choose among a, b"),
        (HEAD + "without = ['t']\n[[figures]]\nname = 'f'\nkind = 'tuning'\nsweeps = ['t']\n", "no sweep 't'", "s"),
    ],
)
def test_a_mistake_names_its_own_file(mine, tmp_path, text, words, fix):
    with pytest.raises(ConfigError) as raised:
        mine(text)
    assert str(raised.value).startswith(f"{tmp_path / 'mine.toml'}: ")
    assert words.format(base=tmp_path / "base.toml") in str(raised.value)
    assert fix in raised.value.fix


def test_a_mistake_in_the_base_names_the_bases_file(mine, tmp_path):
    with pytest.raises(ConfigError) as raised:
        mine(HEAD + "[variants.a]\nbatch_size = 8\n", BASE.replace("batch_size = 64", "batch_size = 1"))
    assert str(raised.value).startswith(f"{tmp_path / 'base.toml'}: [variants.a] batch_size: ")


@pytest.mark.parametrize(
    "table",
    [
        {"a": 1, "b": {"c": [1, 2.5, True, 'x"\\\n\t\x7f\u2028'], "d": {"e f": {"g": []}, "h": {}}}, "": "empty"},
        {"long": ["x" * 60, "y" * 60], "tables": [{"n": 1, "m": {"k": 1}}, {}], "mixed": [{"a": 1}, 2], "none": {}},
        {"float": [1e-5, 1e22, -0.0, float("inf")], "variants": {"a.b": {}, "ü": {"x": {"y": {"z": 1}}}}},
    ],
)
def test_tables_that_are_written_read_the_same(table):
    assert tomllib.loads(as_toml(table)) == table


def test_a_date_is_written_too():
    table = tomllib.loads("a = 2026-01-02\nb = [2026-01-02T03:04:05Z, 03:04:05]")
    assert tomllib.loads(as_toml(table)) == table
