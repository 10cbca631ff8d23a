"""A suite's claims from the file to the report's verdicts and its exit code; and the targets of a report."""

import json

import pytest
from command import bench
from filled_store import filled, layout_with_figures

SUITE = """claims = ["{claim}"]
[suite]
name = "mine"
dataset = "digits"
[variants.small]
[variants.wide]
arguments = {{ hidden_units = 256 }}
[variants.same]
arguments = {{ hidden_units = 256 }}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store in which batchnorm is ahead of the baseline by far, with five seeds each."""
    home = tmp_path_factory.mktemp("home")
    levels = {"baseline": 0.3, "batchnorm": 0.85}
    with filled(home, seeds=range(42, 47), only=[*levels], levels=levels, layout=layout_with_figures(0)):
        pass
    return home


def report(home, tmp_path, *words, code=0):
    return bench("report", "--out", str(tmp_path / "out"), *words, cwd=tmp_path, code=code, BENCH_HOME=str(home))


def test_the_report_says_what_became_of_the_claims_and_who_is_ahead(home, tmp_path):
    said = report(home, tmp_path).stdout
    assert "BatchNorm only has the highest test accuracy of the " in said
    assert "it is ahead of Baseline" in said
    assert "Claims: 0 supported, 1 contradicted, 15 undecided." in said
    numbers = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "it is ahead of Baseline by" in numbers["finding"]
    assert len(numbers["tables"]["claims"]) == 16
    for page in ("report.html", "report.md"):
        text = (tmp_path / "out" / page).read_text()
        assert "it is ahead of Baseline" in text
        assert "batchnorm &gt; baseline by about 0.0445" in text or "batchnorm > baseline by about 0.0445" in text
    for name in ("claims", "pairs"):
        assert (tmp_path / "out" / "tables" / f"{name}.csv").read_text().count("\n") > 1


@pytest.mark.parametrize("verdict", ["undecided", "contradicted"])
def test_fail_on_ends_with_1_where_there_is_such_a_claim(home, tmp_path, verdict):
    said = report(home, tmp_path, "--fail-on", verdict, "--json", code=1).stderr.splitlines()
    assert len(said) == (15 if verdict == "undecided" else 1)
    assert all(line.startswith(f"{verdict}: ") for line in said)
    assert (tmp_path / "out" / "report.html").exists()


def test_fail_on_ends_with_0_where_there_is_none_and_with_2_where_nothing_was_claimed(tmp_path):
    only = ("baseline", "batchnorm")
    for name, claims in (("held", ("batchnorm > baseline",)), ("none", ())):
        made = {"levels": {"batchnorm": 0.9}, "layout": layout_with_figures(0), "claims": claims, "scope": name}
        with filled(tmp_path, seeds=range(42, 47), only=only, **made):
            pass
        code = 0 if claims else 2
        said = report(tmp_path, tmp_path, "--fail-on", "contradicted", "--fail-on", "undecided", code=code)
    assert said.stderr.splitlines()[0] == "error: this submission has no claims to fail on"
    assert said.stdout == ""


def test_fail_on_without_claims_writes_nothing(tmp_path):
    with filled(tmp_path, seeds=(42,), only=("baseline",), claims=()):
        pass
    report(tmp_path, tmp_path, "--fail-on", "contradicted", "--json", code=2)
    assert not (tmp_path / "out").exists()


def test_fail_on_takes_verdicts_only(home, tmp_path):
    said = report(home, tmp_path, "--fail-on", "failure", code=2).stderr
    assert said.splitlines() == [
        "error: --fail-on must be contradicted or undecided, not 'failure'",
        "fix: give one of them",
    ]


def test_targets_of_accuracy_are_in_the_report_and_no_other_number_is_one(home, tmp_path):
    numbers = json.loads(report(home, tmp_path, "--target", "0.3", "--target", "0.99", "--json").stdout)
    for row in numbers["tables"]["time_to_accuracy"]:
        assert (row["at_0.3_accuracy"], row["at_0.99_reached"], row["at_0.99_s"]) == (0.3, 0, None)
    assert "Seeds at 30.00 %" in (tmp_path / "out" / "report.md").read_text()
    for wrong in ("60", "0", "1", "nan"):
        said = report(home, tmp_path, "--target", wrong, code=2).stderr
        assert said.splitlines() == [
            f"error: --target must lie between 0 and 1, not {wrong}",
            "fix: give 60 % as 0.6",
        ]


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ("wide is best", "'wide is best' is no claim"),
        ("wide > deep", "no variant 'deep'"),
        ("wide > small by 3", "a fraction between 0 and 1"),
        ("wide > wide", "compares wide with itself"),
        ("wide > same", "wide and same are the same config"),
        ('wide > small", "wide  >  small', "'wide > small' is there twice"),
    ],
)
def test_a_claim_that_cannot_be_judged_is_refused_with_its_place(tmp_path, claim, said):
    (tmp_path / "mine.toml").write_text(SUITE.format(claim=claim))
    done = bench("plan", "--all", "--suite", "mine.toml", cwd=tmp_path, code=2, BENCH_HOME=str(tmp_path / "home"))
    message, fix = done.stderr.splitlines()
    assert message.startswith("error: mine.toml: claims ")
    assert said in message
    assert fix.startswith("fix: ")


def test_claims_are_kept_with_a_submission_of_the_suites_own_protocol_only(tmp_path):
    (tmp_path / "mine.toml").write_text(SUITE.format(claim="wide  > small"))
    from db import open_store

    for words, kept in (((), ["wide > small"]), (("--epochs", "1"), [])):
        home = tmp_path / f"home{len(words)}"
        bench("submit", "--all", "--suite", "mine.toml", *words, cwd=tmp_path, BENCH_HOME=str(home))
        store = open_store(f"sqlite:///{home / 'bench.db'}")
        assert [*store.submission(1).claims] == kept
        store.close()
