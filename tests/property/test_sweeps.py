"""Whatever a sweep's fields: a grid is all combinations, conditions are a filter, and random points stay."""

import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.errors import ConfigError
from scheduler._draws import draw
from scheduler._suite_configs import Variant, config_of
from scheduler._suite_file import DrawnRange, Origin, SuiteFile
from scheduler._sweeps import add_sweeps

WHERE = Origin("mine.toml", Path())
VALUES = {
    "batch_size": st.integers(2, 512),
    "learning_rate": st.sampled_from([0.1, 0.03, 0.01, 0.001]),
    "epochs": st.integers(1, 30),
    "momentum": st.sampled_from([0.0, 0.5, 0.9]),
    "arguments.hidden_units": st.integers(8, 64),
}
GRID = st.fixed_dictionaries({}, optional={name: st.lists(of, min_size=1, max_size=4) for name, of in VALUES.items()})
GRID = GRID.filter(bool).map(lambda grid: {name: [*dict.fromkeys(of)] for name, of in grid.items()})
SIGNS = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "!=": lambda one, other: one != other,
    "": lambda one, other: one == other,
}


def points(**sweep):
    """The changes of each point, read off its config."""
    head = {"name": "mine", "dataset": "digits"}
    file = SuiteFile.model_validate(
        {"suite": head, "variants": {"a": {}}, "sweeps": {"s": {"base": "a", **sweep}}}, strict=True
    )
    variants = {"a": Variant(label="a", title="a", config=config_of(WHERE, "[variants.a]", file, {}))}
    found, _ = add_sweeps(WHERE, file, variants)
    return {label: variants[label].config for label in found["s"]["points"]}


def values(config, names):
    every = {**config.canonical(), **{f"arguments.{name}": one for name, one in config.arguments.items()}}
    return tuple(every[name] for name in names)


@settings(max_examples=60, deadline=None)
@given(grid=GRID)
def test_a_grid_is_each_combination_once(grid):
    found = [values(config, grid) for config in points(grid=grid).values()]
    assert len(found) == math.prod(map(len, grid.values()))
    assert {*found} == {*itertools.product(*grid.values())}


@settings(max_examples=150, deadline=None)
@given(grid=GRID, data=st.data())
def test_leaving_out_is_a_filter_of_the_grid(grid, data):
    wanted = st.tuples(st.sampled_from([*SIGNS]), st.sampled_from(sorted({*VALUES} & {*grid}))).flatmap(
        lambda pair: st.tuples(*map(st.just, pair), st.sampled_from(grid[pair[1]]))
    )
    conditions = data.draw(st.lists(st.lists(wanted, min_size=1, max_size=2), min_size=1, max_size=3))
    conditions = [{name: (sign, value) for sign, name, value in one} for one in conditions]
    written = [{name: f"{s}{v}" if s else v for name, (s, v) in one.items()} for one in conditions]

    def is_left_out(point):
        return any(all(SIGNS[sign](point[name], value) for name, (sign, value) in one.items()) for one in conditions)

    every = [dict(zip(grid, one, strict=True)) for one in itertools.product(*grid.values())]
    expected = [tuple(point.values()) for point in every if not is_left_out(point)]
    if not expected:
        with pytest.raises(ConfigError, match="nothing is left"):
            points(grid=grid, leave_out=written)
        return
    assert [values(config, grid) for config in points(grid=grid, leave_out=written).values()] == expected


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), few=st.integers(1, 8), more=st.integers(1, 8), most=st.integers(9, 64))
def test_a_random_sweep_that_grows_keeps_its_points_with_conditions_too(seed, few, more, most):
    fields = {
        "learning_rate": {"low": 1e-5, "high": 1.0, "log": True},
        "arguments.hidden_units": {"low": 8, "high": most},
        "optimizer": ["adam", "sgd"],
    }
    conditions = [{"optimizer": "sgd", "learning_rate": "<0.01"}]
    small, large = (
        points(random={"points": number, "seed": seed, "fields": fields}, leave_out=conditions)
        for number in (few, few + more)
    )
    assert [*large.items()][:few] == [*small.items()]
    assert len({config.model_dump_json() for config in large.values()}) == few + more


@settings(max_examples=200, deadline=None)
@given(
    low=st.floats(1e-6, 1e3),
    factor=st.floats(1.001, 1e4),
    log=st.booleans(),
    seed=st.integers(0, 99),
    point=st.integers(1, 99),
)
def test_a_number_that_is_drawn_is_within_its_range_and_short(low, factor, log, seed, point):
    given_range = DrawnRange(low=low, high=low * factor, log=log)
    value = draw({"x": given_range}, seed=seed, point=point, attempt=0)["x"]
    assert given_range.low <= value <= given_range.high
    digits = repr(value).partition("e")[0].replace(".", "").strip("0")
    assert factor < 2 or value in (low, given_range.high) or len(digits) <= 4


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=300, deadline=None)
@given(
    ends=st.tuples(FINITE, FINITE).filter(lambda ends: ends[0] != ends[1]), log=st.booleans(), seed=st.integers(0, 99)
)
def test_any_two_numbers_are_a_range(ends, log, seed):
    low, high = sorted(ends)
    found = draw({"x": DrawnRange(low=low, high=high, log=log and low > 0)}, seed=seed, point=1, attempt=0)
    assert low <= found["x"] <= high


@settings(max_examples=200, deadline=None)
@given(low=st.integers(1, 50), width=st.integers(1, 500), step=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_whole_range_gives_whole_numbers_on_its_steps(low, width, step, seed):
    high = low + max(width, step)
    one = {"plain": DrawnRange(low=low, high=high), "log": DrawnRange(low=low, high=high, log=True)}
    one["steps"] = DrawnRange(low=low, high=high, step=step)
    found = draw(one, seed=seed, point=1, attempt=0)
    assert all(type(value) is int and low <= value <= high for value in found.values())
    assert (found["steps"] - low) % step == 0
