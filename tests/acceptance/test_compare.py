"""`bench compare`: a saved report beside a store in which one variant has become worse."""

import json

import numpy as np
import pytest
from command import bench
from filled_store import filled, hits_of, layout_with_figures

from cli._schemas import SCHEMAS
from report.statistics import difference, holm


def home_with(folder, levels, *, seeds=range(42, 47)):
    """A store whose variants are right about such shares of the test images; hits by label."""
    with filled(folder, seeds=seeds, only=[*levels], levels=levels, layout=layout_with_figures(0)) as store:
        return {label: hits_of(store, label) for label in levels}


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """The report of the one home, and the hits of both."""
    before, after = tmp_path_factory.mktemp("before"), tmp_path_factory.mktemp("after")
    hits = home_with(before, {"baseline": 0.5, "batchnorm": 0.8, "both": 0.6})
    worse = home_with(after, {"baseline": 0.5, "batchnorm": 0.5, "both": 0.9}, seeds=range(52, 57))
    bench("report", "--out", str(before / "out"), cwd=before, BENCH_HOME=str(before))
    return before, after, before / "out" / "report.json", hits, worse


def compare(home, saved, *words, code=0):
    return bench("compare", "--against", str(saved), *words, cwd=home, code=code, BENCH_HOME=str(home))


def test_a_variant_that_became_worse_ends_it_with_1_and_is_named(homes):
    _, after, saved, hits, now = homes
    found = json.loads(compare(after, saved, "--json", code=1).stdout)
    rows = found["rows"]
    assert (tuple(found), {tuple(row) for row in rows}) == (
        SCHEMAS["compare"].keys,
        {SCHEMAS["compare"].within["rows"]},
    )
    assert [row["variant"] for row in rows][:3] == ["baseline", "batchnorm", "both"]
    found = [difference(now[label], hits[label]) for label in ("baseline", "batchnorm", "both")]
    assert [row["difference"] for row in rows[:3]] == pytest.approx([one.value for one in found])
    words = {row["variant"]: row["verdict"] for row in rows}
    assert (words["batchnorm"], words["both"]) == ("worse", "better")
    assert words["baseline"] == "no difference was found"
    done = compare(after, saved, code=1)
    assert "BatchNorm only" in done.stdout
    assert done.stderr == "worse or missing: batchnorm\n"


def test_p_values_are_adjusted_for_all_rows_and_the_same_jobs_are_one(homes):
    _, after, saved, hits, now = homes
    rows = json.loads(compare(after, saved, "--json", code=1).stdout)["rows"]
    assert [row["variant"] for row in rows] == [*hits]  # the sweeps' points that are the baseline are not told again
    p_values = [difference(now[label], hits[label]).p_value() for label in hits]
    assert [row["p_holm"] for row in rows] == pytest.approx(holm(p_values))


def test_the_same_results_are_no_change(homes):
    before, _, saved, _, _ = homes
    rows = json.loads(compare(before, saved, "--json").stdout)["rows"]
    assert {row["verdict"] for row in rows} == {"the same trainings"}
    assert [row["variant"] for row in rows] == ["baseline", "batchnorm", "both"]


def test_a_variant_that_has_no_result_any_more_ends_it_with_1_and_a_new_one_does_not(homes, tmp_path):
    _, _, saved, _, _ = homes
    home_with(tmp_path, {"baseline": 0.5, "dropout": 0.5})
    done = compare(tmp_path, saved, "--json", code=1)
    words = {row["variant"]: (row["verdict"], row["n"], row["n_saved"]) for row in json.loads(done.stdout)["rows"]}
    assert words["dropout"] == ("new", 5, 0)
    assert words["batchnorm"] == ("missing", 0, 5)
    assert done.stderr == "worse or missing: batchnorm, both\n"


def broken(saved, path, change):
    numbers = json.loads(saved.read_text())
    change(numbers)
    path.write_text(json.dumps(numbers))
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda numbers: numbers.pop("jobs"),
        lambda numbers: [job.pop("hits") for job in numbers["jobs"]],
        lambda numbers: numbers["jobs"][0]["hits"].update(right="?"),
        lambda numbers: numbers["jobs"][0]["hits"].update(images=10**6),
        lambda numbers: numbers["jobs"][0]["hits"].update(images=-1),
        lambda numbers: numbers["jobs"][0]["hits"].update(images=10**30),
        lambda numbers: numbers["jobs"][0]["hits"].update(images=float("inf")),
        lambda numbers: numbers.pop("overrides"),
        lambda numbers: numbers.update(jobs=7),
    ],
)
def test_a_file_that_is_no_saved_report_is_told_so(homes, tmp_path, change):
    before, _, saved, _, _ = homes
    path = broken(saved, tmp_path / "odd.json", change)
    message, fix = compare(before, path, code=2).stderr.splitlines()
    assert message.startswith(f"error: {path} is no saved report")
    assert fix == "fix: name a report.json that `bench report` wrote"


@pytest.mark.parametrize("text", ["", "[", "7", "null", "[" * 100_000])
def test_a_file_that_is_no_json_is_told_so(homes, tmp_path, text):
    path = tmp_path / "odd.json"
    path.write_text(text)
    assert "is no saved report" in compare(homes[0], path, code=2).stderr


def test_a_file_that_cannot_be_read_is_told_so(homes, tmp_path):
    assert "No such file" in compare(homes[0], tmp_path / "none.json", code=2).stderr
    assert "is no file" in compare(homes[0], tmp_path, code=2).stderr
    assert "is no file" in compare(homes[0], "/dev/zero", code=2).stderr
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    assert "cannot read" in compare(homes[0], tmp_path / "bytes", code=2).stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda numbers: numbers.update(suite="other"), "is of suite other on cifar100-20 with nothing changed"),
        (lambda numbers: numbers.update(overrides={"epochs": 3}), "with {'epochs': 3}, this is report"),
        (lambda numbers: [job["result"].update(device="cuda") for job in numbers["jobs"]], "nothing in"),
        (lambda numbers: [job["hits"].update(of="others") for job in numbers["jobs"]], "nothing in"),
        (lambda numbers: [job["hits"].update(images=16, right="AAA=") for job in numbers["jobs"]], "nothing in"),
    ],
)
def test_what_is_no_fair_comparison_is_refused(homes, tmp_path, change, said):
    before, _, saved, _, _ = homes
    message, fix = compare(before, broken(saved, tmp_path / "odd.json", change), code=2).stderr.splitlines()
    assert said in message
    assert fix.startswith("fix: ")


def test_a_single_run_that_is_worse_is_told_and_ends_nothing(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    for home, level, seed in ((before, 0.9, 42), (after, 0.4, 43)):
        home.mkdir()
        home_with(home, {"baseline": level}, seeds=(seed,))
    bench("report", "--out", str(before / "out"), cwd=before, BENCH_HOME=str(before))
    done = compare(after, before / "out" / "report.json", "--json")
    (row,) = json.loads(done.stdout)["rows"]
    assert row["verdict"] == "worse in one run"
    assert done.stderr == "one seed on a side says nothing of the variant: baseline; train several\n"


def test_hits_of_a_saved_report_are_those_of_the_store(homes):
    _, _, saved, hits, _ = homes
    import base64

    jobs = [job for job in json.loads(saved.read_text())["jobs"] if job["variant"] == "both"]
    for job, row in zip(sorted(jobs, key=lambda one: one["seed"]), hits["both"], strict=True):
        bits = np.unpackbits(np.frombuffer(base64.b64decode(job["hits"]["right"]), np.uint8))
        assert (bits[: job["hits"]["images"]] == row).all()
