"""Benchmarks of the engine and of the report run to their end with next to no work, and say what they have measured."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = {
    "engine": "--images 160 --rounds 1 --variant baseline",
    "slots": "--images 64 --rounds 1 --variant baseline",
    "bound": "--images 64 --rounds 1 --variant both_augmented",
    "augmentation": "--batches 2 --rounds 1",
    "overhead": "--images 100 --rounds 1 --epochs 2 --checkpoint-s 0",
    "start": "--images 100 --rounds 1",
    "graph": "--images 64 --rounds 1 --variant baseline --device cpu",
    "growth": "--images 100 --rounds 1",
    "report": "--images 40 --rounds 1 --seeds 1 --variants 3 --variant-seeds 2 --claims 1",
}


def run(name, options):
    command = [sys.executable, "-m", f"benchmarks.{name}", *options.split()]
    return subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=240)


@pytest.mark.long
@pytest.mark.parametrize("name", TINY)
def test_a_benchmark_runs_and_tells_finite_numbers(name):
    done = run(name, TINY[name])
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    told = json.loads(line)
    assert told["benchmark"] == name
    assert told["measures"]
    for measure in told["measures"]:
        assert measure["n"] == 1, measure
        assert all(math.isfinite(value) for value in measure["values"]), measure


@pytest.mark.long
def test_the_shares_of_a_step_add_up_to_all_of_it():
    done = run("bound", TINY["bound"])
    assert done.returncode == 0, done.stderr
    measures = json.loads(done.stdout.splitlines()[-1])["measures"]
    shares = {measure["what"]: measure["median"] for measure in measures if measure["unit"] == "% of CPU time"}
    assert sum(shares.values()) == pytest.approx(100)
    # what the network surely does has a share; its pooling is part of batch norm's layer
    for group in ("convolution", "dense", "batch norm", "ReLU", "dropout", "loss", "optimizer"):
        assert shares[f"both_augmented, {group}"] > 0, shares
