"""The written report: files, page, numbers for machines; nothing is changed in the store."""

import csv
import json
import re
import sqlite3
from contextlib import closing
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
from filled_store import CASES, CLASSES, FINGERPRINT, fill, filled, layout_with_figures, results_of

from db.errors import ConfigError
from report import write_report
from report.captions import caption
from report.html import html_page
from report.latex import as_latex
from report.page import in_order, markdown_page
from report.pairs import compare
from report.scope import read_scope
from report.tables import build_tables
from report.text import as_csv, as_markdown, as_text
from report.write import every_table

STUDY = {"table_1_baseline", "table_2_improvements", "table_3_augmentation", "table_4_comparison"}
TUNING = {"tuning_conv_depths", "tuning_hidden_units", "tuning_depth"}
EVERY = {"pairs", "claims", "quality", "printed_values", "cost", "attempts_without_result"}
EVERY |= {"time_to_accuracy", "stability"}

# figures that every report has
STANDARD = ("A_forest", "B_pairs", "C_pareto", "D_classes", "E_flips", "F_calibration", "G_histories", "H_rates")


@pytest.fixture(scope="module")
def gaps(tmp_path_factory):
    with filled(tmp_path_factory.mktemp("store"), **CASES["gaps"]) as store:
        yield store


@pytest.fixture(scope="module")
def scope(gaps):
    return read_scope(gaps, None)


@pytest.fixture(scope="module")
def tables(scope):
    return {table.name: table for table in every_table(scope, compare(scope))}


def rows_of_all_tables(store):
    """Everything that the store's file holds, as SQL."""
    path = store._engine.url.database
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.fixture(scope="module")
def written(gaps, tmp_path_factory):
    """The report, and the store's rows before and after it was written."""
    before = rows_of_all_tables(gaps)
    report = write_report(gaps, tmp_path_factory.mktemp("out"))
    return report, before, rows_of_all_tables(gaps)


def test_the_report_only_reads(written):
    _, before, after = written
    assert len(before) > 300
    assert after == before


def test_every_table_and_figure_of_the_study_is_there(written):
    out = written[0].html.parent
    names = sorted(path.stem for path in (out / "figures").glob("*.png"))
    own, standard = names[:13], names[13:]
    assert [name[:9] for name in own] == [f"figure_{number:02d}" for number in range(1, 14)]
    assert own[0] == "figure_01_class_distribution"
    assert own[-1] == "figure_13_confusion_matrices"
    assert standard == [f"figure_{name}" for name in STANDARD]
    assert sorted(path.stem for path in (out / "figures").glob("*.svg")) == names
    pictures = ["figure_02_sample_images", "figure_06_augmentation_examples"]  # they have no numbers
    data = {path.stem for path in (out / "figures").glob("*.csv")}
    assert data == {*names} - {*pictures}
    for kind in ("csv", "md", "tex"):
        assert {path.stem for path in (out / "tables").glob(f"*.{kind}")} == STUDY | TUNING | EVERY


def test_files_of_a_table_hold_its_numbers_and_its_cells(written, tables):
    out = written[0].html.parent / "tables"
    for name, table in tables.items():
        assert (out / f"{name}.csv").read_text() == as_csv(table.values)
        assert (out / f"{name}.md").read_text() == as_markdown(table)
        assert (out / f"{name}.tex").read_text() == as_latex(table)


def test_a_table_as_csv_has_every_field_and_nothing_for_what_is_unknown(tables):
    for table in tables.values():
        read = list(csv.DictReader(as_csv(table.values).splitlines()))
        assert len(read) == len(table.values)
        for row, values in zip(read, table.values, strict=True):
            known = {name: "; ".join(one) if isinstance(one, list) else one for name, one in values.items()}
            assert {name: row[name] for name in known} == {n: "" if v is None else str(v) for n, v in known.items()}


