"""Networks that hang, crash or leave where they are built and tried: whoever asked goes on, and says where."""

import os
import time
from contextlib import suppress

import psutil
import pytest

from models import OwnNetworkError, _probe, bundled, describe, probing

TEXT = """
import ctypes, os, signal, threading, time
from torch import nn

def net(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, num_classes))

class Hangs(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = net(num_classes)

    def forward(self, images):
        while True:  # line 15
            time.sleep(0)

def crashes(num_classes):
    ctypes.string_at(0)

def leaves(num_classes):
    os._exit(3)

def is_killed(num_classes):
    os.kill(os.getpid(), signal.SIGKILL)

def leaves_all(num_classes):
    raise KeyboardInterrupt

def shouts(num_classes):
    os.write(1, b"no result of the command that asks")
    return net(num_classes)

def leaves_a_child(num_classes):
    if os.fork() == 0:
        time.sleep(600)
    os._exit(3)
"""
OWN = bundled({"nets.py": TEXT})


@pytest.fixture
def probe():
    """With time for a busy machine; no process is left of it."""
    with probing(limit_s=60.0, say=lambda _: None) as made:
        yield made
    assert not processes()


def processes():
    mine = psutil.Process().children(recursive=True)
    return [one for one in mine if "models._probed" in " ".join(one.cmdline())]


def asked(probe, name, **arguments):
    return probe.describe(f"nets.py:{name}", classes=10, arguments=arguments, own=OWN)


def test_another_process_gives_what_this_one_would(probe, capfd):
    own = describe("nets.py:net", classes=10, arguments={}, own=OWN)
    assert asked(probe, "net") == asked(probe, "shouts") == own
    (process,) = processes()
    with pytest.raises(OwnNetworkError, match=r"nets.py:net: got an unexpected keyword argument 'depth'") as caught:
        asked(probe, "net", depth=3)
    assert caught.value.fix == "nets.py:net takes the arguments num_classes"
    with pytest.raises(OwnNetworkError, match=r"nets.py:leaves_all raised KeyboardInterrupt"):
        asked(probe, "leaves_all")
    assert processes() == [process]
    bench = {"classes": 10, "arguments": {}}
    assert probe.describe("resnet", **bench) == describe("resnet", **bench)
    with pytest.raises(ValueError, match="a classifier needs at least 2 classes, not 1"):
        probe.describe("resnet", classes=1, arguments={})
    assert capfd.readouterr().out == ""


def test_a_network_that_hangs_is_given_up_with_the_line_where_it_is(monkeypatch):
    monkeypatch.setattr(_probe, "_QUIET_S", 0.2)
    said = []
    with probing(limit_s=4.0, say=said.append) as probe:
        asked(probe, "net")  # the process is there, and has what it loads with its first network
        said.clear()
        since = time.monotonic()
        with pytest.raises(OwnNetworkError, match=r"was not built and tried within 4 s \(nets.py:1[56]\)") as caught:
            asked(probe, "Hangs")
    assert time.monotonic() - since < 9
    assert caught.value.fix.endswith("BENCH_PROBE_S=40")
    assert said == ["still building and trying nets.py:Hangs, for up to 4 s (BENCH_PROBE_S) ..."]
    assert not processes()


CRASHES = {
    "crashes": r"by SIGSEGV \(nets.py:18\)",
    "leaves": "with exit code 3",
    "is_killed": "by SIGKILL, as the system does when memory runs out",
    "leaves_a_child": "with exit code 3",
}


@pytest.mark.parametrize("name", CRASHES)
def test_a_network_that_ends_its_process_is_one_line_and_leaves_nothing(name):
    with probing(limit_s=60.0, say=lambda _: None) as probe:
        with pytest.raises(
            OwnNetworkError, match=f"ended the process that built and tried it, {CRASHES[name]}$"
        ) as caught:
            asked(probe, name)
        group = probe._process._process.pid
    assert caught.value.fix
    assert eventually(lambda: not [one for one in psutil.pids() if group_of(one) == group])


def eventually(holds):
    """Whoever takes in orphans needs a moment."""
    deadline = time.monotonic() + 10
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


def group_of(pid):
    with suppress(ProcessLookupError):
        return os.getpgid(pid)


PATCHES = """
from torch import nn

class Plain(nn.Linear):
    def __init__(self, inputs, outputs, bias=True):
        super().__init__(inputs, outputs, bias=False)

nn.Linear = Plain

def net(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, num_classes))
"""


def test_what_a_network_patches_holds_for_its_own_code_alone(probe):
    patching = bundled({"nets.py": PATCHES})
    assert probe.describe("nets.py:net", classes=10, arguments={}, own=patching).parameters == 30720
    assert asked(probe, "net").parameters == 30730
    assert len(processes()) == 1


@pytest.mark.parametrize("place", ["__init__", "forward"])
def test_a_network_that_forks_gives_one_answer(probe, place):
    lines = ["import os", "from torch import nn", "class Net(nn.Module):", "    def __init__(self, num_classes):"]
    lines += ["        super().__init__()", "        self.body = nn.Linear(3072, num_classes)"]
    lines += ["        os.fork()"] if place == "__init__" else []
    lines += ["    def forward(self, images):"] + (["        os.fork()"] if place == "forward" else [])
    lines += ["        return self.body(images.flatten(1))"]
    own = bundled({"nets.py": "\n".join(lines)})
    for classes in (10, 20, 30):
        assert probe.describe("nets.py:Net", classes=classes, arguments={}, own=own).parameters == 3073 * classes


def test_what_is_loaded_by_a_computed_name_is_refused(probe, monkeypatch, tmp_path):
    (tmp_path / "mylab").mkdir()
    (tmp_path / "mylab" / "hidden.py").write_text("WIDTH = 3072\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = "import importlib\nfrom torch import nn\nWIDTH = importlib.import_module('mylab.hidden').WIDTH\n"
    text += "def net(classes): return nn.Sequential(nn.Flatten(), nn.Linear(WIDTH, classes))\n"
    own = bundled({"mylab/nets.py": text})
    with pytest.raises(OwnNetworkError, match=r"mylab/nets.py:net loads mylab.* by a computed name") as caught:
        probe.describe("mylab/nets.py:net", classes=10, arguments={}, own=own)
    assert caught.value.fix.startswith("write `import mylab")


def test_where_torch_cannot_be_loaded_the_network_is_not_blamed(probe, monkeypatch, tmp_path):
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.13: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OwnNetworkError, match=r"ended with exit code 1 while it loaded PyTorch$") as caught:
        asked(probe, "net")
    assert caught.value.fix == "see what it has printed, and `bench doctor`"


def test_each_plan_sees_what_is_there_now(monkeypatch, tmp_path):
    own = bundled({"nets.py": TEXT + "import somebodys\ndef theirs(num_classes): return somebodys.net(num_classes)\n"})
    with probing(limit_s=60.0, say=lambda _: None) as before, pytest.raises(OwnNetworkError, match="somebodys"):
        before.describe("nets.py:theirs", classes=10, arguments={}, own=own)
    (tmp_path / "somebodys.py").write_text(
        "from torch.nn import Flatten, Linear, Sequential\n"
        "def net(classes): return Sequential(Flatten(), Linear(3072, classes))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with probing(limit_s=60.0, say=lambda _: None) as after:
        assert after.describe("nets.py:theirs", classes=10, arguments={}, own=own).parameters == 30730
