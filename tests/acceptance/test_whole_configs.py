"""What a stored config leaves out because it is at its default stands beside the values of others all the same."""

import csv
import io
import json
import re
from contextlib import closing

import pytest
from records import new_job, submission

import bench
from db import open_store
from db.records import dotted
from report.checklist import checklist
from report.scope import read_scope
from scheduler.config import Config, applying, whole

CLIP = "gradient_clip"
OTHERS = (
    {"gradient_clip": 1.0, "image_size": 16},
    {"optimizer": "sgd", "optimizer_arguments": {"dampening": 0.5}, "schedule": "one_cycle", "one_cycle_end": 10.0},
    {"optimizer": "adam", "optimizer_arguments": {"betas": [0.8, 0.999]}, "schedule": "step", "step_milestones": [3]},
    {"model": "nets.py:Net", "code": "f" * 64, "train_budget_s": 60.0},
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Job 1 clips no gradient, which its config leaves out; job 2 clips."""
    monkeypatch.setenv("BENCH_HOME", str(tmp_path))
    jobs = [new_job(1, label="clip=0"), new_job(1, label="clip=1", gradient_clip=1.0)]
    variants = {job.label: {"title": job.label, "config": job.config} for job in jobs}
    sweeps = {"clip": {"title": "Clip", "base": "b", "points": {label: label for label in variants}}}
    layout = {"sweeps": sweeps, "tables": [], "figures": []}
    with closing(open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)) as store:
        store.submit(submission(variants=variants, layout=layout), jobs)
        assert CLIP not in store.jobs([1])[0].config
    return tmp_path


@pytest.mark.parametrize("fields", [{}, *OTHERS])
def test_a_whole_config_is_the_same_config_with_every_field(fields):
    config = Config.parse(fields)
    found = whole(config.canonical())
    assert [*found] == [name for name in Config.model_fields if name != "timeout_s"]
    assert Config.parse(found) == config
    assert Config.parse(found).canonical() == config.canonical()
    assert found["optimizer_arguments"]


def test_a_config_of_an_optimizer_that_is_not_known_here_keeps_what_it_has():
    stored = Config().canonical() | {"optimizer": "later", "optimizer_arguments": {"rho": 0.5}, "new_field": 1}
    found = whole(stored)
    assert (found["optimizer_arguments"], found["new_field"], found[CLIP]) == ({"rho": 0.5}, 1, 0.0)


def test_json_has_the_default_and_the_terminal_what_applies(home, typed):
    first, second = json.loads(typed("show", 1, 2, "--json").out)["jobs"]
    assert (first["config"][CLIP], second["config"][CLIP]) == (0.0, 1.0)
    assert first["config"]["one_cycle_end"] == 1e4
    shown = typed("show", 1).out
    assert re.search(r"gradient_clip +0\n", shown)
    assert re.search(r"plateau_patience +5\n", shown)
    assert re.search(r"optimizer_arguments\.betas\.1 +0\.999\n", shown)
    assert not re.search(r"one_cycle|step_|\bcode\b", shown)


def test_fields_of_the_schedule_itself_apply():
    found = applying(whole(Config.parse({"schedule": "step"}).canonical()))
    assert {name for name in found if name.startswith(("step", "plateau", "one_cycle"))} == {
        *("step_epochs", "step_factor", "step_milestones")
    }


def test_rows_differences_and_python_have_it(home, typed):
    rows = list(csv.DictReader(io.StringIO(typed("export").out)))
    assert [json.loads(row["config"])[CLIP] for row in rows] == [0.0, 1.0]
    assert [row["config"][CLIP] for row in bench.results()] == [0.0, 1.0]
    assert [job.config[CLIP] for job in bench.jobs()] == [0.0, 1.0]
    assert [job.config[CLIP] for job in bench.status().jobs] == [0.0, 1.0]
    told = {
        one["name"]: (one["ours"], one["theirs"])
        for one in json.loads(typed("diff", 1, 2, "--json").out)["differences"]
    }
    assert told == {CLIP: (0.0, 1.0)}


def test_the_bounds_of_a_swept_field_begin_at_its_default(home):
    with closing(open_store(f"sqlite:///{home / 'bench.db'}")) as store:
        found = {one.item: one.answer for one in checklist(read_scope(store, None, whole=whole), [])}
    assert "Clip: gradient_clip 0 to 1, 2 points" in found["Bounds of each hyperparameter"]


def test_the_report_knows_it_too(home, typed):
    told = json.loads(typed("report", "--out", home / "out", "--json").out)
    answers = [one["answer"] for one in told["checklist"]]
    assert any("gradient_clip 0 to 1" in one for one in answers)
    page = bench.write_report(home / "other")
    assert "gradient_clip 0 to 1" in page.read_text("utf-8")


def test_an_empty_list_and_no_code_are_nothing_in_an_export():
    named = dotted(whole(Config().canonical()))
    assert (named["step_milestones"], named["code"], named["optimizer_arguments.amsgrad"]) == (None, None, False)
