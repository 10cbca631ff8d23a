"""`bench diff`: what differs between two jobs, and whether the difference of their results is noise."""

import json
import re
from contextlib import closing

import four_jobs
import numpy as np
import pytest
from command import ROOT, on_a_terminal
from scipy.stats import binomtest

from db import open_store
from db.records import Weights
from report.statistics import difference


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diff") / "home"
    four_jobs.make(folder)
    return folder


@pytest.fixture
def diff(home, typed, monkeypatch):
    monkeypatch.setenv("BENCH_HOME", str(home))
    return lambda *words, code=0: typed("diff", *words, code=code)


def hits(home, job_id):
    with closing(open_store(four_jobs.url(home))) as store:
        seen = store.predictions(job_id, Weights.BEST)
    return seen.probabilities.argmax(1) == seen.labels, seen.labels


def test_only_what_differs_is_listed_by_part(diff):
    told = json.loads(diff(2, 1, "--json").out)
    found = {(one["part"], one["name"]): (one["ours"], one["theirs"]) for one in told["differences"]}
    config = [name for part, name in found if part == "config"]
    assert config == ["arguments.batch_norm"]
    assert found["config", "arguments.batch_norm"] == (True, False)
    assert found["code", "git.revision"] == ("2" * 40, "1" * 40)
    assert found["code", "git.dirty"] == (True, False)
    assert [name for part, name in found if part == "packages"] == ["torch"]
    assert [name for part, name in found if part == "device"] == ["instruction_set", "device"]
    assert found["device", "instruction_set"] == ("AVX2", None)
    assert ("curve", "best_epoch") not in found
    assert {"best_test_accuracy", "last_test_accuracy"} <= {name for part, name in found if part == "result"}


def test_all_lists_what_is_equal_too(diff):
    few, every = (json.loads(diff(2, 1, *more, "--json").out) for more in ([], ["--all"]))
    assert (
        len(every["differences"]) == len(few["differences"]) + few["equal"] == len(few["differences"]) + every["equal"]
    )
    assert {"part": "packages", "name": "numpy", "ours": "2.4", "theirs": "2.4"} in every["differences"]
    assert len(every["tested"]["flips"]) == 20


def test_the_difference_is_tested_on_the_images_that_one_alone_got_right(diff, home):
    told = json.loads(diff(2, 1, "--json").out)["tested"]
    (ours, labels), (theirs, _) = hits(home, 2), hits(home, 1)
    only_ours, only_theirs = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    assert told["images"] == len(ours)
    assert told["difference"] == pytest.approx(ours.mean() - theirs.mean())
    assert told["p"] == pytest.approx(binomtest(only_ours, only_ours + only_theirs).pvalue)
    assert (told["low"], told["high"]) == difference(ours[None], theirs[None]).interval()
    counted = {one["name"]: (one["images"], one["only_ours"], one["only_theirs"]) for one in told["flips"]}
    of_bears = labels == 3
    assert counted["bear"] == tuple(
        int(x.sum()) for x in (of_bears, of_bears & ours & ~theirs, of_bears & theirs & ~ours)
    )
    assert np.sum([*counted.values()], axis=0)[1:].tolist() == [only_ours, only_theirs]


def test_swapped_jobs_give_the_opposite(diff):
    one, other = (json.loads(diff(*ids, "--json").out)["tested"] for ids in ((1, 2), (2, 1)))
    assert (one["difference"], one["low"], one["high"]) == (-other["difference"], -other["high"], -other["low"])
    assert one["p"] == other["p"]


def test_a_reader_sees_both_sides_in_80_columns(diff, home, tmp_path):
    said = diff(2, 1).out
    assert said.startswith("Job 2: batchnorm, seed 42, done\nJob 1: baseline, seed 42, done\n")
    assert re.search(r"^git\.revision  2{12}  1{12}$", said, re.MULTILINE)
    assert re.search(
        r"^Test accuracy: \+\d+\.\d\d points \[\+\d+\.\d\d, \+\d+\.\d\d\], p [<=] 0\.\d+,$", said, re.MULTILINE
    )
    assert re.search(r"^all classes +230 ", said, re.MULTILINE)
    assert max(map(len, said.splitlines())) <= 80
    shown = on_a_terminal("diff", "2", "1", "--all", cwd=tmp_path, BENCH_HOME=str(home), NO_COLOR="1", TERM="dumb")
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_job_without_a_result_is_compared_in_its_config_alone(diff):
    said = diff(1, 3)
    assert "Not compared, as one of them has none: data, code, packages, device, curve, result." in said.out
    assert "Not tested: no result of job 3." in said.out
    told = json.loads(diff(3, 4, "--json").out)
    assert {one["part"] for one in told["differences"]} == {"config"}
    assert (told["tested"], told["not_tested"]) == (None, "no result of job 3 and job 4")


def test_selectors_that_leave_two_jobs_will_do(diff):
    assert json.loads(diff("--state", "done", "--json").out)["jobs"][0]["variant"] == "baseline"
    assert "takes 2 jobs, not 1 (3)" in diff("--state", "failed", code=2).err
    assert "takes 2 jobs, not 1 (1)" in diff(1, 1, code=2).err


def test_the_documented_keys_are_those_of_the_json(diff):
    text = (ROOT / "docs" / "commands.md").read_text().partition("`bench diff --json`")[2]
    documented = re.search(r"(?:^    .*\n)+", text, re.MULTILINE)[0].split()
    told = json.loads(diff(2, 1, "--json").out)
    assert [*told] == documented
    assert [*told["tested"]] == ["images", "difference", "low", "high", "p", "flips"]
