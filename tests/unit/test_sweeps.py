"""Sweeps: random points, conditions that leave points out, seeds and budgets of their own."""

import pytest
from suite_files import HEAD, SWEEP, suite

from db.errors import ConfigError
from scheduler.config import job_key
from scheduler.planning import _over_budget, make_plan

ONE = HEAD + '[variants.a]\nepochs = 10\nmodel = "small_cnn"\n'
GRID = "grid = { batch_size = [16, 32, 64], learning_rate = [0.1, 0.01] }\n"
FIELDS = """[sweeps.s.random.fields]
learning_rate = { low = 1e-4, high = 1e-1, log = true }
batch_size = { low = 2, high = 9 }
"arguments.hidden_units" = { low = 32, high = 512, step = 32 }
label_smoothing = { low = 0, high = 0.5 }
weight_decay = { low = 0.0, high = 0.3, step = 0.1 }
optimizer = ["adam", "sgd"]
"""


def drawn(points, *, seed=7, fields=FIELDS, more=""):
    return ONE + SWEEP + more + f"[sweeps.s.random]\npoints = {points}\nseed = {seed}\n" + fields


def configs(found):
    return {label: found.variants[label].config for label in found.sweeps["s"]["points"]}


# these pin the generator: another draw for the same seed would train everything anew
DRAWN = [
    (0.001269, 3, 160, 0.2822, 0.0, "adam"),
    (0.007016, 6, 96, 0.3837, 0.0, "sgd"),
    (0.001299, 4, 512, 0.05179, 0.1, "adam"),
]


def test_points_are_numbered_and_their_titles_say_what_was_drawn(tmp_path):
    found = suite(tmp_path, drawn(3))
    assert found.sweeps["s"]["points"] == {
        f"s={number}": f"{number} (learning_rate {{}}, batch_size {{}}, hidden_units {{}}, label_smoothing {{}}, "
        "weight_decay {}, optimizer {})".format(*values)
        for number, values in enumerate(DRAWN, start=1)
    }


def test_lists_and_tables_are_told_in_words(tmp_path):
    fields = '[sweeps.s.random.fields]\naugmentation = [[], ["flip", { name = "crop", padding = 2 }]]\n'
    drawn_values = {
        one["augmentation"] for one in suite(tmp_path, drawn(2, fields=fields)).sweeps["s"]["drawn"].values()
    }
    assert drawn_values == {"none", "(flip, crop with padding 2)"}


def test_each_draw_is_within_its_range_and_on_its_steps(tmp_path):
    for config in configs(suite(tmp_path, drawn(200))).values():
        assert 1e-4 <= config.learning_rate <= 1e-1
        assert len(f"{config.learning_rate:.15g}".lstrip("0.").replace("e-05", "")) <= 4
        assert 2 <= config.batch_size <= 9
        assert config.arguments["hidden_units"] in range(32, 513, 32)
        assert 0 <= config.label_smoothing <= 0.5
        assert config.weight_decay in (0.0, 0.1, 0.2, 0.3)


def test_each_value_of_a_small_range_is_drawn(tmp_path):
    found = configs(suite(tmp_path, drawn(200))).values()
    assert {config.batch_size for config in found} == {*range(2, 10)}
    assert {config.optimizer for config in found} == {"adam", "sgd"}
    assert {config.arguments["hidden_units"] for config in found} == {*range(32, 513, 32)}


def test_the_logarithm_of_a_rate_is_drawn_evenly(tmp_path):
    found = configs(suite(tmp_path, drawn(400))).values()
    for low in (1e-4, 1e-3, 1e-2):
        assert 100 <= sum(low <= config.learning_rate < 10 * low for config in found) <= 166


def test_a_whole_number_is_drawn_evenly_by_its_logarithm_too(tmp_path):
    fields = "[sweeps.s.random.fields]\nbatch_size = { low = 2, high = 1023, log = true }\n"
    fields += "weight_decay = { low = 0.0, high = 9.0 }\n"
    found = [config.batch_size for config in configs(suite(tmp_path, drawn(400, fields=fields))).values()]
    assert all(isinstance(size, int) and 2 <= size <= 1023 for size in found)
    assert 100 <= sum(size < 16 for size in found) <= 166  # three of nine doublings


