"""report.json as its JSON Schema and its page of documentation describe it."""

import json
import re
from importlib import resources
from itertools import permutations
from pathlib import Path

import pytest
from filled_store import CASES, fill, filled, layout_with_figures
from jsonschema import Draft202012Validator

from report import write_report
from report.write import SCHEMA
from scheduler.suite import load_suite

SCHEMA_FILE = json.loads(resources.files("report").joinpath("report.schema.json").read_text("utf-8"))
DOCS = (Path(__file__).parents[2] / "docs" / "report_json.md").read_text("utf-8")
VALIDATOR = Draft202012Validator(SCHEMA_FILE)


def errors(numbers):
    return [f"{'/'.join(map(str, one.path))}: {one.message[:200]}" for one in VALIDATOR.iter_errors(numbers)]


def written(tmp_path, store):
    write_report(store, tmp_path / "out", targets=(0.6, 1e-05))
    return json.loads((tmp_path / "out" / "report.json").read_text())


def layout(*kinds):
    """The built-in suite's, with its first figure of each of these kinds: to draw all takes seconds."""
    figures = {figure["kind"]: figure for figure in reversed(load_suite().figures)}
    return {**layout_with_figures(0), "figures": [figures[kind] for kind in kinds or figures]}


ONE_SEED = {**CASES["one seed"], "layout": layout("history", "metrics", "tuning", "accuracy", "confusion")}


@pytest.fixture(scope="module", params=[CASES["gaps"] | {"layout": layout()}, ONE_SEED], ids=["gaps", "one seed"])
def numbers(request, tmp_path_factory):
    """A report.json as it was written: of several seeds with failures, and of one seed."""
    folder = tmp_path_factory.mktemp("store")
    with filled(folder, **request.param) as store:
        return written(folder, store)


def shortened(numbers):
    """One job, and one row in each table and figure, to be spoilt."""
    parts = {part: {name: rows[:1] for name, rows in numbers[part].items()} for part in ("tables", "figures")}
    return {**numbers, **parts, "jobs": numbers["jobs"][:1]}


def every_object(schema):
    """Each description of an object within the schema."""
    if isinstance(schema, dict):
        if "properties" in schema and isinstance(schema["properties"], dict):
            yield schema
        for value in schema.values():
            yield from every_object(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from every_object(value)


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA_FILE)
    assert SCHEMA_FILE["$schema"].endswith("2020-12/schema")
    assert SCHEMA_FILE["properties"]["schema"]["const"] == SCHEMA


def test_a_written_report_is_as_the_schema_says(numbers):
    assert numbers["tables"]["printed_values"]
    assert numbers["tables"]["claims"]
    assert errors(numbers) == []


def test_the_checklist_is_there_as_the_page_shows_it(numbers):
    assert {item["source"] for item in numbers["checklist"]} >= {"NeurIPS 7", "NeurIPS 8", "ACL 2021"}
    assert all(item["item"] and item["answer"] for item in numbers["checklist"])
    places = {*numbers["tables"], "data", "made", "glossary", ""}
    assert {item["where"] for item in numbers["checklist"]} <= places
    assert {"cost", "made"} <= {item["where"] for item in numbers["checklist"]}


def test_reports_without_results_claims_or_printed_values_are_so_too(tmp_path):
    small = {"only": ("baseline",), "seeds": (42,), "layout": layout()}
    with filled(tmp_path, **small, waiting=("baseline",), claims=(), reference={}) as store:
        assert errors(written(tmp_path, store)) == []


def test_a_report_of_two_kinds_of_device_is_so_too(tmp_path):
    small = {"only": ("baseline", "dropout"), "layout": layout("history")}
    with filled(tmp_path, seeds=(42, 43), **small) as store:
        fill(store, seeds=(44, 45), device="cuda", **small)
        found = written(tmp_path, store)
    (card,) = (row for row in found["tables"]["cost"] if row["variant"] == "baseline (cuda float32)")
    assert card["energy_n"] == 2
    assert card["energy_j"] > 0
    assert errors(found) == []


@pytest.mark.parametrize("part", ["tables", "figures"])
def test_a_field_that_is_not_described_is_found_in_every_table_and_figure(numbers, part):
    short = shortened(numbers)
    rows_of = {name: rows for name, rows in short[part].items() if rows}
    assert len(rows_of) > 4
    for name, (row,) in rows_of.items():
        assert errors({**short, part: {**short[part], name: [{**row, "new_field": 1}]}}), name


def test_a_figure_with_a_letter_has_the_rows_of_its_kind_and_no_others(numbers):
    short = shortened(numbers)
    lettered = {name: rows for name, rows in short["figures"].items() if re.match("figure_[A-Z]_", name)}
    assert lettered.keys() == SCHEMA_FILE["properties"]["figures"]["properties"].keys()
    for one, other in permutations(lettered, 2):
        assert errors({**short, "figures": {**short["figures"], one: lettered[other]}}), (one, other)


def test_a_missing_field_and_a_wrong_unit_are_found(numbers):
    short = shortened(numbers)
    (row,) = short["tables"]["pairs"]
    for wrong in ({name: value for name, value in row.items() if name != "p_holm"}, {**row, "p": 5.0}):
        assert errors({**short, "tables": {**short["tables"], "pairs": [wrong]}})


def test_every_field_of_the_schema_is_named_in_the_documentation():
    names = {name for described in every_object(SCHEMA_FILE) for name in described["properties"]}
    assert len(names) > 100
    assert sorted(name for name in names if f"`{name}`" not in DOCS) == []


def test_the_documentation_names_no_field_that_the_schema_lacks():
    names = {name for described in every_object(SCHEMA_FILE) for name in described["properties"]}
    told = {
        name
        for line in DOCS.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert told - names == set()


def test_every_field_of_a_row_says_what_it_means():
    for described in every_object(SCHEMA_FILE):
        for name, field in described["properties"].items():
            assert field.get("description") or "$ref" in field, name
