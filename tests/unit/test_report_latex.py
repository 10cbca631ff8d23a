"""report.tex: what is bold and underlined, that names do nothing, and that pdfLaTeX makes pages of it."""

import re
import unicodedata
from dataclasses import replace

import pytest
from filled_store import fill, filled, layout_with_figures

from report import write_report
from report.latex import MARK, as_latex, tex
from report.page import comparison
from report.pairs import compare
from report.paper import Marks, ems, laid_out, marks, paper
from report.scope import read_scope
from report.tables import build_tables
from scheduler.suite import load_suite

LEVELS = {"baseline": 0.85, "dropout": 0.83, "batchnorm": 0.1}


def test_bold_is_the_best_and_underlined_what_the_tests_do_not_tell_from_it(tmp_path):
    with filled(tmp_path, seeds=(42, 43, 44, 45), only=tuple(LEVELS), levels=LEVELS) as store:
        scope = read_scope(store, None)
    table, pairs = comparison(build_tables(scope)), compare(scope)
    ahead = {frozenset((pair.ours.label, pair.theirs.label)): pair.ahead for pair in pairs}
    assert ahead[frozenset(("baseline", "dropout"))] is None
    assert ahead[frozenset(("baseline", "batchnorm"))].label == "baseline"
    marked, labels = marks(scope, table, pairs), [row["variant"] for row in table.values]
    assert table.head[marked.column] == "Test acc. %, best"
    assert [labels[row] for row in marked.bold] == ["baseline"]
    assert [labels[row] for row in marked.underlined] == ["dropout"]
    assert "bold: the highest test accuracy; underlined: not told apart from it" in marked.note
    assert "one seed" not in marked.note
    rows = [row.split(" & ")[marked.column] for row in laid_out(table, marked).rows]
    best, alike, behind = (tex(line[marked.column]) for line in table.cells[:3])
    assert rows[:3] == [rf"\textbf{{{best}}}", rf"\underline{{{alike}}}", behind]


def test_with_one_seed_the_note_says_that_this_holds_for_these_runs_alone(tmp_path):
    with filled(tmp_path, seeds=(42,), only=tuple(LEVELS), levels=LEVELS) as store:
        scope = read_scope(store, None)
        marked = marks(scope, comparison(build_tables(scope)), compare(scope))
        assert (marked.bold, marked.underlined) == ({0}, {1})
        assert "McNemar's tests, which hold for these runs alone" in marked.note
        fill(store, seeds=(43, 44), only=("baseline",), levels=LEVELS)
        scope = read_scope(store, None)
        mixed = marks(scope, comparison(build_tables(scope)), compare(scope))
    assert "where a variant has one seed this holds for that run alone" in mixed.note


def test_who_was_not_tested_against_the_best_is_named_and_not_underlined(tmp_path):
    with filled(tmp_path, seeds=(42, 43), only=tuple(LEVELS), levels=LEVELS) as store:
        scope = read_scope(store, None)
    unseen = replace(scope.variants["dropout"], measured={})
    scope = replace(scope, variants={**scope.variants, "dropout": unseen})
    marked = marks(scope, comparison(build_tables(scope)), compare(scope))
    assert marked.underlined == frozenset()
    assert "not tested against it, and so not underlined: Dropout only" in marked.note


def test_each_table_of_results_and_each_of_a_sweep_is_marked(tmp_path):
    points = [label for label in load_suite().variants if label.startswith("hidden_units=")]
    with filled(tmp_path, seeds=(42, 43), only=(*LEVELS, *points), levels=LEVELS) as store:
        scope = read_scope(store, None)
    pairs = compare(scope)
    tables = build_tables(scope)
    parts = paper(scope, tables, [], pairs, "").split(r"\label{tab:")
    text = {part.partition("}")[0]: part for part in parts[1:]}
    results = [table for table in tables if table.shown and "Test acc. %, best" in table.head]
    marked = {table.name for table in results if len({row["variant"] for row in table.values if row["n"]}) > 1}
    assert len(marked) > 2
    assert marked == {name for name, part in text.items() if re.search(r"\\textbf\{\d", part)}
    sweep = next(table.name for table in results if "Chosen" in table.head and table.name in marked)
    assert "Bold: the highest validation accuracy" in text[sweep]


def test_points_of_a_sweep_have_their_best_validation_in_bold_and_one_variant_alone_nothing(tmp_path):
    with filled(tmp_path, seeds=(42,), only=("hidden_units=64", "hidden_units=256")) as store:
        scope = read_scope(store, None)
    table = comparison(build_tables(scope))
    marked = marks(scope, table, compare(scope))
    assert table.head[marked.column] == "Val. acc. %"
    values = [row["best_val_accuracy"] or 0 for row in table.values]
    assert (marked.bold, marked.underlined) == ({values.index(max(values))}, frozenset())
    (tmp_path / "one").mkdir()
    with filled(tmp_path / "one", seeds=(42,), only=("baseline",)) as store:
        scope = read_scope(store, None)
    assert marks(scope, comparison(build_tables(scope)), compare(scope)).note == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("$a_1^2$ & 50 % #~", r"\$a\_1\textasciicircum{}2\$ \& 50 \% \#\textasciitilde{}"),
        ("--all ''x,,", "-{}-all '{}'x,{},"),
        ("a\nb\n\nc", "a b  c"),
        ("naïve", "naïve"),
        (unicodedata.normalize("NFD", "Å"), "Å"),
        ("αΩΑ", r"$\alpha$$\Omega$A"),
        ("日本 語\x00", f"{MARK} {MARK}"),
        ("", ""),
    ],
)
def test_any_text_is_shown_as_it_is_or_by_a_mark(text, shown):
    assert tex(text) == shown


def test_a_table_of_any_words_gets_columns_that_fit_the_page(tmp_path):
    with filled(tmp_path, seeds=(42, 43), only=tuple(LEVELS)) as store:
        table = comparison(build_tables(read_scope(store, None)))
    assert not laid_out(table, Marks()).landscape
    wide = replace(table, cells=tuple(("word " * 300, *line[1:]) for line in table.cells))
    laid = laid_out(wide, Marks())
    assert re.match(r"P\{\d+\.\d+em\}", laid.columns)
    assert laid.long
    assert all("whole in tables/" in row for row in laid.rows)
    assert ems("W") > ems("n") > ems("i")
    assert r"\footnotesize Best" in as_latex(replace(table, note="best"))


def test_files_for_papers_are_written_where_asked_for_and_go_with_the_report_that_had_them(tmp_path):
    out, layout = tmp_path / "out", layout_with_figures(1)
    with filled(tmp_path, seeds=(42,), only=("baseline",), layout=layout) as store:
        assert write_report(store, out).tex is None
        (out / "report.tex").write_text("mine")
        write_report(store, out)
        assert (out / "report.tex").read_text() == "mine"
        report = write_report(store, out, latex=True)
        assert report.tex == out / "report.tex"
        assert report.json["latex"] is True
        assert {path.stem for path in out.rglob("*.pdf")} == set(report.json["figures"])
        write_report(store, out)
    assert not [*out.rglob("*.pdf"), *out.glob("*.tex")]
    assert (out / "figures" / "figure_01_class_distribution.svg").is_file()
