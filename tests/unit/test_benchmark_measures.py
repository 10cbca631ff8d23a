"""What a benchmark has measured is kept with its machine; sides take turns, and a share follows from its parts."""

import json
from functools import partial

import pytest
import torch

from benchmarks import measures
from benchmarks.measures import Measure, conclude
from benchmarks.overhead import in_turns, of_calls
from benchmarks.turns import Lap

ONE = Measure(what="a step", unit="ms", values=(3.0, 1.0, 2.0))


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Gives what lies in the folder of kept files once a machine of that instruction set has saved."""
    monkeypatch.setattr(measures, "RESULTS", tmp_path)

    def save(instruction_set):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: instruction_set)
        conclude("steps", [ONE], save=True)
        return {path.name: json.loads(path.read_text()) for path in tmp_path.iterdir()}

    return save


def test_no_file_of_another_instruction_set_is_overwritten(kept):
    (first,) = kept("AVX512")
    both = kept("NO AVX")
    assert len(both) == 2
    assert first.endswith("-cores-avx512.json")
    assert both[first]["machine"]["instruction_set"] == "AVX512"
    (other,) = both.keys() - {first}
    assert other == first.replace("avx512", "no-avx")
    assert len(kept("NO AVX")) == 2


def test_each_side_of_a_round_takes_each_place_equally_often():
    said = []
    sides = {name: partial(said.append, name) for name in ("bare", "default", "frequent")}
    for turn in range(3):
        assert set(in_turns(sides, turn)) == {*sides}
    rounds = [said[:3], said[3:6], said[6:]]
    assert [set(place) for place in zip(*rounds, strict=True)] == [{*sides}] * 3


def test_what_parts_take_of_an_attempt_follows_from_their_medians():
    calls = {
        "save": [Lap(wall_s=0.030, cpu_s=0.015), Lap(wall_s=9.0, cpu_s=9.0), Lap(wall_s=0.010, cpu_s=0.005)],
        "beat": [Lap(wall_s=0.005, cpu_s=0.001)],
    }
    found = {(one.what, one.unit): one.summary()["median"] for one in of_calls(calls, {"save": 30.0, "beat": 5.0})}
    assert (found["save", "CPU ms"], found["beat", "ms"]) == (15.0, 5.0)
    by = "what follows at the default intervals, by"
    assert found[f"{by} CPU time", "% of an attempt"] == pytest.approx(100 * (0.015 / 30 + 0.001 / 5))
    assert found[f"{by} the wall", "% of an attempt"] == pytest.approx(100 * (0.030 / 30 + 0.005 / 5))