def test_the_end_of_a_whole_range_is_drawn_by_its_logarithm_as_well(tmp_path):
    fields = "[sweeps.s.random.fields]\nbatch_size = { low = 2, high = 3, log = true }\n"
    found = configs(suite(tmp_path, drawn(2, fields=fields))).values()
    assert {config.batch_size for config in found} == {2, 3}


def test_more_points_keep_the_jobs_that_are_there(tmp_path):
    small, large = (configs(suite(tmp_path, drawn(points))) for points in (20, 30))
    assert [*large][:20] == [*small]
    assert [job_key(large[label], 42) for label in small] == [job_key(config, 42) for config in small.values()]


def test_another_field_leaves_the_draws_of_the_others_alone(tmp_path):
    before = configs(suite(tmp_path, drawn(10)))
    after = configs(suite(tmp_path, drawn(10, fields=FIELDS + "momentum = { low = 0.0, high = 0.9 }\n")))
    assert [one.learning_rate for one in before.values()] == [one.learning_rate for one in after.values()]


def test_another_seed_draws_other_points(tmp_path):
    first, second = (configs(suite(tmp_path, drawn(20, seed=seed))) for seed in (7, 8))
    rates = [{config.learning_rate for config in found.values()} for found in (first, second)]
    assert not rates[0] & rates[1]


def test_no_two_points_are_equal(tmp_path):
    fields = "[sweeps.s.random.fields]\noptimizer = ['adam', 'sgd']\nbatch_size = { low = 8, high = 12 }\n"
    found = configs(suite(tmp_path, drawn(10, fields=fields)))
    assert len({(config.optimizer, config.batch_size) for config in found.values()}) == 10


def test_a_narrow_range_has_digits_enough(tmp_path):
    fields = "[sweeps.s.random.fields]\nmomentum = { low = 0.99991, high = 0.99999 }\n"
    found = [config.momentum for config in configs(suite(tmp_path, drawn(30, fields=fields))).values()]
    assert all(0.99991 <= momentum <= 0.99999 for momentum in found)


def test_arguments_may_be_a_table_of_their_own(tmp_path):
    dotted = suite(tmp_path, drawn(3, fields='[sweeps.s.random.fields]\n"arguments.hidden_units" = [8, 16, 32]\n'))
    nested = suite(tmp_path, drawn(3, fields="[sweeps.s.random.fields.arguments]\nhidden_units = [8, 16, 32]\n"))
    assert configs(dotted) == configs(nested)


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ("{ batch_size = 16 }", 4),
        ("{ batch_size = [16, 32] }", 2),
        ('{ batch_size = ">=32" }', 2),
        ('{ batch_size = ">32" }', 4),
        ('{ batch_size = "<32" }', 4),
        ('{ batch_size = "<= 32" }', 2),
        ('{ batch_size = "!=32" }', 2),
        ('{ batch_size = ">=32", learning_rate = "<0.1" }', 4),
        ('{ batch_size = "64", learning_rate = 0.1 }', 6),
        ('{ batch_size = 64, optimizer = "adam" }', 4),
        ('{ batch_size = 64, optimizer = "!=adam" }', 6),
        ("{ batch_size = 64, nesterov = false }", 4),
        ("{ batch_size = 64, nesterov = 0 }", 6),
        ("{ batch_size = 64, momentum = 0 }", 4),
        ('{ batch_size = 64, timeout_s = ">=0" }', 6),
        ("{ batch_size = 64, arguments.hidden_units = 128 }", 4),
        ('{ batch_size = 64, "arguments.conv_depths" = [32, 64] }', 4),
        ('{ batch_size = 64, "arguments.conv_depths" = [[8], [32, 64]] }', 4),
        ('{ batch_size = 64, "arguments.conv_depths" = [32] }', 6),
        ("{ batch_size = [16, '>=64'] }", 2),
        ("{ batch_size = 16 }, { batch_size = 32, epochs = 10 }", 2),
    ],
)
def test_a_point_is_left_out_when_all_fields_of_a_condition_match(tmp_path, condition, left):
    found = suite(tmp_path, ONE + SWEEP + f"leave_out = [{condition}]\n" + GRID)
    assert len(found.sweeps["s"]["points"]) == left
    assert bool(found.notices) is (left == 6)


