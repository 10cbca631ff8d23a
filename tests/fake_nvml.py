"""The NVML of a machine with cards, to put in `sys.modules` as `pynvml`."""

from pathlib import Path
from types import SimpleNamespace

MIB = 2**20
CARDS = ("GPU-aaaa", "GPU-bbbb")


class FakeNvml:
    """Cards by UUID, each with total and free MiB; as in NVML, nothing answers unless it is open.

    `used_mj` of a card is its energy counter; a card that is not in it has none. `parts` of a card are what it is
    divided into (MIG), by index UUID, total and free MiB; None: it could be, and is not. `lost` ones do not answer.
    """

    class NVMLError(Exception):
        pass

    def __init__(self, cards, parts=()):
        self.cards, self.parts = dict(cards), dict(parts)
        self.used_mj = {}
        self.opened = 0
        self.fails = False
        self.lost = set()

    def nvmlInit(self):
        self.opened += 1

    def nvmlShutdown(self):
        self.opened -= 1

    def nvmlDeviceGetCount(self):
        return len(self._all())

    def nvmlDeviceGetHandleByIndex(self, index):
        if self._all()[index] in self.lost:
            raise self.NVMLError("GPU is lost")
        return self._all()[index]

    def nvmlDeviceGetHandleByUUID(self, uuid):
        if uuid not in [*self._all(), *self._memory_of_parts()]:
            raise self.NVMLError("Not Found")
        return uuid

    def nvmlDeviceGetUUID(self, handle):
        assert handle in [*self._all(), *self._memory_of_parts()]
        return handle

    def nvmlDeviceGetMigMode(self, handle):
        assert handle in self._all()
        if handle not in self.parts:
            raise self.NVMLError("Not Supported")
        return [int(self.parts[handle] is not None)] * 2

    def nvmlDeviceGetMaxMigDeviceCount(self, handle):
        assert handle in self._all()
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle, index):
        assert handle in self._all()
        if index not in self.parts[handle]:
            raise self.NVMLError("Not Found")
        return self.parts[handle][index][0]

    def nvmlSystemGetDriverVersion(self):
        self._all()
        return "570.1"

    def nvmlDeviceGetMemoryInfo(self, handle):
        if self.parts.get(handle) is not None:
            raise self.NVMLError("Insufficient Permissions")  # of a whole that is divided, for all but root
        total, free = ({card: self.cards[card] for card in self._all()} | self._memory_of_parts())[handle]
        return SimpleNamespace(total=total * MIB, free=free * MIB, used=(total - free) * MIB)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        assert handle in self._all()
        if handle not in self.used_mj:
            raise self.NVMLError("Not Supported")
        return self.used_mj[handle]

    def _memory_of_parts(self):
        return {uuid: memory for parts in self.parts.values() for uuid, *memory in (parts or {}).values()}

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
