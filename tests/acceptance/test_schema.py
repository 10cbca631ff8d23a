"""`bench schema`: it says what `--json` prints, and what it says is what is printed."""

import hashlib
import json
import sys
from contextlib import closing

import four_jobs
import pytest

from cli._schemas import SCHEMAS
from cli.main import main
from db import open_store
from report.scope import read_scope
from report.write import SCHEMA, as_json

PUBLISHED = {
    "plan 1": "0cd9fc8118b5",
    "status 1": "1eb9b8213d16",
    "show 1": "6500734a3eb5",
    "logs 1": "70330e2bc5b7",
    "gc 1": "019e5ed6e0ae",
    "diff 1": "17d8c75a19b0",
    "report 1": "dfd92cdd2d4d",
    "compare 1": "7b4fc7c69b4b",
    "doctor 1": "d7f299af3834",
    "config 1": "291d35bfdd58",
}
"""A key that goes, or means something else, needs another number; whatever changes, its digest is written here."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    four_jobs.make(folder)
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


FREE = ("config", "environment")  # objects whose keys no format fixes


def described(found):
    """As a Schema has it: the keys of an object, and of all objects within it, by the key that leads there."""
    within = {}
    for key, value in found.items():
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, dict) and key not in FREE:
            keys, more = described(first)
            within |= {key: keys, **more}
    return tuple(found), within


@pytest.mark.parametrize(
    "words",
    [["status"], ["show", "1"], ["diff", "1", "2"], ["doctor"], ["config", "show"], ["logs", "1"]],
    ids=lambda words: words[0],
)
def test_what_a_command_prints_is_what_its_schema_says(said, words):
    found = json.loads(said(*words, "--json").out)
    schema = SCHEMAS[words[0]]
    keys, within = described(found)
    assert (found["schema"], keys) == (schema.number, schema.keys)
    assert within == schema.within


def test_the_schema_of_the_report_is_that_of_its_file(home):
    with closing(open_store(four_jobs.url(home))) as store:
        found = as_json(read_scope(store, None), [], [])
    keys, within = described(found)
    schema = SCHEMAS["report"]
    assert (found["schema"], SCHEMA, (*keys, "finding", "latex")) == (schema.number, schema.number, schema.keys)
    assert schema.within.items() <= within.items()


def test_a_format_changes_only_with_its_digest():
    assert {f"{name} {one.number}": digest(one) for name, one in SCHEMAS.items()} == PUBLISHED


def digest(schema):
    return hashlib.sha256(json.dumps([schema.keys, schema.within], sort_keys=True).encode()).hexdigest()[:12]


def test_all_formats_are_told_or_one_by_name(said):
    every = json.loads(said("schema").out)
    assert [*every] == [*SCHEMAS]
    assert json.loads(said("schema", "compare").out) == every["compare"]
    assert every["compare"]["schema"] == 1
    assert "choose one of plan, status, show, logs, gc, diff, report" in said("schema", "submit", code=2).err