def test_the_points_of_a_list_keep_their_numbers(tmp_path):
    points = "list = [{ batch_size = 8 }, { batch_size = 16 }, { batch_size = 32 }]\n"
    found = suite(tmp_path, ONE + SWEEP + "leave_out = [{ batch_size = 16 }]\n" + points)
    assert [*found.sweeps["s"]["points"]] == ["s=1", "s=3"]


def test_what_is_left_out_need_not_be_a_valid_config(tmp_path):
    grid = "grid = { nesterov = [true, false], momentum = [0, 0.9] }\n"
    found = suite(tmp_path, ONE + SWEEP + "leave_out = [{ nesterov = true, momentum = 0 }]\n" + grid)
    assert len(found.sweeps["s"]["points"]) == 3


def test_a_random_point_that_is_left_out_is_drawn_again_and_the_others_stay(tmp_path):
    plain = configs(suite(tmp_path, drawn(30)))
    found = configs(suite(tmp_path, drawn(30, more='leave_out = [{ optimizer = "sgd", batch_size = ">4" }]\n')))
    kept = {label for label, config in plain.items() if config.optimizer == "adam" or config.batch_size <= 4}
    assert 0 < len(kept) < len(plain) == len(found)
    assert all(config.optimizer == "adam" or config.batch_size <= 4 for config in found.values())
    assert all(found[label] == plain[label] for label in kept)


def test_a_condition_that_leaves_nothing_out_is_said(tmp_path):
    found = suite(tmp_path, ONE + SWEEP + "leave_out = [{ batch_size = 16 }, { batch_size = 8 }]\n" + GRID)
    assert found.notices == (f"{tmp_path / 'mine.toml'}: [sweeps.s] leave_out 2 leaves nothing out",)


def test_set_is_laid_over_the_base_for_every_point(tmp_path):
    text = ONE + "arguments = { batch_norm = true }\n" + SWEEP + 'set = { epochs = 3, "arguments.hidden_units" = 8 }\n'
    found = configs(suite(tmp_path, text + GRID)).values()
    assert {config.epochs for config in found} == {3}
    assert {(config.arguments["hidden_units"], config.arguments["batch_norm"]) for config in found} == {(8, True)}


SEEDED = (
    HEAD
    + "seeds = [1, 2]\n[variants.a]\n[variants.b]\nseeds = [2, 5, 6]\nbatch_size = 64\n"
    + "[sweeps.s]\nbase = 'b'\nseeds = [7]\ngrid = { epochs = [1, 2] }\n"
    + "[sweeps.t]\nbase = 'b'\ngrid = { epochs = [3] }\n"
)


def test_variants_and_sweeps_may_have_seeds_of_their_own(tmp_path):
    found = suite(tmp_path, SEEDED)
    plan = make_plan(found, [*found.variants], None, data_dir=tmp_path)
    assert [(entry.label, entry.seed) for entry in plan.entries] == [
        *(("a", 1), ("t=3", 1), ("a", 2), ("b", 2), ("t=3", 2)),
        *(("b", 5), ("b", 6), ("s=1", 7), ("s=2", 7)),
    ]


def test_the_commands_seeds_win_over_all_of_the_files(tmp_path):
    found = suite(tmp_path, SEEDED)
    plan = make_plan(found, [*found.variants], [9], data_dir=tmp_path)
    assert [(entry.label, entry.seed) for entry in plan.entries] == [(label, 9) for label in found.variants]


def test_a_budget_takes_as_many_random_points_as_it_has_epochs_for(tmp_path):
    budget = "seeds = [1, 2, 3]\nbudget = { epochs = 130 }\n"
    text = ONE + SWEEP + budget + "[sweeps.s.random]\nseed = 7\n" + FIELDS
    found = suite(tmp_path, text)
    assert len(found.sweeps["s"]["points"]) == 4  # of 10 epochs, with 3 seeds
    assert configs(found) == configs(suite(tmp_path, drawn(4)))
    assert found.notices == ()


def test_fewer_points_than_were_asked_for_are_said(tmp_path):
    found = suite(tmp_path, drawn(20, more="budget = { epochs = 59 }\n"))
    assert len(found.sweeps["s"]["points"]) == 5
    assert found.notices == (f"{tmp_path / 'mine.toml'}: [sweeps.s] budget: 5 of 20 points are within 59 epochs",)


