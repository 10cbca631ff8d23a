"""Every statistic that the tables show has a plain explanation."""

import pytest
from filled_store import CASES, filled

from report.earlier import changes_table
from report.glossary import GLOSSARY, NOT_STATISTICS, term_of
from report.pairs import compare
from report.scope import read_scope
from report.write import every_table

ASKED_FOR = (
    *("n", "seed", "mean ± sd", "95 % interval", "Wilson", "Student's t with Satterthwaite", "crossed random effects"),
    *("McNemar", "Holm", "p, adjusted", "TOST", "ahead in pairs of seeds", "flips", "would have been found"),
    *("seeds needed", "macro F1", "precision", "recall", "Brier", "ECE", "reliability diagram", "Pareto"),
    *("best and last weights", "gap", "verdict", "parameters", "FLOPs", "epochs", "training and evaluation time"),
    *("peak memory", "energy", "dominated", "time to accuracy", "stability"),
)


def unexplained(heads):
    """Of a table's columns; the first one names what a row is about."""
    return [head for head in heads[1:] if head not in NOT_STATISTICS and term_of(head) is None]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Of every column there may be: on a card energy is one, too."""
    found = [changes_table([])]
    for case in (*CASES.values(), {"seeds": (42,), "only": ("baseline",), "device": "cuda"}):
        with filled(tmp_path_factory.mktemp("store"), **case) as store:
            scope = read_scope(store, None)
        found += every_table(scope, compare(scope))
    return found


def test_every_column_that_is_a_statistic_has_an_entry(tables):
    assert len(tables) > 20
    assert {head: table.name for table in tables for head in unexplained(table.head)} == {}


def test_a_column_that_nobody_explained_is_found():
    assert unexplained(("Variant", "n", "Kurtosis, best")) == ["Kurtosis, best"]


def test_no_column_is_both_explained_and_said_to_need_no_explanation(tables):
    heads = {head for table in tables for head in table.head}
    assert not {head for head in heads & NOT_STATISTICS if term_of(head)}
    assert heads >= NOT_STATISTICS  # none of a column that is gone


def test_every_head_of_an_entry_is_one_of_a_table(tables):
    shown = {term_of(head) for table in tables for head in table.head}
    assert {entry.term for entry in GLOSSARY if entry.heads} <= shown


@pytest.mark.parametrize("word", ASKED_FOR)
def test_the_words_of_the_page_are_in_the_glossary(word):
    assert any(word.lower() in entry.term.lower() for entry in GLOSSARY)


@pytest.mark.parametrize(
    ("head", "term"),
    [
        ("Test acc. %, best", "accuracy"),
        ("Difference, points", "difference"),
        ("Difference, best", "difference from the printed value"),
        ("Ahead in pairs of seeds, %", "ahead in pairs of seeds"),
        ("Gap", "gap"),
        ("s to 62.50 %", "time to accuracy"),
        ("Best val. acc. %", "time to accuracy"),
        ("Energy kJ, estimate", "energy"),
        ("Hidden units", None),
    ],
)
def test_a_column_leads_to_its_entry(head, term):
    assert term_of(head) == term


def test_entries_are_sentences_and_no_term_comes_twice():
    assert len({entry.term for entry in GLOSSARY}) == len(GLOSSARY)
    assert all(entry.meaning.endswith(".") and len(entry.meaning) < 400 for entry in GLOSSARY)
