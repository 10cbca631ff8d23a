"""Benchmarks run to their end with next to no work, and say what they have measured."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.environment import environment

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"augmentation": "--batches 1 --rounds 1"}
TINY = {
    "engine": "--images 160 --rounds 1 --variant baseline",
    "slots": "--images 64 --rounds 1 --variant baseline",
    "bound": "--images 64 --rounds 1 --variant both_augmented",
    "overhead": "--images 100 --rounds 1 --epochs 2 --checkpoint-s 0 --calls 1",
    "start": "--images 100 --rounds 1",
    "convolutions": "--rounds 1 --shapes 1 --turn-s 0.01",
    "graph": "--images 64 --rounds 1 --variant baseline --device cpu",
    "growth": "--images 100 --rounds 1",
    "report": "--images 40 --rounds 1 --seeds 1 --jobs 10 --claims 1",
    "cli": "--jobs 2 --rounds 1 --submit 1",
}
REPEATED = "bench submit of 1, empty store"  # by the benchmark itself, whatever --rounds says
# as `python -m benchmarks.NAME`, with another folder for what is kept
KEPT_IN = (
    "import pathlib, runpy, sys; from benchmarks import measures; measures.RESULTS = pathlib.Path(sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def run(name, options, kept=None):
    how = ["-m", f"benchmarks.{name}"] if kept is None else ["-c", KEPT_IN, str(kept), f"benchmarks.{name}", "--save"]
    command = [sys.executable, *how, *options.split()]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def told_in(lines):
    (line,) = [line for line in lines if line.startswith("{")]
    return json.loads(line)


@pytest.mark.parametrize("name", QUICK)
def test_a_benchmark_prints_a_table_and_json_and_keeps_them_with_its_machine(name, tmp_path):
    lines = run(name, QUICK[name], kept=tmp_path)
    told = told_in(lines)
    assert (told["benchmark"], bool(told["measures"])) == (name, True)
    head, *rows = lines[: lines.index(json.dumps(told))]
    assert head.split() == ["unit", "n", "median", "min", "max", "goal"]
    assert len(rows) == len(told["measures"])
    for row, measure in zip(rows, told["measures"], strict=True):
        assert row.startswith(measure["what"])
        (value,) = measure["values"]
        assert math.isfinite(value)
        assert row.partition(measure["unit"])[2].split()[:4] == ["1", *[f"{value:.4g}"] * 3]
    (kept,) = tmp_path.iterdir()
    assert json.loads(kept.read_text()) == told
    assert lines[-1] == f"saved in {kept}"
    here = environment("cpu")
    assert kept.stem.endswith(f"-{here['cores']}-cores-{here['instruction_set'].lower().replace(' ', '-')}")
    machine = told["machine"]
    assert machine["load"] >= 0
    apart = ("git", "host", "threads")  # the host has no business in it; somebody may work in this checkout meanwhile
    assert {name: machine[name] for name in here if name not in apart} == {
        name: value for name, value in here.items() if name not in apart
    }
    assert (machine["threads"], "host" in machine) == (1, False)


@pytest.mark.long
@pytest.mark.parametrize("name", TINY)
def test_a_benchmark_runs_and_tells_finite_numbers(name):
    told = told_in(run(name, TINY[name]))
    assert told["benchmark"] == name
    assert told["measures"]
    for measure in told["measures"]:
        assert measure["n"] == (3 if measure["what"].startswith(REPEATED) else 1), measure
        assert all(math.isfinite(value) for value in measure["values"]), measure


@pytest.mark.long
def test_the_parts_of_an_attempt_are_timed_one_by_one():
    measures = told_in(run("overhead", TINY["overhead"] + " --calls 4"))["measures"]
    counted = {(one["what"], one["unit"]): one["n"] for one in measures if one["unit"].endswith("ms")}
    parts = ("one checkpoint", "one row of history", "one heartbeat")
    assert counted == {(part, unit): 4 for part in parts for unit in ("CPU ms", "ms")}


@pytest.mark.long
def test_the_shares_of_a_step_add_up_to_all_of_it():
    measures = told_in(run("bound", TINY["bound"]))["measures"]
    shares = {measure["what"]: measure["median"] for measure in measures if measure["unit"] == "% of CPU time"}
    assert sum(shares.values()) == pytest.approx(100)
    # what the network surely does has a share; its pooling is part of batch norm's layer
    for group in ("convolution", "dense", "batch norm", "ReLU", "dropout", "loss", "optimizer"):
        assert shares[f"both_augmented, {group}"] > 0, shares