def test_a_table_as_markdown_latex_and_text_has_every_cell(tables):
    for table in tables.values():
        lines = [
            [cell.strip() for cell in line[1:-1].split("|")] for line in as_markdown(table).split("\n\n")[0].split("\n")
        ]
        assert [lines[0], *lines[2:]] == [list(table.head), *map(list, table.cells)]
        body = as_latex(table).split(r"\midrule")[1].split(r"\bottomrule")[0]
        rows = [row.split(" & ") for row in body.replace(r"\\", "").strip("\n").split("\n") if row]
        assert [len(row) for row in rows] == [len(table.head)] * len(table.cells)
        plain = str.maketrans({"\\": "", "$": "", "{": "", "}": ""})
        for row, cells in zip(rows, table.cells, strict=True):
            assert [
                cell.strip()
                .replace(r"$\pm$", "±")
                .replace("$-$", "−")
                .replace(r"\textless{}", "<")
                .replace(r"\textgreater{}", ">")
                .replace("--", "–")
                .translate(plain)
                for cell in row
            ] == list(cells)
        text = as_text(table).split("\n")
        assert len(text) == 1 + len(table.cells)
        assert all(cell in line for line, cells in zip(text[1:], table.cells, strict=True) for cell in cells)


def test_the_terminal_shows_the_table_of_all_networks(written, tables):
    comparison, failures = written[0].text.split("\n\nAttempts without a result:\n")
    table, found, *beside, claims = comparison.split("\n\n")
    assert all("validation chose" in line for part in beside for line in part.splitlines())
    assert table == as_text(tables["table_4_comparison"])
    assert found.startswith(
        "Both + augmentation has the highest test accuracy of the 5 variants compared, 58.12 % [54.73, 61.50]; "
    )
    verdicts = [row["verdict"] for row in tables["claims"].values]
    counts = {verdict: verdicts.count(verdict) for verdict in ("supported", "contradicted", "undecided")}
    assert claims == f"Claims: {', '.join(f'{number} {verdict}' for verdict, number in counts.items())}."
    assert failures == as_text(tables["attempts_without_result"])
    assert "the loss of epoch 3 is not finite (seed 42)" in failures
    assert "± " in written[0].text
    assert "3 failed: diverged" in written[0].text


def test_the_page_shows_every_cell_note_and_caption(written, tables, scope):
    raw = written[0].html.read_text()
    page = unescape(raw)
    for table in tables.values():
        start = raw.index(f'<h3 id="table_{table.name}">')
        part = raw[start : raw.index("</p>", raw.index('<p class="note">', start))]
        found = re.findall(r'<t(?:d|h scope="row") class="\w">(.*?)</t[dh]>', part, re.DOTALL)
        cells = [unescape(cell) for cell in found]
        assert cells == [cell for line in table.cells for cell in line], table.name
        assert table.note[1:] in unescape(part)
    for figure in scope.submission.layout["figures"]:
        assert (f'alt="{figure["title"]}"' in page) is (figure["name"] != "advanced_history")
        assert caption(scope, figure) in page or figure["name"] == "advanced_history"
    assert page.count("data:image/svg+xml;base64,") == 12 + len(STANDARD)


def test_the_page_opens_offline_and_names_the_classes(written):
    page = written[0].html.read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "default-src &#39;none&#39;" in page
    assert ", ".join(CLASSES) in page
    assert len(page) < 5_000_000


@pytest.mark.parametrize("name", ["report.md", "report.html"])
def test_the_page_says_what_was_not_submitted(written, name):
    page = (written[0].html.parent / name).read_text()
    assert "Not submitted: advanced, conv_depths=128x256." in page


def test_the_markdown_page_has_tables_classes_and_captions(written, tables, scope):
    page = (written[0].html.parent / "report.md").read_text()
    assert f"Classes: {', '.join(CLASSES)}." in page
    for table in tables.values():
        assert as_markdown(table) in page
    shown = [one for one in enumerate(scope.submission.layout["figures"], start=1) if one[0] != 8]
    for number, figure in shown:
        assert f"Figure {number}: {figure['title']}. {caption(scope, figure)}" in page
        assert (written[0].html.parent / f"figures/figure_{number:02d}_{figure['name']}.png").is_file()