def test_a_larger_budget_keeps_the_points_whatever_each_takes(tmp_path):
    fields = FIELDS + "epochs = { low = 1, high = 50 }\n"
    small, large = (
        [*configs(suite(tmp_path, drawn(50, fields=fields, more=f"budget = {{ epochs = {epochs} }}\n"))).values()]
        for epochs in (300, 600)
    )
    assert 1 < len(small) < len(large)
    assert large[: len(small)] == small
    assert sum(config.epochs for config in small) <= 300


def test_a_grid_that_is_exactly_its_budget_is_taken(tmp_path):
    assert len(suite(tmp_path, ONE + SWEEP + "budget = { epochs = 60 }\n" + GRID).sweeps["s"]["points"]) == 6


def test_points_without_a_number_end_where_no_other_one_is_left(tmp_path):
    fields = "[sweeps.s.random]\n[sweeps.s.random.fields]\noptimizer = ['adam', 'sgd']\n"
    found = suite(tmp_path, ONE + SWEEP + "budget = { epochs = 1000 }\n" + fields)
    assert len(found.sweeps["s"]["points"]) == 2
    assert "2 points; after them 1,000 draws were left out or equal to earlier points" in found.notices[0]


def test_a_command_that_goes_beyond_a_budget_is_told(tmp_path):
    found = suite(tmp_path, ONE + SWEEP + "budget = { epochs = 60 }\n" + GRID)
    within, above = (make_plan(found, [*found.variants], seeds, data_dir=tmp_path) for seeds in ([1], [1, 2]))
    assert _over_budget(within) == []
    assert _over_budget(above) == ["[sweeps.s]: 120 epochs, more than its budget of 60."]


RANDOM = ONE + SWEEP + "[sweeps.s.random]\n"
RATE = RANDOM + "points = 2\n[sweeps.s.random.fields]\nlearning_rate = "


