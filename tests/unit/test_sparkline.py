"""Curves of letters."""

import io
import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli._sparkline import bars_for_stdout, sparkline


@pytest.mark.parametrize(
    ("values", "curve"),
    [
        ([], ""),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([5, 5, 5], "▄▄▄"),
        ([1, math.nan, 0], "█ ▁"),
        ([math.inf], " "),
    ],
)
def test_the_lowest_value_has_the_lowest_bar_and_the_highest_the_highest(values, curve):
    assert sparkline(values) == curve


def test_more_values_than_letters_are_means_of_neighbours():
    assert sparkline([0, 2, 6, 8, 3, 5], width=3, bars="abcde") == "aec"


@settings(max_examples=50)
@given(st.lists(st.floats(-1e9, 1e9), max_size=100), st.integers(1, 60))
def test_a_curve_is_never_wider_than_asked_and_leaves_no_short_history_out(values, width):
    assert len(sparkline(values, width=width)) == min(len(values), width)


@pytest.mark.parametrize(("encoding", "bars"), [("utf-8", "▁▂▃▄▅▆▇█"), ("latin-1", "_.-:=+*#")])
def test_an_encoding_without_bars_gets_letters_that_it_has(monkeypatch, encoding, bars):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert bars_for_stdout() == bars
