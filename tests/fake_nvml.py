"""The NVML of a machine with cards, to put in `sys.modules` as `pynvml`."""

from pathlib import Path
from types import SimpleNamespace

MIB = 2**20
CARDS = ("GPU-aaaa", "GPU-bbbb")


class FakeNvml:
    """Cards by UUID, each with total and free MiB; as in NVML, nothing answers unless it is open.

    `used_mj` of a card is its energy counter; a card that is not in it has none.
    """

    class NVMLError(Exception):
        pass

    def __init__(self, cards):
        self.cards = dict(cards)
        self.used_mj = {}
        self.opened = 0
        self.fails = False

    def nvmlInit(self):
        self.opened += 1

    def nvmlShutdown(self):
        self.opened -= 1

    def nvmlDeviceGetCount(self):
        return len(self._all())

    def nvmlDeviceGetHandleByIndex(self, index):
        return self._all()[index]

    def nvmlDeviceGetHandleByUUID(self, uuid):
        if uuid not in self._all():
            raise self.NVMLError("Not Found")
        return uuid

    def nvmlDeviceGetUUID(self, handle):
        assert handle in self._all()
        return handle

    def nvmlSystemGetDriverVersion(self):
        self._all()
        return "570.1"

    def nvmlDeviceGetMemoryInfo(self, handle):
        assert handle in self._all()
        total, free = self.cards[handle]
        return SimpleNamespace(total=total * MIB, free=free * MIB, used=(total - free) * MIB)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        assert handle in self._all()
        if handle not in self.used_mj:
            raise self.NVMLError("Not Supported")
        return self.used_mj[handle]

    def _all(self):
        assert self.opened > 0
        if self.fails:
            raise self.NVMLError("GPU is lost")
        return [*self.cards]


def on_cards(*cards):
    """What makes a worker believe that this machine has them, with 9,000 MiB each."""
    return f"""
import os, sys
sys.path.append({str(Path(__file__).parent)!r})
from fake_nvml import FakeNvml
sys.modules["pynvml"] = FakeNvml(dict.fromkeys({cards!r}, (9_000, 9_000)))
import worker.child
from worker.child import Child
worker.child.cuda_error = lambda: ""
real = Child.start
def start(self):
    loaded = "torch" in sys.modules
    real(self)
    with open("starts.txt", "a") as file:
        print(os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"], loaded, file=file)
    self.device = "cpu"
Child.start = start
"""
