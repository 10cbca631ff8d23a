"""Jobs of one worker after each other and beside each other on a card: nothing of one is seen in another."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_trainings import SMALL, numbers, run

from worker.child import free_memory

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda")
FIELDS = {"arguments": {**SMALL, "batch_norm": True, "dropout": 0.5}, "augmentation": ["flip", "crop"]}
ROOT = Path(__file__).resolve().parents[2]
LOOP = """
import json, sys
from small_trainings import numbers, run
import torch
fields = json.loads(sys.argv[1])
for _ in range(int(sys.argv[2])):
    records, _ = run(fields, device=torch.device("cuda"))
    print(json.dumps(numbers(records)), flush=True)
"""


def held():
    torch.cuda.synchronize()
    return torch.cuda.memory_allocated(), torch.cuda.memory_reserved()


def test_fifty_trainings_one_after_the_other_leave_nothing_on_the_card():
    def one():
        run({**FIELDS, "epochs": 1}, device=CUDA)
        free_memory()
        return held()

    one()
    first = one()  # what libraries keep for themselves is there by now
    assert [one() for _ in range(48)] == [first] * 48


def test_a_training_that_fails_gives_its_memory_back():
    run({**FIELDS, "epochs": 1}, device=CUDA)
    free_memory()
    before = held()

    def fail(record):
        raise ValueError("no")

    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            run(FIELDS, device=CUDA, on_epoch=fail)
        with pytest.raises(torch.cuda.OutOfMemoryError):
            run(FIELDS, device=CUDA, on_epoch=lambda record: torch.empty(2**45, dtype=torch.uint8, device=CUDA))
        free_memory()
        assert held() == before


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_numbers_beside_another_training_are_those_alone(precision):
    fields = {**FIELDS, "precision": precision}
    records, _ = run(fields, device=CUDA)
    alone = json.loads(json.dumps(numbers(records)))
    command = [sys.executable, "-c", LOOP, json.dumps(fields), "4"]
    path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{':'.join(sys.path)}"}
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | path) for _ in range(3)]
    for process in started:
        said, _ = process.communicate(timeout=200)
        assert [json.loads(line) for line in said.splitlines()] == [alone] * 4


BREAKS = """
import torch
from worker.card_check import cuda_error
print(cuda_error())
torch.zeros(1, device="cuda")[torch.tensor([5], device="cuda")]
print(cuda_error())
"""


def test_a_card_is_said_to_work_until_an_assertion_has_broken_its_context():
    path = {"PYTHONPATH": f"{ROOT}:{':'.join(sys.path)}"}
    done = subprocess.run(
        [sys.executable, "-c", BREAKS], capture_output=True, text=True, env=os.environ | path, check=False
    )
    before, after = done.stdout.splitlines()
    assert (before, "CUDA error" in after) == ("", True)
