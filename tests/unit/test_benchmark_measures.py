"""What a benchmark has measured is kept with the machine that it was measured on."""

import json

import pytest
import torch

from benchmarks import measures
from benchmarks.measures import Measure, conclude

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