def test_the_data_beside_a_figure_are_the_numbers_of_the_report(written):
    report = written[0]
    assert len(report.json["figures"]) == 13 + len(STANDARD)
    for name, rows in report.json["figures"].items():
        path = report.html.parent / "figures" / f"{name}.csv"
        if path.exists() and rows:
            assert path.read_text() == as_csv(rows)
        elif path.exists():
            assert path.read_text().startswith("variant,epoch,n,train_loss,train_loss_sd,val_loss,")
        assert rows or name.endswith(("advanced_history", "resnet_history"))
    assert json.loads((report.html.parent / "report.json").read_text()) == json.loads(json.dumps(report.json))


def test_the_json_has_each_job_with_its_labels_and_result(written, gaps, tables):
    numbers = written[0].json
    jobs = {job["labels"][0]: job for job in numbers["jobs"]}
    assert jobs["baseline"]["labels"] == ["baseline", "conv_depths=32x64", "hidden_units=128", "depth=two_conv"]
    assert numbers["counts"] == {"queued": 0, "running": 0, "done": 23, "failed": 7, "cancelled": 0}
    assert numbers["not_submitted"] == ["advanced", "conv_depths=128x256"]
    assert numbers["tables"] == {name: list(table.values) for name, table in tables.items()}
    stored = [one.best.test_accuracy for one in results_of(gaps, "both")]
    assert [j["result"]["best"]["test_accuracy"] for j in numbers["jobs"] if "both" in j["labels"]] == stored


def test_hostile_names_stay_text(tmp_path):
    with filled(
        tmp_path, seeds=(42,), only=("baseline",), title="<script>alert(1)</script> $x_1$ & 50% \\input{x}"
    ) as store:
        scope = read_scope(store, None)
    tables = build_tables(scope)
    assert "<script>alert" not in html_page(scope, tables, [])
    assert "<script>" not in markdown_page(scope, tables, [])
    latex = as_latex(next(table for table in tables if table.name == "table_4_comparison"))
    assert "\\input{x}" not in latex
    assert r"\textless{}script\textgreater{}" in latex
    assert r"\$x\_1\$ \& 50\%" in latex


@pytest.mark.parametrize(
    ("submitted", "told"),
    [
        (
            [(42,)],
            "2 configs on cifar100-20 with one seed each: an interval holds the noise of the test images alone, and ",
        ),
        ([(42, 43)], "2 configs on cifar100-20 with 2 seeds each: 95 of 100 such intervals hold the accuracy"),
        (
            [(42,), (43, 44)],
            "1 to 3 seeds each: 95 of 100 such intervals hold the accuracy that many seeds would have on",
        ),
    ],
)
def test_the_page_says_first_how_sure_we_can_be(tmp_path, submitted, told):
    with filled(tmp_path, seeds=submitted[0], only=("baseline", "dropout")) as store:
        for seeds in submitted[1:]:
            fill(store, seeds=seeds, only=("baseline",))
        scope = read_scope(store, None)
    assert told in html_page(scope, build_tables(scope), [])
    assert told in markdown_page(scope, build_tables(scope), [])


def test_both_pages_say_how_the_numbers_were_made(tmp_path):
    with filled(tmp_path, seeds=(42, 43), only=("baseline",), overrides={"dataset": "digits", "epochs": 5}) as store:
        scope, day = read_scope(store, None), store.submissions()[0].created_at.date()
    tables = build_tables(scope)
    page, lean = unescape(html_page(scope, tables, [])), markdown_page(scope, tables, [])
    facts = {
        "Command": "bench run --all",
        "Changed from the suite": "dataset = digits, epochs = 5",
        "Data fingerprint": FINGERPRINT,
        "Trained (UTC)": str(day),
        "Environment 1": "host here, torch 2.14, threads 1, instruction_set AVX2",
    }
    for name, text in facts.items():
        assert f"<dt>{name}</dt><dd>{text}" in page
        assert f"- {name}: {text}" in lean
    assert "<dt>Seeds</dt><dd>42, 43; " in page
    places = [lean.index(f"## {table.title}") for table in in_order(tables)]
    assert places == sorted(places)
    titles = [page.index(f">{table.title}</h3>") for table in in_order(tables)]
    assert titles[0] == min(titles)


