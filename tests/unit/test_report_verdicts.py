"""What the report makes of a suite's claims, on tables of hits whose difference is known."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from filled_store import filled

from db.statements import parse_statement
from report.scope import read_scope
from report.statistics import difference, seeds_needed
from report.verdicts import Verdict, claims_table, judge, not_judged
from scheduler.planning import make_plan
from scheduler.suite import load_suite


@pytest.fixture(scope="module")
def scope(tmp_path_factory):
    """Three networks of five seeds whose true accuracies are 0.5, 0.5 and 0.7, and one of a single seed."""
    only = ("baseline", "dropout", "batchnorm", "both")
    with filled(tmp_path_factory.mktemp("store"), seeds=(42, 43, 44, 45, 46), only=only) as store:
        found = read_scope(store, None)
    random = np.random.default_rng(1)
    hard = random.normal(0, 1, 4000)
    variants = dict(found.variants)
    for label, ability in (("baseline", 0.0), ("dropout", 0.0), ("batchnorm", 0.75), ("both", 1.5)):
        measured = {
            job: replace(one, right=ability + 0.05 * random.normal() - hard + random.normal(size=4000) > 0)
            for job, one in variants[label].measured.items()
        }
        variants[label] = replace(variants[label], measured=measured)
    first = variants["both"].jobs[0].id
    single = replace(
        variants["both"],
        jobs=variants["both"].jobs[:1],
        results={first: variants["both"].results[first]},
        measured={first: variants["both"].measured[first]},
    )
    return replace(found, variants={**variants, "both": single})


def judged(scope, text):
    (one,) = judge(replace(scope, submission=replace(scope.submission, claims=(text,))))
    return one


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ("batchnorm > baseline", "supported"),
        ("baseline < batchnorm", "supported"),
        ("batchnorm > baseline by 0.05", "supported"),
        ("batchnorm > baseline by 0.2", "undecided"),
        ("batchnorm > baseline by 0.4", "contradicted"),
        ("batchnorm > baseline by about 0.2", "supported"),
        ("batchnorm > baseline by about 0.05", "contradicted"),
        ("baseline > batchnorm by about 0.2", "contradicted"),
        ("batchnorm > baseline by about 0.4", "undecided"),  # the interval reaches over half of it
        ("baseline > dropout by about 0.01", "undecided"),
        ("baseline > batchnorm", "contradicted"),
        ("baseline > dropout", "undecided"),
        ("baseline > dropout by 0.1", "contradicted"),
        ("baseline = dropout within 0.05", "supported"),
        ("baseline = dropout within 0.001", "undecided"),
        ("baseline = batchnorm within 0.05", "contradicted"),
        ("both > baseline", "undecided"),
        ("best = baseline", "contradicted"),
        ("advanced > baseline", "undecided"),
        ("best = advanced", "undecided"),
    ],
)
def test_a_claim_gets_the_verdict_that_the_known_difference_deserves(scope, claim, verdict):
    assert judged(scope, claim).verdict == verdict


def test_the_best_one_must_be_better_than_every_other_and_every_other_must_have_a_result(scope):
    done = {label: one for label, one in scope.variants.items() if one.done and label != "both"}
    assert judged(replace(scope, variants=done), "best = batchnorm").verdict is Verdict.SUPPORTED
    single = judged(replace(scope, variants={**done, "both": scope.variants["both"]}), "best = batchnorm")
    assert (single.verdict, single.against.label) == (Verdict.UNDECIDED, "both")  # ahead by one run
    assert single.why == "both has one seed"
    waiting = judged(replace(scope, variants={**done, "resnet": scope.variants["resnet"]}), "best = batchnorm")
    assert (waiting.verdict, waiting.why) == (Verdict.UNDECIDED, "resnet: not submitted")
    assert judged(scope, "best = baseline").against.label == "batchnorm"


def test_figures_are_those_of_the_difference_and_a_single_seed_says_so(scope):
    one = judged(scope, "baseline > dropout")
    hits = [scope.variant(label).hits for label in ("baseline", "dropout")]
    assert one.found == difference(*hits)
    assert one.needed == seeds_needed(*hits, one.found.value)
    single = judged(scope, "both > baseline")
    assert (single.why, single.needed) == ("both has one seed", None)
    assert judged(scope, "advanced > baseline").why == "advanced: not submitted"
    cuda = scope.variants["dropout"]
    moved = {job: replace(one, device="cuda") for job, one in cuda.results.items()}
    elsewhere = {**scope.variants, "dropout": replace(cuda, results=moved)}
    apart = judged(replace(scope, variants=elsewhere), "baseline > dropout by 0.1")
    assert (apart.verdict, apart.why) == (Verdict.UNDECIDED, "trained on different devices: cpu, cuda")
    twice = {**scope.variants, "dropout": replace(scope.variants["baseline"], label="dropout")}
    assert judged(replace(scope, variants=twice), "baseline > dropout").why == "they are the same jobs"
    renamed = {(f"{label} (cuda float32)" if label == "dropout" else label): v for label, v in scope.variants.items()}
    several = judged(replace(scope, variants=renamed), "baseline > dropout")
    assert (several.verdict, several.why) == (Verdict.UNDECIDED, "dropout: results of several kinds of device")


@pytest.mark.parametrize(
    ("claim", "instead"),
    [
        ("batchnorm > baseline by 0.4", "batchnorm is ahead, by less"),
        ("batchnorm > baseline by about 0.05", "batchnorm is ahead, by more"),
        ("baseline > batchnorm", "batchnorm is ahead"),
        ("baseline > dropout by 0.1", "baseline is not ahead by as much"),
    ],
)
def test_a_contradicted_claim_says_what_holds_instead(scope, claim, instead):
    assert judged(scope, claim).why == instead


def test_a_claim_that_was_written_after_results_says_so(scope):
    claim = "batchnorm > baseline"
    ended = max(job.finished_at for job in scope.variants["baseline"].jobs)
    for claimed_at, said in ((ended + timedelta(seconds=1), "claimed after results were in"), (datetime.min, "")):
        dated = replace(scope, claimed_at={claim: claimed_at.replace(tzinfo=ended.tzinfo)})
        assert judged(dated, claim).why == said


def test_every_cell_is_the_judgements(scope):
    claims = ("batchnorm > baseline by about 0.2", "advanced > baseline")
    scope = replace(scope, submission=replace(scope.submission, claims=claims))
    first, second = judge(scope)
    table = claims_table(scope, [first, second])
    low, high = first.found.interval()
    assert table.cells[0] == (
        *("batchnorm > baseline by about 0.2", "supported", "Baseline", "5"),
        f"{100 * first.found.value:+.2f}",
        f"[{100 * low:.2f}, {100 * high:.2f}]",
        *("", ""),
    )
    assert table.cells[1][:3] == ("advanced > baseline", "undecided", "–")
    assert [row["verdict"] for row in table.values] == ["supported", "undecided"]
    assert table.values[0]["difference"] == first.found.value
    assert not claims_table(scope, []).shown


@pytest.mark.parametrize(
    ("claim", "held"),
    [
        ("batchnorm > baseline", "several seeds each: the interval and Student's t hold the noise of seeds and of"),
        ("both > baseline", "one side with one seed: its noise is unknown, and the interval holds that of the other"),
        ("advanced > baseline", None),
    ],
)
def test_the_note_says_which_noise_the_intervals_hold(scope, claim, held):
    note = claims_table(scope, [judged(scope, claim)]).note
    assert [part for part in note.split("; ") if "the interval" in part and "noise" in part] == [
        part for part in note.split("; ") if held and part.startswith(held)
    ]
    assert (held is not None) is ("noise" in note)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a > a", "with itself"),
        ("a", "is no claim"),
        ("a is b", "is no claim"),
        ("a > b by", "does not end in “by NUMBER”"),
        ("a > b by much", "does not end in “by NUMBER”"),
        ("a > b within 0.1", "a fraction between 0 and 1"),
        ("a > b by 4.45", "a fraction between 0 and 1"),
        ("a > b by nan", "a fraction between 0 and 1"),
        ("a > b by ٠.٢", "a fraction between 0 and 1"),
        ("a > b by 0." + "0" * 30 + "1", "a fraction between 0 and 1"),
        ("a > " + "b" * 600, "is longer than 500"),
        ("a > b by about", "does not end in “by NUMBER”"),
        ("a = b", "does not end in “within NUMBER”"),
        ("a = b within 0", "a fraction between 0 and 1"),
    ],
)
def test_what_is_no_claim_is_refused_with_a_reason(text, said):
    with pytest.raises(ValueError, match=said):
        parse_statement(text)


def test_a_claim_is_kept_with_single_spaces():
    assert parse_statement("  a   >  b  by .5 ").text == "a > b by .5"
    assert parse_statement("hidden=64 = hidden=128 within 0.01").ours == "hidden=64"


def test_a_submission_on_other_data_says_that_claims_and_printed_values_are_not_judged(tmp_path):
    demo = make_plan(load_suite(), ["baseline"], [42], data_dir=tmp_path, dataset="digits", epochs=1)
    submission = demo.submission()
    said = "Claims and printed values of the suite are those of its own data and protocol, and not judged here."
    assert not_judged(submission) == said
    claimed = 'claims = ["a > b"]\n[suite]\nname = "mine"\n'
    assert not_judged(replace(submission, text=claimed)).startswith("Claims of the suite are those of its own data")
    for text in ('[suite]\nname = "mine"\n', "no = = TOML", ""):
        assert not_judged(replace(submission, text=text)) == ""


def test_a_submission_that_is_judged_says_nothing_of_the_kind(tmp_path):
    with filled(tmp_path, seeds=(42,), only=("baseline",)) as store:
        assert not_judged(read_scope(store, None).submission) == ""
