"""How time grows with the data: seconds of an epoch, and of loading, at 1, 2 and 5 times the images.

Epochs of the baseline are trained turn by turn, each size in a process like a worker's slot. An image folder of each
size is loaded twice a round: read from its PNG files, which makes the copy as arrays, then from that copy; both hold
the listing of the files and the split. Ratios are those of one round, per image and by CPU time; 1 is growth in step.

    python -m benchmarks.growth --images 2048
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measures import Measure, add_save, conclude
from benchmarks.trainings import as_slot, write_dataset
from benchmarks.turns import InTurns, Lap, Stopwatch, together, warm
from scheduler.config import Config
from worker.datasets import load_splits

TIMES = (1, 2, 5)
FEWEST = 100  # of which a fifth, one for each class, is the validation part
Laps = Mapping[int, Sequence[Lap]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2048, help="of the smallest data set, at least 100")
    parser.add_argument("--rounds", type=int, default=5, help="epochs, and loadings, of each size that count")
    add_save(parser)
    options = parser.parse_args()
    if options.images < FEWEST:
        parser.error(f"--images {options.images} is too few to split; give {FEWEST} or more")
    as_slot()
    sizes = [options.images * times for times in TIMES]
    measures = told("an epoch", epochs(sizes, options.rounds))
    with tempfile.TemporaryDirectory(prefix="bench-growth-") as folder:
        read, copied = loadings(sizes, options.rounds, Path(folder))
    measures += told("loading, from the images", read) + told("loading, from the copy", copied)
    conclude("growth", measures, save=options.save)


def epochs(sizes: Sequence[int], rounds: int) -> Laps:
    """Of the baseline, by the number of images."""
    laps: dict[int, list[Lap]] = {size: [] for size in sizes}
    with ExitStack() as stack:
        trainings = {size: stack.enter_context(InTurns(("baseline", size))) for size in sizes}
        warm(list(trainings.values()))
        for _ in range(rounds):
            for size, training in trainings.items():
                laps[size] += together([training])
    return laps


def loadings(sizes: Sequence[int], rounds: int, folder: Path) -> tuple[Laps, Laps]:
    """From the images and from the copy, by their number. The first round, which loads libraries, does not count."""
    names = {size: write_dataset(size, folder / f"{size}") for size in sizes}
    read: dict[int, list[Lap]] = {size: [] for size in sizes}
    copied: dict[int, list[Lap]] = {size: [] for size in sizes}
    for turn in range(rounds + 1):
        for size, name in names.items():
            for laps in (read, copied):
                lap = loaded(name, folder / f"cache {turn}")
                if turn:
                    laps[size].append(lap)
    return read, copied


def loaded(name: str, cache: Path) -> Lap:
    watch = Stopwatch()
    load_splits(Config.parse({"dataset": name}), data_dir=cache, cache_dir=cache)
    return watch.lap()


def told(what: str, laps: Laps) -> list[Measure]:
    """For each size seconds and microseconds for an image, and how the latter differ from those of the smallest."""
    smallest, *_ = laps
    measures = []
    for size, own in laps.items():
        name = f"{what}, {size:,} images"
        measures += [
            Measure(what=name, unit="s", values=tuple(lap.wall_s for lap in own)),
            Measure(what=name, unit="CPU us/image", values=tuple(lap.cpu_s / size * 1e6 for lap in own)),
        ]
        if size != smallest:
            ratios = tuple(
                lap.cpu_s / size / (least.cpu_s / smallest) for lap, least in zip(own, laps[smallest], strict=True)
            )
            measures.append(Measure(what=f"{name} / {smallest:,}, per image", unit="ratio", values=ratios))
    return measures


if __name__ == "__main__":
    main()
