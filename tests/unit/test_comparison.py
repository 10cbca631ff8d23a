"""The table that sets bench beside others claims of bench only what a test shows."""

import re
from pathlib import Path

import pytest

ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (Path(__file__).resolve().parents[2] / "docs" / "comparison.md").read_text().splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| |"))
]
WORDS = {"has", "partly", "lacks", "unknown"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_has_a_word_for_each_tool_and_what_bench_has_is_shown_by_a_test(row):
    assert len(row) == 10
    assert set(row[1:9]) <= WORDS
    if row[1] in ("has", "partly"):
        assert re.search(r"`test_\w+`", row[9]), "name a test that shows it"


def test_rows_in_which_others_are_ahead_come_first():
    ahead = ["has" in row[2:9] and row[1] in ("lacks", "partly") for row in ROWS]
    assert ahead[0]
    assert not any(row[1] == "lacks" for row in ROWS[ahead.index(False) :])
