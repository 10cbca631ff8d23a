"""`bench schema`: it says what `--json` prints, and what it says is what is printed."""

import hashlib
import json
import sys
from contextlib import closing

import pytest
from filled_store import filled

from cli._schemas import SCHEMAS
from cli.main import main
from db import open_store
from report.scope import read_scope
from report.write import SCHEMA, as_json

PUBLISHED = {
    "plan 1": "f7edb1d758b8",
    "status 1": "1eb9b8213d16",
    "report 1": "e78b831daef5",
    "compare 1": "7b4fc7c69b4b",
    "doctor 1": "d7f299af3834",
    "config 1": "291d35bfdd58",
}
"""A key that goes, or means something else, needs another number; whatever changes, its digest is written here."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    with filled(folder, seeds=(42,), only=("baseline",)):
        return folder


@pytest.fixture
def said(home, capsys, monkeypatch):
    """By a command in this process."""

    def call(*words, code=0):
        monkeypatch.setenv("BENCH_HOME", str(home))
        monkeypatch.setattr(sys, "argv", ["bench", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert (ended.value.code or 0) == code
        return capsys.readouterr()

    return call


def described(found):
    """As a Schema has it: the keys of an object, and of the objects in its lists."""
    lists = {key: value[0] for key, value in found.items() if isinstance(value, list) and value}
    return tuple(found), {key: tuple(first) for key, first in lists.items() if isinstance(first, dict)}


@pytest.mark.parametrize("words", [["status"], ["doctor"], ["config", "show"]], ids=lambda words: words[0])
def test_what_a_command_prints_is_what_its_schema_says(said, words):
    found = json.loads(said(*words, "--json").out)
    schema = SCHEMAS[words[0]]
    keys, within = described(found)
    assert (found["schema"], keys) == (schema.number, schema.keys)
    assert within == {key: names for key, names in schema.within.items() if key != "counts"}


def test_the_schema_of_the_report_is_that_of_its_file(home):
    with closing(open_store(f"sqlite:///{home / 'bench.db'}")) as store:
        found = as_json(read_scope(store, None), [], [])
    keys, within = described(found)
    schema = SCHEMAS["report"]
    assert (found["schema"], SCHEMA, (*keys, "finding", "latex")) == (schema.number, schema.number, schema.keys)
    assert within["jobs"] == schema.within["jobs"]
    assert tuple(found["counts"]) == schema.within["counts"]


def test_a_format_changes_only_with_its_digest():
    assert {f"{name} {one.number}": digest(one) for name, one in SCHEMAS.items()} == PUBLISHED


def digest(schema):
    return hashlib.sha256(json.dumps([schema.keys, schema.within], sort_keys=True).encode()).hexdigest()[:12]


def test_all_formats_are_told_or_one_by_name(said):
    every = json.loads(said("schema").out)
    assert [*every] == [*SCHEMAS]
    assert json.loads(said("schema", "compare").out) == every["compare"]
    assert every["compare"]["schema"] == 1
    assert "choose one of plan, status, report" in said("schema", "submit", code=2).err
