"""The engine with networks of a user's own: their draws, layouts, frozen and tied weights, and going on bit for bit."""

import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from small_trainings import CPU, SPLITS, assert_same, assert_same_tensors, config, numbers

from db.records import Cause, Weights
from models import OwnNetworkError, build_own, bundled, describe, takes_channels_last
from models._own import loaded
from worker import engine, steps
from worker.attempt import classify
from worker.checkpoints import Checkpoints
from worker.engine import Hooks, Stopped, fits, train
from worker.precision import compute_in
from worker.randomness import seed_global

HEAD = "import torch\nfrom torch import nn\n\n"
DROPPED = (
    HEAD
    + """
class MyNet(nn.Module):
    def __init__(self, num_classes, rate=0.5):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3), nn.Dropout(rate))
        self.head = nn.LazyLinear(num_classes)

    def forward(self, images):
        noise = 0.1 * torch.rand(len(images), 1)
        return self.head(self.body(images).view(len(images), -1)) + noise
"""
)
TIED = (
    HEAD
    + """
class MyNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.first, self.second = nn.Linear(3 * 32 * 32, 8), nn.Linear(8, 8, bias=False)
        self.third, self.head = nn.Linear(8, 8, bias=False), nn.Linear(8, num_classes)
        self.third.weight = self.second.weight
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, images):
        self.steps += self.training
        hidden = self.first(images.flatten(1)).relu()
        return self.head(self.third(self.second(hidden).relu()).relu())
"""
)
FROZEN = (
    DROPPED
    + """
class Frozen(MyNet):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.body[0].requires_grad_(False)
        self.unused = nn.Linear(2, 2)
"""
)
SEVERAL = {
    "dropout": (DROPPED, "MyNet", {}),
    "tied": (TIED, "MyNet", {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.01}),
    "frozen": (FROZEN, "Frozen", {"weight_decay": 0.01}),
}


def of(text, name="MyNet", **fields):
    own = bundled({"nets.py": text})
    return config(model=f"nets.py:{name}", arguments={}, code=own.name, **fields), own


def trained(text, name="MyNet", seed=7, resume=None, fields=None, **hooks):
    records = []
    wanted, own = of(text, name, **(fields or {}))
    outcome = train(
        wanted, seed, SPLITS, device=CPU, hooks=Hooks(on_epoch=records.append, **hooks), resume=resume, own=own
    )
    return records, outcome


@pytest.mark.parametrize(("text", "name", "fields"), SEVERAL.values(), ids=SEVERAL)
@pytest.mark.parametrize("stop_at", [2, 5, 8])
def test_an_interrupted_training_of_an_own_network_goes_on_bit_for_bit(text, name, fields, stop_at, tmp_path):
    ends, asked = [], iter(range(1, 1000))
    records, outcome = trained(text, name, fields=fields, save=ends.append, save_at_end=True)
    checkpoints = Checkpoints(str(tmp_path / "c"), key="k")
    torch.manual_seed(stop_at)  # whatever this process drew before
    with pytest.raises(Stopped):
        trained(text, name, fields=fields, should_stop=lambda: next(asked) >= stop_at, save=checkpoints.save)
    wanted, own = of(text, name, **fields)
    snapshot, warning = checkpoints.load(lambda found: fits(wanted, 3, found, own=own))
    assert (warning, snapshot.step + snapshot.epoch > 0) == ("", True)
    torch.manual_seed(1)
    after, resumed = trained(text, name, fields=fields, resume=snapshot, save=ends.append, save_at_end=True)
    assert numbers(after) == numbers(records)[snapshot.epoch :]
    assert_same(resumed, outcome)
    assert_same_tensors(*(end.tensors for end in ends))


def test_dropout_of_an_own_network_draws_by_the_seed_alone():
    torch.manual_seed(1)
    first = numbers(trained(DROPPED)[0])
    torch.manual_seed(2)
    assert numbers(trained(DROPPED)[0]) == first
    assert numbers(trained(DROPPED, seed=8)[0]) != first
    assert numbers(trained(DROPPED.replace("rate=0.5", "rate=0.0"))[0]) != first


def test_each_step_draws_another_mask():
    text = DROPPED.replace("    def forward", "    seen = []\n\n    def forward")
    text = text.replace("        noise", "        self.seen.append(torch.rand(1).item())\n        noise", 1)
    trained(text)
    make = loaded("nets.py:MyNet", bundled({"nets.py": text}))
    # of three epochs' nine steps and three validations, and of one test set, seen twice after the same epoch
    assert len(set(make.seen[-14:])) == 13