def test_without_a_result_the_page_says_so(tmp_path):
    with filled(tmp_path, seeds=(42,), only=("baseline",), waiting=("baseline",)) as store:
        scope = read_scope(store, None)
    assert "No job has a result yet." in html_page(scope, build_tables(scope), [])
    assert "1 running" in markdown_page(scope, build_tables(scope), [])


def test_what_nobody_submitted_is_named_in_one_line_and_kept_as_files(tmp_path):
    with filled(tmp_path, seeds=(42,), only=("hidden_units=64", "hidden_units=256")) as store:
        report = write_report(store, tmp_path / "out")
    page, lean = unescape(report.html.read_text()), (tmp_path / "out" / "report.md").read_text()
    for text in (page, lean):
        assert "Not shown, nothing was submitted for them: table “Baseline: training and validation”, " in text
        assert text.count("Not shown, ") == 1
    assert page.count("data:image/svg+xml;base64,") == 4 + len(STANDARD)  # class counts, pictures twice, the sweep
    assert report.text.startswith("Hidden units")
    assert len(list((tmp_path / "out" / "figures").glob("*.png"))) == 13 + len(STANDARD)


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_file_without_a_row_still_says_its_columns(tmp_path):
    with filled(tmp_path, seeds=(42,), only=("baseline",), layout=layout_with_figures(0)) as store:
        write_report(store, tmp_path / "out")
    lines = (tmp_path / "out" / "tables" / "attempts_without_result.csv").read_text().splitlines()
    assert lines == ["job,variant,title,seed,attempt,cause,message"]
    sweep = rows_of(tmp_path / "out" / "tables" / "tuning_hidden_units.csv")
    assert sweep[0]["title"] == "Hidden units: 64"
    cost = rows_of(tmp_path / "out" / "tables" / "cost.csv")[0]
    assert (cost["title"], cost["epochs"], cost["flops"]) == ("Baseline", "4", "12260352")


def test_characters_that_a_page_must_not_have_are_replaced_everywhere(tmp_path):
    with filled(tmp_path, seeds=(42,), only=("baseline",), title="one\x1b[31m\x00two\x85") as store:
        report = write_report(store, tmp_path / "out")
    written = [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".html", ".md", ".svg", ".tex")]
    for path in written:
        assert not set(path.read_text()) & {"\x1b", "\x00", "\x85"}, path
    for path in (tmp_path / "out" / "figures").glob("*.svg"):
        ElementTree.parse(path)  # noqa: S314  # written here, a line above
    assert "one\ufffd[31m\ufffdtwo" in report.html.read_text()
    assert "\x1b" not in report.text


def test_files_of_an_earlier_report_go_and_those_of_others_stay(tmp_path):
    out = tmp_path / "out"
    with filled(tmp_path, seeds=(42,), only=("baseline",), layout=layout_with_figures(4)) as store:
        write_report(store, out)
        layout = store.submissions()[0].layout
        (out / "tables" / "mine.csv").write_text("mine")
        (out / "figures" / "figure_99_mine.png").write_text("mine")
        smaller = {**layout, "tables": layout["tables"][:1], "figures": layout["figures"][2:3]}
        fill(store, seeds=(42,), only=("baseline",), layout=smaller)
        write_report(store, out)
    names = {path.stem for path in (out / "tables").iterdir()}
    assert names == {layout["tables"][0]["name"], "mine"} | EVERY
    standard = {f"figure_{name}" for name in STANDARD}
    figures = {path.stem for path in (out / "figures").iterdir()}
    assert figures - standard == {"figure_01_baseline_history", "figure_99_mine"}


@pytest.mark.parametrize("left", ["[" * 100_000, '{"tables": [1], "figures": []}', "7"])
def test_an_odd_report_json_in_the_folder_is_replaced(tmp_path, left):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.json").write_text(left)
    with filled(tmp_path, seeds=(42,), only=("baseline",), layout=layout_with_figures(0)) as store:
        write_report(store, out)
    assert json.loads((out / "report.json").read_text())["schema"] == 1


def test_the_folder_that_cannot_be_written_is_named(gaps, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write the report"):
        write_report(gaps, Path(tmp_path / "file" / "out"))
