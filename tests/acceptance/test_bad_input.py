"""Bad suites and options are refused in one line with their mend, before anything is written: all stays as it was."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from refusals import check_words, everything, write

from scheduler.suite import load_suite

ROOT = Path(__file__).parents[2]
HEAD = "[suite]\nname = 'mine'\ndataset = 'digits'\n"
ONE = HEAD + "[variants.a]\n"
SWEEP = ONE + "[sweeps.s]\nbase = 'a'\n"
FIGURE = ONE + "[[figures]]\nname = 'f'\n"
TABLE = ONE + "[[tables]]\nname = 't'\n"
PRINTED = ONE + "[reference]\nsource = 'x'\n"
EVERY_NAME = ", ".join([*load_suite().variants, *load_suite().sweeps])


@pytest.mark.parametrize(
    ("content", "error", "fix"),
    [
        pytest.param("[suite\n", "not valid TOML", "mend that line", id="not TOML"),
        pytest.param(b"[suite]\nname = '\xff'\n", "cannot read", "UTF-8", id="not UTF-8"),
        pytest.param("", "[suite]: is missing", "name, title, dataset, image_size", id="empty"),
        pytest.param(HEAD, "[variants]: is missing", "[variants.NAME]", id="no variants"),
        pytest.param(ONE + "[more]\n", "[more]: no such field", "sweeps", id="unknown table"),
        pytest.param(ONE + "lr = 1\n", "[variants.a] lr: no such field", "learning_rate", id="unknown field"),
        pytest.param(ONE + "[defaults]\nlr = 1\n", "[defaults] lr", "learning_rate", id="unknown default"),
        pytest.param(ONE + "epochs = '5'\n", "(it is '5')", "whole number", id="wrong type"),
        pytest.param(ONE + "batch_size = 1\n", "(it is 1)", "at least 2", id="out of range"),
        pytest.param(ONE + "learning_rate = nan\n", "(it is nan)", "above 0", id="not a number"),
        pytest.param(ONE + "epochs = 99999999999999999999\n", "64 bits", "smaller", id="huge number"),
        pytest.param(ONE + f"x = {'[' * 3000}{']' * 3000}\n", "within each other", "flatter", id="nested"),
        pytest.param(ONE + "model = 'vgg'\n", "no such network", "resnet", id="unknown network"),
        pytest.param(ONE + "optimizer = 'lion'\n", "(it is 'lion')", "adam, sgd", id="unknown choice"),
        pytest.param(ONE + "nesterov = true\n", "needs momentum", "momentum above 0", id="nesterov alone"),
        pytest.param(ONE + "arguments = { depth = 1 }\n", "arguments.depth", "conv_depths", id="unknown argument"),
        pytest.param(ONE + "arguments = { conv_depths = [] }\n", "1 to 4 layers", "conv_depths", id="bad argument"),
        pytest.param(
            ONE + "augmentation = ['flp']\n", "'flp'", "crop, cutmix, cutout, flip", id="unknown augmentation"
        ),
        pytest.param(ONE + "augmentation = [{}]\n", "augmentation.1: has no name", "mixup", id="no augmentation"),
        pytest.param(ONE + "title = 1\n", "title: not text", "text", id="title"),
        pytest.param(ONE.replace("digits", "mnist"), "[suite] dataset", "cifar10", id="unknown data set"),
        pytest.param(HEAD + "seeds = [1, 1]\n[variants.a]\n", "1 twice", "once", id="seed twice"),
        pytest.param(HEAD + "seeds = [-1]\n[variants.a]\n", "[suite.seeds] 1", "at least 0", id="seed below 0"),
        pytest.param(HEAD + "[variants.'a\\nb']\n", "not a name", "letter or digit", id="bad name"),
        pytest.param(HEAD + '[variants."a\\nb\\u001b[31m"]\n', r"a\nb\x1b[31m", "letter", id="control codes"),
        pytest.param(ONE + "[sweeps.s]\nbase = 'b'\n", "no variant 'b'", "choose one of a", id="unknown base"),
        pytest.param(
            ONE + "[sweeps.a]\nbase = 'a'\n", "name of a variant", "another name", id="sweep named as variant"
        ),
        pytest.param(
            SWEEP + "grid = { epochs = [1] }\nlist = [{}]\n", "needs one of", "one of them", id="grid and list"
        ),
        pytest.param(SWEEP + "grid = { epochs = [] }\n", "no values", "at least one", id="empty grid"),
        pytest.param(SWEEP + "grid = { epochs = [1, 1] }\n", "two points", "name the points", id="one point twice"),
        pytest.param(SWEEP + f"grid = {{ epochs = {[1] * 10001} }}\n", "10,001", "10,000", id="huge grid"),
        pytest.param(
            SWEEP + "grid = { optimizer = ['a b'] }\n", "unusual letters", "name the points", id="point's name"
        ),
        pytest.param(
            SWEEP + "grid = { 'model.x' = [1] }\n", "no field 'model.x'", "arguments.NAME", id="point's field"
        ),
        pytest.param(FIGURE + "kind = 'pie'\n", "[[figures]] 1 kind", "confusion", id="kind of figure"),
        pytest.param(FIGURE + "kind = 'history'\n", "shows no variant", "of a", id="empty figure"),
        pytest.param(
            FIGURE + "kind = 'history'\nvariants = ['z']\n", "no variant 'z'", "among a", id="figure's variant"
        ),
        pytest.param(FIGURE + "kind = 'tuning'\nsweeps = ['z']\n", "no sweep 'z'", "(none)", id="figure's sweep"),
        pytest.param(
            FIGURE + "kind = 'samples'\n" + FIGURE[len(ONE) :] + "kind = 'samples'\n",
            "another one has",
            "name",
            id="figure twice",
        ),
        pytest.param(TABLE + "kind = 'tuning'\n", "no sweep ''", "(none)", id="table's sweep"),
        pytest.param(
            PRINTED + "[reference.variants.z]\n", "[reference]: no variant 'z'", "among a", id="printed variant"
        ),
        pytest.param(
            PRINTED + "[reference.variants.a]\nf1 = 1\n", "f1: no such field", "test_accuracy", id="printed key"
        ),
        pytest.param(
            PRINTED + "[reference.variants.a]\ntest_accuracy = 55\n", "(it is 55)", "at most 1", id="printed percent"
        ),
    ],
)
def test_a_suite_file(place, refused, content, error, fix):
    write(place / "mine.toml", content)
    refused("submit", "--all", "--suite", "mine.toml", error=error, fix=fix)


@pytest.mark.parametrize(
    ("words", "error", "fix"),
    [
        (["submit"], "nothing is selected", f"--variant with one of: {EVERY_NAME}"),
        (["submit", "--all", "--variant", "resnet"], "exclude each other", "--variant"),
        (["submit", "--variant", "vgg"], "no variant 'vgg'", f"choose among {EVERY_NAME}"),
        (["submit", "--variant", "baselin"], "no variant 'baselin'", "did you mean baseline?"),
        (["submit", "--all", "--suite", "."], "cannot read", "TOML"),
        (["submit", "--all", "--suite", "none.toml"], "no suite file none.toml", "built-in suite: report"),
        (["submit", "--all", "--seeds", "0"], "--seeds must be 1", "how many"),
        (["submit", "--all", "--seeds", "10001"], "--seeds must be 1 to 10000", "how many"),
        (["submit", "--all", "--seeds", "1", "--seed", "1"], "exclude each other", "one of them"),
        (["submit", "--all", "--seed", "-1"], "--seed must be 0", "another seed"),
        (["submit", "--all", "--epochs", "0"], "--epochs: ", "at least 1 and at most 100000"),
        (["submit", "--all", "--epochs", "five"], "--epochs", "bench submit --help"),
        (["submit", "--all", "--precision", "fp8"], "--precision: ", "float32, tf32, bfloat16"),
        (["run", "--variant", "baseline", "--device", "cpu", "--precision", "tf32"], "tf32 needs CUDA", "bfloat16"),
        (["demo", "--device", "cpu", "--precision", "tf32"], "tf32 needs CUDA", "--precision float32"),
        (["submit", "--all", "--priority", str(2**40)], "--priority", "bench submit --help"),
        (["submit", "--all", "--colour"], "--colour", "bench submit --help"),
        (["submit", "--all", "--dataset", ""], "unknown data set ''", "cifar100-20"),
        (["submit", "--all", "--dataset", "folder:"], "needs a path", "folder:PATH"),
        (["submit", "--all", "--dataset", "folder:~nosuch/x"], "no home of ~nosuch", "in full"),
        (["submit", "--all", "--dataset", "folder:\udcff"], "a path in UTF-8", "rename"),
        (["submit", "--all", "--suite", "\udcff.toml"], "no suite file \\udcff.toml", "built-in suite: report"),
        (["train"], "'train'", "bench --help"),
        (["db"], "Missing command", "bench db --help"),
        (["run", "--variant", "baseline", "--device", "tpu"], "--device must be", "one of the three"),
        (["run", "--variant", "baseline", "--slots", "0"], "--slots must be 1 to 1024 or auto, not '0'", "a number"),
        (["worker", "--slots", "1025"], "--slots must be 1 to 1024 or auto, not '1025'", "a number"),
        (["demo", "--slots", "two"], "--slots must be 1 to 1024 or auto, not 'two'", "a number"),
        (["worker", "--slots", "9" * 5000], "--slots must be 1 to 1024 or auto", "a number"),
        (["run", "--variant", "baseline", "--out", "/dev/null/report"], "cannot write the report", "--out"),
        (["demo", "--out", "/dev/null/demo"], "cannot write", "--out"),
        (["worker", "--device", "tpu"], "--device must be", "one of the three"),
        (["report", "--out", "/dev/null"], "cannot write the report", "--out"),
        (["report", "--submission", "9"], "no submission 9", "bench status"),
        (["report", "--submission", str(2**64)], "--submission", "bench report --help"),
        (["status", "--submission", "9"], "no submission 9", "choose among 1, see `bench status`"),
        (["status", "--watch", "--json"], "exclude each other", "one of them"),
        (["cancel"], "say which jobs", "--all"),
        (["cancel", "1", "--all"], "give ids or --all, not both", "leave one"),
        (["retry", "1", "--failed"], "give ids or --failed and --cancelled, not both", "leave one"),
        (["cancel", "1", "9"], "no job 9", "bench status"),
        (["cancel", "1x"], "JOB", "bench cancel --help"),
        (["cancel", str(2**64)], "JOB", "bench cancel --help"),
        (["retry"], "say which jobs", "--failed"),
        (["retry", "9"], "no job 9", "bench status"),
        (["retry", "--failed", "--cause", "bad luck"], "unknown cause 'bad luck'", "diverged"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option(refused, words, error, fix):
    refused(*words, error=error, fix=fix)


@pytest.mark.parametrize(
    ("words", "environment", "error", "fix"),
    [
        (["submit", "--all", "--suite", "mine.toml"], {}, "[variants.a] lr", "learning_rate"),
        (["submit", "--all"], {"BENCH_LEASE_S": "1"}, "BENCH_LEASE_S", "BENCH_HEARTBEAT_S"),
        (["submit", "--all", "--epochs", "x"], {}, "--epochs", "bench submit --help"),
    ],
)
def test_a_real_process_says_the_same(place, words, environment, error, fix):
    write(place / "mine.toml", ONE + "lr = 1\n")
    before = everything(place.parent)
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, "")
    check_words(done.stderr, error, fix)
    assert everything(place.parent) == before