def test_frozen_weights_stay_as_they_were():
    ends = []
    _, outcome = trained(FROZEN, "Frozen", save=ends.append, save_at_end=True)
    wanted, own = of(FROZEN, "Frozen")
    initial = engine.new_network(wanted, 7, 3, own).state_dict()
    last = ends[0].tensors
    assert torch.equal(last["model.body.0.weight"], initial["body.0.weight"])
    assert not torch.equal(last["model.head.weight"], initial["head.weight"])
    assert outcome.parameters == sum(
        weight.numel() for weight in engine.new_network(wanted, 7, 3, own).parameters() if weight.requires_grad
    )


def test_a_network_that_assigns_its_buffers_anew_is_measured_and_trains_on():
    """As an inference tensor such a buffer could not have the best weights loaded into it."""
    text = TIED.replace("self.steps += self.training", "self.steps = self.steps + 1")
    records, outcome = trained(text)
    assert [record.epoch for record in records] == [1, 2, 3]
    assert outcome.predictions[Weights.BEST].probabilities.shape == (30, 3)


def test_the_seed_of_an_own_networks_draws_is_that_of_torchs_manual_seed():
    seed_global(5)
    first = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), first)


def test_a_training_of_an_own_network_gives_its_own_size():
    _, outcome = trained(TIED)
    assert outcome.parameters == 3 * 32 * 32 * 8 + 8 + 64 + 8 * 3 + 3
    assert outcome.flops == 2 * (3 * 32 * 32 * 8 + 2 * 64 + 24)


def test_a_builtin_network_written_down_as_an_own_one_gives_the_same_numbers():
    """The same layers in the same order, drawn from the same seed: the engine treats both alike."""
    text = HEAD + (
        "def MyNet(num_classes):\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(),\n"
        "        nn.Linear(1024, 16), nn.ReLU(), nn.Linear(16, num_classes))\n"
    )
    records, outcome = trained(text)
    built_in = config(arguments={"conv_depths": [4], "hidden_units": 16})
    others = []
    other = train(built_in, 7, SPLITS, device=CPU, hooks=Hooks(on_epoch=others.append))
    assert numbers(records) == numbers(others)
    assert_same(outcome, other)


NO_MEMORY = (
    "CUDA out of memory. Tried to allocate",
    "GET was unable to find an engine to execute this computation",
    "FIND was unable to find an engine to execute this computation",
    "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
    "cuFFT error: CUFFT_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
)


@pytest.mark.parametrize("raised", ["MemoryError", *(f"RuntimeError({words!r})" for words in NO_MEMORY)])
def test_a_network_for_which_there_is_no_memory_is_out_of_memory_and_no_error_of_code(raised):
    own = bundled({"nets.py": f"def MyNet():\n    raise {raised}\n"})
    with pytest.raises(OwnNetworkError) as caught:
        build_own("nets.py:MyNet", own, classes=3, arguments={})
    assert classify(caught.value, None)[0] is Cause.OOM


@pytest.mark.parametrize("words", NO_MEMORY[1:4])
def test_a_library_that_gets_no_memory_since_a_kernel_failed_is_an_error_of_code(words, monkeypatch):
    def fail():
        raise torch.AcceleratorError("CUDA error: device-side assert triggered\nFor debugging consider")

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", fail)
    said = f"AcceleratorError: CUDA error: device-side assert triggered; then {words}"
    assert classify(RuntimeError(words), None) == (Cause.CODE, said)


def test_captured_steps_of_an_own_network_give_the_numbers_of_plain_ones(monkeypatch):
    plain, _ = trained(DROPPED)
    real, replays = steps.Steps.__init__, []

    def capture(step, generator):
        for _ in range(4):  # three to warm up, and one that is captured
            step()
        return lambda: (replays.append(1), step())

    monkeypatch.setattr(
        steps.Steps, "__init__", lambda self, *given, graph, **more: real(self, *given, graph=True, **more)
    )
    monkeypatch.setattr(steps, "capture", capture)
    assert numbers(trained(DROPPED)[0]) == numbers(plain)
    assert len(replays) == 6


def test_a_network_that_changes_its_arguments_changes_not_those_of_its_config():
    wanted, own = of(HEAD + "def MyNet(num_classes, widths):\n    widths.append(9)\n    return nn.Linear(2, 2)\n")
    given = {"widths": [8]}
    engine.new_network(wanted.model_copy(update={"arguments": given}), 7, 3, own)
    assert given == {"widths": [8]}


def test_what_a_module_draws_when_it_is_loaded_is_the_same_in_every_process():
    text = HEAD + "DRAWN = torch.rand(3)\ndef MyNet():\n    return DRAWN\n"
    torch.manual_seed(1)
    first = loaded("nets.py:MyNet", bundled({"nets.py": text}))()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(first, loaded("nets.py:MyNet", bundled({"nets.py": text + "\n"}))())
    assert torch.equal(before, torch.get_rng_state())


