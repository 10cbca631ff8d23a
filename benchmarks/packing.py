"""Images per second of several trainings at once on one card, against one alone, turn by turn.

In three ways: processes, as a worker's slots are; processes under NVIDIA's Multi-Process Service, which lets their
kernels run side by side, where otherwise the driver gives each process a slice of time; threads of one process with a
stream each, where one job that breaks the CUDA context would take the others with it. First one training does an epoch,
then several do one at once, and so on; what they did counts until the last one is done. A ratio is that of one round.

    python -m benchmarks.packing --rounds 3
"""

import argparse
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from multiprocessing.connection import Connection
from types import TracebackType

import torch

from benchmarks.measures import Measure, add_save, conclude
from benchmarks.slots import rate
from benchmarks.trainings import as_slot
from benchmarks.turns import InTurns, Lap, together, train_in_turns, warm

IMAGES = {"baseline": 8_192, "advanced": 2_048, "resnet": 2_048}
PLAIN, MPS, THREADS = "processes", "processes under MPS", "threads"
_CONTROL = "nvidia-cuda-mps-control"


class InThread(InTurns):
    """The same in a thread of this process, with a stream of its own."""

    def __init__(self, *given: tuple[str, int]) -> None:
        self._words, theirs = multiprocessing.Pipe()
        self._thread = threading.Thread(target=_serve, args=(theirs, given), daemon=True)
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._words.send(False)
            self._thread.join()


def _serve(words: "Connection[Lap, bool]", given: Sequence[tuple[str, int]]) -> None:
    with torch.cuda.stream(torch.cuda.Stream()):  # type: ignore[no-untyped-call] # torch has no types here
        for variant, images in given:
            train_in_turns(words, variant, images, torch.device("cuda"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="turns that count")
    parser.add_argument("--at-once", type=int, action="append", help="may be repeated; default: 2, 4 and 8")
    parser.add_argument("--variant", choices=IMAGES, action="append", help="may be repeated; default: all three")
    parser.add_argument("--way", choices=[PLAIN, MPS, THREADS], action="append", help="may be repeated; default: all")
    add_save(parser)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("this machine has no CUDA device")
    as_slot()
    for way in options.way or (PLAIN, MPS, THREADS):
        if way == MPS and not shutil.which(_CONTROL):
            print(f"{way}: not measured, {_CONTROL} is not here")
            continue
        measures = packed(way, options.variant or [*IMAGES], options.at_once or [2, 4, 8], options.rounds)
        conclude(f"packing {way}", measures, save=options.save, device="cuda")


def packed(way: str, variants: Sequence[str], counts: Sequence[int], rounds: int) -> list[Measure]:
    """One training alone, and several at once, of each variant."""
    given = [(variant, IMAGES[variant]) for variant in variants]
    measures: list[Measure] = []
    with ExitStack() as stack:
        environment = stack.enter_context(mps() if way == MPS else nullcontext({}))
        trainings: list[InTurns] = []
        for _ in range(max(counts)):
            one = InThread(*given) if way == THREADS else InTurns(*given, device="cuda", environment=environment)
            trainings.append(stack.enter_context(one))
            if way == THREADS:
                warm([one])  # one captures its graph at a time
        if way != THREADS:
            warm(trainings)
        for number, (variant, images) in enumerate(given):
            for one in trainings if number else ():
                one.next()
                if way == THREADS:
                    warm([one])
            if number and way != THREADS:
                warm(trainings)
            measures += measured(f"{variant}, {way}", images, trainings, counts, rounds)
    return measures


def measured(what: str, images: int, trainings: Sequence[InTurns], counts: Sequence[int], rounds: int) -> list[Measure]:
    rates: dict[int, list[float]] = {count: [] for count in (1, *counts)}
    for _ in range(rounds):
        for count, found in rates.items():
            found.append(rate(images, together(trainings[:count])))
    alone = Measure(what=f"{what}, one alone", unit="images/s", values=tuple(rates[1]))
    ratios = {count: tuple(ours / one for ours, one in zip(rates[count], rates[1], strict=True)) for count in counts}
    return [alone, *(Measure(what=f"{what}, {n} / one", unit="ratio", values=values) for n, values in ratios.items())]


@contextmanager
def mps() -> Iterator[dict[str, str]]:
    """NVIDIA's service, for processes with this environment only."""
    with tempfile.TemporaryDirectory(prefix="bench-mps-", ignore_cleanup_errors=True) as folder:
        own = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        subprocess.run([_CONTROL, "-d"], env=os.environ | own, check=True)
        try:
            yield own
        finally:
            subprocess.run([_CONTROL], env=os.environ | own, input=b"quit\n", check=True)


if __name__ == "__main__":
    main()
