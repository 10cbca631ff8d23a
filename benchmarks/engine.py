"""Training images per second on one CPU thread, or on a card: bench's engine and a script written by hand, in turns.

Both train the same networks of the built-in suite on the same made-up images, each in a process of its own: ours as in
a worker's slot, the script as a user starts it. After each epoch of the one follows an epoch of the other, so that
whatever else the machine does meets both. The first pair is not counted.
Only training is timed: no checkpoint, no validation but for two images. What counts is the ratio within a pair, plain
over bench; by CPU time it holds on a machine that others use too. On a card (`--device cuda`) the clock on the wall
counts, our side trains in each `--precision` that is asked for, and the script does what PyTorch does unasked: its
convolutions round to TF32.

    python -m benchmarks.engine --images 2048
    python -m benchmarks.engine --device cuda --images 8000 --precision float32 --precision bfloat16
"""

import argparse
import multiprocessing
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import get_args

import torch

from benchmarks.measures import Measure, add_save, conclude
from benchmarks.plain import NETWORKS, PlainTraining, Source
from benchmarks.trainings import CLASSES, SHARE, as_slot, config_of, made_up, to_train_on, write_classes
from benchmarks.turns import Lap, Stopwatch
from db.records import EpochRecord
from models import describe
from scheduler.config import Precision
from worker.engine import Hooks, train
from worker.splits import Part

FEWEST = CLASSES * max(SHARE.values())
GOALS = {
    "cpu": {"baseline": ">= 3", "both_augmented": ">= 3", "advanced": ">= 1.8", "resnet": ">= 1.5"},
    "cuda": {"baseline": ">= 20", "both_augmented": "", "advanced": ">= 8", "resnet": ">= 4"},
}


@dataclass(slots=True)
class Pairs:
    """One epoch each, ours and theirs, pair by pair."""

    images: int
    bench: list[Lap] = field(default_factory=list)
    plain: list[Lap] = field(default_factory=list)

    def measures(self, variant: str, device: str, precision: Precision) -> list[Measure]:
        pairs = list(zip(self.plain, self.bench, strict=True))
        by_core = tuple(plain.cpu_s / bench.cpu_s for plain, bench in pairs)
        by_wall = tuple(plain.wall_s / bench.wall_s for plain, bench in pairs)
        name, goal = f"{variant}, {self.images:,} images", GOALS[device][variant]
        if device == "cuda":
            name += f", {precision}"
        wall = Measure(what=f"{name}, by the wall", unit="ratio", values=by_wall, goal=goal)
        core = Measure(what=f"{name}, by CPU time", unit="ratio", values=by_core, goal=goal)
        unit = "images/s" if device == "cuda" else "images/CPU s"
        return [
            *([wall] if device == "cuda" else [core, wall]),
            Measure(what=f"{name}, plain script", unit=unit, values=self.rates(self.plain, device)),
            Measure(what=f"{name}, bench", unit=unit, values=self.rates(self.bench, device)),
        ]

    def rates(self, laps: list[Lap], device: str) -> tuple[float, ...]:
        return tuple(self.images / (lap.wall_s if device == "cuda" else lap.cpu_s) for lap in laps)


@dataclass(slots=True)
class Turns:
    """After each epoch of ours, one of theirs."""

    other: "Connection[bool, Lap]"
    pairs: Pairs
    watch: Stopwatch

    def then_the_other(self, record: EpochRecord) -> None:
        ours = Lap(record.train_s, self.watch.lap().cpu_s)
        self.other.send(True)
        theirs = self.other.recv()
        if record.epoch > 1:
            self.pairs.bench.append(ours)
            self.pairs.plain.append(theirs)
        self.watch = Stopwatch()


def serve(
    turns: "Connection[Lap | int, bool]", variant: str, part: Part, folder: Path, source: Source, device: torch.device
) -> None:
    """The script's process: says how many parameters it trains, then an epoch for each word, until there is none."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    plain = PlainTraining(variant, part, folder, source, device)
    turns.send(sum(weight.numel() for weight in plain.model.parameters()))
    while turns.recv():
        watch = Stopwatch()
        plain.run_epoch()
        turns.send(watch.lap())


def compare(
    variant: str,
    images: int,
    rounds: int,
    source: Source,
    folder: Path,
    device: torch.device,
    given: Sequence[Precision],
) -> list[Pairs]:
    """For each precision an epoch of ours, an epoch of theirs, `rounds` times after a first pair that warms both up."""
    part, config = made_up(images, 1), config_of(variant, epochs=rounds + 1)
    if source == "folder":
        write_classes(part, folder)
    ours, theirs = multiprocessing.Pipe()
    # not forked: it must not have what was set and loaded here
    told = (theirs, variant, part, folder, source, device)
    other = multiprocessing.get_context("spawn").Process(target=serve, args=told)
    other.start()
    theirs.close()  # so that its end is noticed here
    assert describe(config.model, classes=CLASSES, arguments=config.arguments).parameters == ours.recv()
    found = []
    for precision in given:
        turns = Turns(ours, Pairs(images), Stopwatch())
        in_this = config.model_copy(update={"precision": precision})
        train(in_this, 1, to_train_on(part), device=device, hooks=Hooks(on_epoch=turns.then_the_other))
        found.append(turns.pairs)
    ours.send(False)
    other.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--images", type=int, default=2048, help="for the baseline, 160 or more; slow networks take fewer on a CPU"
    )
    parser.add_argument("--rounds", type=int, default=5, help="pairs of epochs that count")
    parser.add_argument("--variant", choices=NETWORKS, action="append", help="may be repeated; default: all four")
    parser.add_argument(
        "--source", choices=["folder", "memory"], default="folder", help="what the script written by hand reads"
    )
    parser.add_argument("--device", choices=GOALS, default="cpu")
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        action="append",
        help="of our side; may be repeated; default: float32",
    )
    add_save(parser)
    options = parser.parse_args()
    device = torch.device(options.device)
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("this machine has no CUDA device")
    if options.images < FEWEST:
        parser.error(f"--images {options.images} leaves a class without an image; give {FEWEST} or more")
    as_slot()
    print(f"{options.device}, one thread of the host; the plain script reads from {options.source}")
    measures = []
    given = options.precision or ["float32"]
    for variant in options.variant or NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            images = options.images // (1 if options.device == "cuda" else SHARE[variant])
            found = compare(variant, images, options.rounds, options.source, Path(folder), device, given)
        for precision, pairs in zip(given, found, strict=True):
            measures += pairs.measures(variant, options.device, precision)
    name = "engine" if options.source == "folder" else "engine, images in memory"
    conclude(name, measures, save=options.save, device=options.device)


if __name__ == "__main__":
    main()