CHANGES = "torch.set_default_dtype(torch.float64); torch.set_num_threads(3); torch.backends.cudnn.benchmark = True; "
CHANGES += "torch.use_deterministic_algorithms(True); torch.set_float32_matmul_precision('medium'); os.chdir('/')"


def settings():
    return [
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.backends.cudnn.benchmark,
        torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(),
        Path.cwd(),
    ]


@pytest.mark.parametrize("where", ["when it is loaded", "when it is built", "when it is tried"])
def test_what_a_network_changes_for_the_whole_process_is_put_back(where, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    at = {name: CHANGES if name == where else "pass" for name in ("when it is loaded", "when it is built")}
    text = "import os\n" + HEAD + at["when it is loaded"] + "\n" + TIED
    text = text.replace("super().__init__()", f"super().__init__(); {at['when it is built']}")
    if where == "when it is tried":
        text = text.replace("        self.steps +=", f"        {CHANGES}\n        self.steps +=")
    own, before = bundled({"nets.py": text}), settings()
    with suppress(OwnNetworkError):
        describe("nets.py:MyNet", classes=3, arguments={}, own=own)
    assert settings() == before
    if where != "when it is tried":
        build_own("nets.py:MyNet", own, classes=3, arguments={})
    assert settings() == before


NEWER = {
    "torch.backends": torch.backends,
    "torch.backends.cudnn": torch.backends.cudnn,
    "torch.backends.cuda.matmul": torch.backends.cuda.matmul,
    "torch.backends.cudnn.conv": torch.backends.cudnn.conv,
    "torch.backends.cudnn.rnn": torch.backends.cudnn.rnn,
    "torch.backends.mkldnn.matmul": torch.backends.mkldnn.matmul,
    "torch.backends.mkldnn.conv": torch.backends.mkldnn.conv,
}


def float32_is():
    newer = [switch.fp32_precision for switch in NEWER.values()]
    return newer, torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()


@pytest.fixture
def _float32_as_before():
    yield
    compute_in("float32", CPU)


@pytest.mark.usefixtures("_float32_as_before")
@pytest.mark.parametrize(("precision", "other"), [("float32", "tf32"), ("tf32", "ieee")])
@pytest.mark.parametrize("switch", NEWER)
def test_torchs_newer_switches_are_put_back_as_well(switch, precision, other):
    compute_in(precision, torch.device("cuda"))  # only its name
    before = float32_is()
    text = (
        HEAD + f"{switch}.fp32_precision = {other!r}\nSEEN = {switch}.fp32_precision\ndef MyNet():\n    return SEEN\n"
    )
    assert loaded("nets.py:MyNet", bundled({"nets.py": text}))() == other
    assert float32_is() == before


@pytest.mark.usefixtures("_float32_as_before")
def test_a_network_can_be_tried_where_the_newer_switches_are_in_use():
    torch.backends.fp32_precision = torch.backends.cuda.matmul.fp32_precision = "tf32"
    with pytest.raises(RuntimeError, match="legacy and new API"):
        torch.get_float32_matmul_precision()
    loaded("nets.py:MyNet", bundled({"nets.py": TIED + "torch.backends.cuda.matmul.fp32_precision = 'ieee'\n"}))
    assert torch.backends.cuda.matmul.fp32_precision == "tf32"


def test_a_training_has_none_of_the_settings_that_an_earlier_one_left():
    before = torch.get_default_dtype(), torch.get_float32_matmul_precision()
    try:
        torch.set_default_dtype(torch.float64)
        torch.use_deterministic_algorithms(True)
        torch.set_float32_matmul_precision("medium")
        compute_in("float32", CPU)
        assert not torch.are_deterministic_algorithms_enabled()
        assert (torch.get_default_dtype(), torch.get_float32_matmul_precision()) == (torch.float32, "highest")
    finally:
        torch.set_default_dtype(before[0])
        torch.set_float32_matmul_precision(before[1])
        torch.use_deterministic_algorithms(False)


def test_networks_that_two_threads_try_leave_stdout_and_warnings_as_they_were():
    text = HEAD + "import time\ndef MyNet(num_classes):\n    time.sleep({})\n"
    text += "    return nn.Sequential(nn.Flatten(), nn.Linear(3072, num_classes))\n"
    before = sys.stdout, list(warnings.filters)

    def tried(seconds):
        own = bundled({"nets.py": text.format(seconds)})
        describe("nets.py:MyNet", classes=3, arguments={}, own=own)
        takes_channels_last("nets.py:MyNet", own, classes=3, arguments={})

    threads = [threading.Thread(target=tried, args=(seconds,)) for seconds in (0.1, 0.15, 0.22)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sys.stdout, list(warnings.filters)) == before
