"""Training images per second on one CPU thread: bench's engine and a script written by hand, turn by turn.

Both train the same networks of the built-in suite on the same made-up images, each in a process of its own: ours as in
a worker's slot, the script as a user starts it. After each epoch of the one follows an epoch of the other, so that
whatever else the machine does meets both. The first pair is not counted.
Only training is timed: no checkpoint, no validation but for two images. What counts is the ratio within a pair; by CPU
time it holds on a machine that others use too.

    python -m benchmarks.engine --images 2048
"""

import argparse
import multiprocessing
import platform
import statistics
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
from PIL import Image

from benchmarks.plain import CLASSES, NETWORKS, PlainTraining, Source
from db.records import EpochRecord
from models import describe
from scheduler.suite import load_suite
from worker.allocator import keep_freed_memory
from worker.engine import Hooks, train
from worker.environment import environment
from worker.splits import Part, Splits

SHARE = {"baseline": 1, "both_augmented": 2, "advanced": 8, "resnet": 8}
"""The slow networks train on one image in so many, so that each of them takes about as long."""


@dataclass(slots=True)
class Lap:
    """Seconds of one epoch: by the clock on the wall, and those in which this process had a core.

    Ours hold in the latter the validation of two images and a copy of the best weights too.
    """

    wall_s: float
    cpu_s: float


@dataclass(slots=True)
class Pairs:
    """One epoch each, ours and theirs, pair by pair."""

    images: int
    bench: list[Lap] = field(default_factory=list)
    plain: list[Lap] = field(default_factory=list)

    def row(self, variant: str) -> str:
        wall = [plain.wall_s / bench.wall_s for bench, plain in zip(self.bench, self.plain, strict=True)]
        cpu = [plain.cpu_s / bench.cpu_s for bench, plain in zip(self.bench, self.plain, strict=True)]
        rates = [self.images / statistics.median(lap.cpu_s for lap in laps) for laps in (self.plain, self.bench)]
        return (
            f"{variant:<15} {self.images:>6} {rates[0]:>8.0f} {rates[1]:>8.0f}   "
            f"{_spread(cpu)}   {_spread(wall)} {len(cpu):>3}"
        )


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):>5.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"


@dataclass(slots=True)
class Turns:
    """After each epoch of ours, one of theirs."""

    other: "Connection[bool, Lap]"
    pairs: Pairs
    resumed_cpu_s: float = 0.0

    def then_the_other(self, record: EpochRecord) -> None:
        ours = Lap(record.train_s, process_time() - self.resumed_cpu_s)
        self.other.send(True)
        theirs = self.other.recv()
        if record.epoch > 1:
            self.pairs.bench.append(ours)
            self.pairs.plain.append(theirs)
        self.resumed_cpu_s = process_time()


def serve(turns: "Connection[Lap | int, bool]", variant: str, part: Part, folder: Path, source: Source) -> None:
    """The script's process: says how many parameters it trains, then an epoch for each word, until there is none."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    plain = PlainTraining(variant, part, folder, source)
    turns.send(sum(weight.numel() for weight in plain.model.parameters()))
    while turns.recv():
        begun_s, begun_cpu_s = perf_counter(), process_time()
        plain.run_epoch()
        turns.send(Lap(perf_counter() - begun_s, process_time() - begun_cpu_s))


def made_up(images: int, seed: int) -> Part:
    """Noise in the shape of CIFAR's pictures; neither side's speed depends on what is in them."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (images, 3, 32, 32), dtype=np.uint8)
    return Part(pixels, np.arange(images, dtype=np.int64) % CLASSES)


def write_folder(part: Part, folder: Path) -> None:
    """The same images as PNG files, one folder for each class."""
    for label in range(CLASSES):
        (folder / f"{label:02d}").mkdir(parents=True)
    for number, (image, label) in enumerate(zip(part.images, part.labels, strict=True)):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{label:02d}" / f"{number:06d}.png")


def compare(variant: str, images: int, rounds: int, source: Source, folder: Path) -> Pairs:
    """An epoch of ours, an epoch of theirs, `rounds` times after a first pair that warms both up."""
    part, few = made_up(images, 1), made_up(2, 2)
    if source == "folder":
        write_folder(part, folder)
    splits = Splits(
        name="made up", fingerprint="", classes=tuple(map(str, range(CLASSES))), train=part, val=few, test=few
    )
    given = load_suite().variants[variant].config
    config = given.model_copy(update={"epochs": rounds + 1, "early_stopping_patience": 0})
    ours, theirs = multiprocessing.Pipe()
    # not forked: it must not have what was set and loaded here
    other = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, variant, part, folder, source))
    other.start()
    assert describe(config.model, classes=CLASSES, arguments=config.arguments).parameters == ours.recv()
    turns = Turns(ours, Pairs(images), process_time())
    train(config, 1, splits, device=torch.device("cpu"), hooks=Hooks(on_epoch=turns.then_the_other))
    ours.send(False)
    other.join()
    return turns.pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2048, help="for the baseline; slow networks take fewer")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of epochs that count")
    parser.add_argument("--variant", choices=NETWORKS, action="append", help="may be repeated; default: all four")
    parser.add_argument(
        "--source", choices=["folder", "memory"], default="folder", help="what the script written by hand reads"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    here = environment("cpu")
    print(f"{here['cpu']}, {here['cores']} cores, one thread used; torch {torch.__version__}, Python {here['python']},")
    print(f"{platform.system()}, {datetime.now(UTC):%Y-%m-%d}; plain script reads from {options.source}")
    print("images per second of CPU time, their ratio in a pair by CPU time and by the wall: median [least, most]")
    print(
        f"{'variant':<15} {'images':>6} {'plain':>8} {'bench':>8}   {'by CPU time':<19}  {'by the wall':<19} {'n':>2}"
    )
    for variant in options.variant or NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            images = options.images // SHARE[variant]
            print(compare(variant, images, options.rounds, options.source, Path(folder)).row(variant), flush=True)


if __name__ == "__main__":
    main()