@pytest.mark.parametrize(
    ("text", "words", "fix"),
    [
        (RANDOM + "fields = { epochs = [1] }\n", "random: no number of points", "points = 20, or budget"),
        (RANDOM + "points = 3\n", "[sweeps.s.random] fields: is missing", "fields takes a table"),
        (RANDOM + "points = 3\nfields = {}\n", "[sweeps.s.random] fields: ", "fields takes a table"),
        (
            RANDOM + "points = 0\nfields = { epochs = [1] }\n",
            "[sweeps.s.random] points",
            "at least 1 and at most 10000",
        ),
        (
            RANDOM + "point = 3\nfields = { epochs = [1] }\n",
            "[sweeps.s.random] point: no such field",
            "did you mean points?",
        ),
        (RATE + "3\n", "random learning_rate: neither values nor a range (it is 3)", "{ low = A, high = B }"),
        (RATE + "[]\n", "random learning_rate: no values", "write [VALUE, ...]"),
        (RATE + "{ low = 1 }\n", "random learning_rate high: is missing", "high takes a number"),
        (RATE + "{ low = 1, hi = 2 }\n", "random learning_rate", "high"),
        (RATE + "{ low = 'x', high = 2 }\n", "random learning_rate low: ", "low takes a number"),
        (RATE + "{ low = true, high = 2 }\n", "random learning_rate low: ", "low takes a number"),
        (RATE + "{ low = 0.1, high = inf }\n", "random learning_rate high: ", "high takes a number"),
        (RATE + "{ low = 2, high = 1 }\n", "low 2 is not below high 1", "exchange"),
        (RATE + "{ low = 0, high = 1, log = true }\n", "log needs low above 0 (it is 0)", "raise low"),
        (RATE + "{ low = 1, high = 2, log = true, step = 1 }\n", "log and step exclude each other", "one of them"),
        (RATE + "{ low = 1, high = 2, step = 3 }\n", "step 3 is wider than the range", "smaller"),
        (RATE + "{ low = 0.0, high = 1e300, step = 1e-9 }\n", "step 1e-09 is too small for the range", "larger"),
        (RATE + "{ low = 1, high = 2, step = 0 }\n", "random learning_rate step: ", "above 0"),
        (RATE + "{ low = -2.0, high = -1.0 }\n", "[sweeps.s] 1 learning_rate: ", "above 0"),
        (RATE.replace("learning_rate", "lr") + "[1, 2]\n", "[sweeps.s] 1 lr: no such field", "learning_rate"),
        (RATE + "[1, 2]\n[sweeps.s.grid]\nepochs = [1]\n", "it has grid and random", "one of them"),
        (RATE.replace("= 2", "= 3") + "[1, 2]\n", "after 2 points 1,000 draws were left out or equal", "points = 2"),
        (drawn(3, more="leave_out = [{ epochs = 10 }]\n"), "random: the first 1,000 draws were", "less"),
        (ONE + SWEEP + "leave_out = [{ epochs = 10 }]\n" + GRID, "leave_out 1 matches all of its 6 points", "less"),
        (
            ONE + SWEEP + "leave_out = [{ batch_size = [16, 32] }, { batch_size = 64 }]\n" + GRID,
            "leave_out: its conditions together match all of its 6 points, nothing is left",
            "leave out less",
        ),
        (
            ONE + SWEEP + "leave_out = [{ epochs = 99 }, { epochs = 2 }]\nset = { epochs = 2 }\nlist = [{}]\n",
            "[sweeps.s] leave_out 2 matches its only point",
            "leave out less",
        ),
        (ONE + SWEEP + "leave_out = [{}]\n" + GRID, "leave_out 1: names no field", "{ FIELD = VALUE }"),
        (
            ONE + SWEEP + "leave_out = [{ epochs = 3 }, { batchsize = 3 }]\n" + GRID,
            "leave_out 2: no field 'batchsize'",
            "did you mean batch_size?",
        ),
        (ONE + SWEEP + "leave_out = [{ zzz = 3 }]\n" + GRID, "leave_out 1: no field 'zzz'", "choose among valid"),
        (
            ONE + SWEEP + "leave_out = [{ 'arguments.hidden' = 3 }]\n" + GRID,
            "leave_out 1: no field 'arguments.hidden'",
            "did you mean arguments.hidden_units",
        ),
        (ONE + SWEEP + "leave_out = [{ epochs = '>x' }]\n" + GRID, "no number after > (it is '>x')", ">=256"),
        (ONE + SWEEP + "leave_out = [3]\n" + GRID, "[sweeps.s.leave_out] 1: not a table", "leave_out takes a table"),
        (ONE + SWEEP + "set = { lr = 3 }\n" + GRID, "lr: no such field", "learning_rate"),
        (ONE + SWEEP + "set = { 'model.x' = 3 }\n" + GRID, "set: no field 'model.x'", "arguments.NAME"),
        (ONE + SWEEP + "seeds = []\n" + GRID, "[sweeps.s] seeds: ", "seeds takes a list"),
        (ONE + SWEEP + "seeds = [1, 1]\n" + GRID, "[sweeps.s] seeds: 1 twice", "once"),
        (ONE + "seeds = 3\n", "[variants.a] seeds: ", "seeds takes a list of whole numbers"),
        (ONE + "seeds = []\n", "[variants.a] seeds: ", "seeds takes a list of whole numbers"),
        (ONE + "seeds = [-1]\n", "[variants.a] seeds: ", "at least 0 and below 2147483648"),
        (ONE + "seeds = [4, 4]\n", "[variants.a] seeds: 4 twice", "once"),
        (
            ONE + SWEEP + "seeds = [1, 2]\nbudget = { epochs = 119 }\n" + GRID,
            "budget: 6 points with 2 seeds are 120 epochs, more than 119",
            "budget = { epochs = 120 }",
        ),
        (ONE + SWEEP + "budget = {}\n" + GRID, "[sweeps.s.budget] epochs: is missing", "epochs takes a whole number"),
        (ONE + SWEEP + "budget = 100\n" + GRID, "[sweeps.s] budget: not a table", "a table with epochs"),
        (drawn(3, more="budget = { epochs = 9 }\n"), "budget: the first point takes 10 epochs, more than 9", "= 10"),
    ],
)
def test_a_mistake_names_file_place_and_mend(tmp_path, text, words, fix):
    with pytest.raises(ConfigError) as raised:
        suite(tmp_path, text)
    assert str(raised.value).startswith(f"{tmp_path / 'mine.toml'}: ")
    assert words in str(raised.value)
    assert fix in raised.value.fix
