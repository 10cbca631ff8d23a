"""Networks that hang, crash or leave where they are built and tried: whoever asked goes on, and says where."""

import signal
import time

import psutil
import pytest

from models import OwnNetworkError, _probe, bundled, describe, probe

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
"""
OWN = bundled({"nets.py": TEXT})


def asked(name, *, limit_s=60.0, say=lambda _: None, **arguments):
    return probe(
        f"nets.py:{name}", classes=10, arguments=arguments, own=OWN, limit_s=limit_s, say=say, side=32, channels=3
    )


def test_another_process_gives_what_this_one_would(capfd):
    own = describe("nets.py:net", classes=10, arguments={}, own=OWN)
    assert asked("net") == own
    (process,) = [one.pid for one in psutil.Process().children() if "models._probed" in " ".join(one.cmdline())]
    bench = {"classes": 10, "arguments": {}, "own": None}
    assert probe("resnet", **bench, limit_s=60, say=print) == describe("resnet", **bench)
    with pytest.raises(OwnNetworkError, match=r"nets.py:net: got an unexpected keyword argument 'depth'") as caught:
        asked("net", depth=3)
    assert caught.value.fix == "nets.py:net takes the arguments num_classes"
    with pytest.raises(OwnNetworkError, match=r"nets.py:leaves_all raised KeyboardInterrupt"):
        asked("leaves_all")
    assert psutil.pid_exists(process)
    assert capfd.readouterr().out == ""


def test_a_network_that_hangs_is_given_up_with_the_line_where_it_is(monkeypatch):
    monkeypatch.setattr(_probe, "_QUIET_S", 0.2)
    said = []
    asked("net")  # the process is there, so that the time is the network's alone
    since = time.monotonic()
    with pytest.raises(OwnNetworkError, match=r"was not built and tried within 0.7 s \(nets.py:1[56]\)") as caught:
        asked("Hangs", limit_s=0.7, say=said.append)
    assert time.monotonic() - since < 5
    assert caught.value.fix.endswith("BENCH_PROBE_S=7")
    assert said == ["still building and trying nets.py:Hangs, for up to 0.7 s (BENCH_PROBE_S) ..."]
    assert not [one for one in psutil.Process().children() if "models._probed" in " ".join(one.cmdline())]


CRASHES = {
    "crashes": r"by SIGSEGV \(nets.py:18\)",
    "leaves": "with exit code 3",
}


@pytest.mark.parametrize("name", CRASHES)
def test_a_network_that_ends_its_process_is_one_line(name):
    with pytest.raises(OwnNetworkError, match=f"ended the process that built and tried it, {CRASHES[name]}$") as caught:
        asked(name)
    assert caught.value.fix


def test_a_process_that_was_ended_while_nobody_asked_is_started_again():
    asked("net")
    for one in psutil.Process().children():
        if "models._probed" in " ".join(one.cmdline()):
            one.send_signal(signal.SIGKILL)
            one.wait()
    with pytest.raises(OwnNetworkError, match="by SIGKILL, as the system does when memory runs out"):
        asked("is_killed")
