"""Training images per second of two one-thread slots against one, turn by turn.

Two processes set up as a worker's slots train the same config on resident made-up images. An epoch of one of them while
the other waits, then an epoch of both at once, and so on; which one is alone changes from pair to pair. What both did
counts until the later one is done. By the wall the ratio needs a machine that nobody else uses; by CPU time it says
what the two cost each other in caches and memory, and holds on a machine with other work too.

    python -m benchmarks.slots --images 8192
"""

import argparse
import statistics

from benchmarks.measures import Measure, add_save, conclude
from benchmarks.trainings import SHARE, as_slot
from benchmarks.turns import InTurns, Lap, together, warm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=8192, help="for the baseline; slow networks take fewer")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of turns that count")
    parser.add_argument("--variant", choices=SHARE, action="append", help="default: baseline and both_augmented")
    add_save(parser)
    options = parser.parse_args()
    as_slot()
    measures = []
    for variant in options.variant or ("baseline", "both_augmented"):
        measures += compared(variant, options.images // SHARE[variant], options.rounds)
    conclude("slots", measures, save=options.save)


def compared(variant: str, images: int, rounds: int) -> list[Measure]:
    with InTurns((variant, images)) as first, InTurns((variant, images)) as second:
        slots = (first, second)
        warm(slots)
        one, two = [], []
        for turn in range(rounds):
            one.append(together([slots[turn % 2]]))
            two.append(together(slots))
    alone, both = [rate(images, laps) for laps in one], [rate(images, laps) for laps in two]
    ratios = tuple(of_two / of_one for of_one, of_two in zip(alone, both, strict=True))
    by_core = tuple(
        2 * of_one.cpu_s / statistics.fmean(lap.cpu_s for lap in of_two)
        for (of_one,), of_two in zip(one, two, strict=True)
    )
    return [
        Measure(what=f"{variant}, two slots / one", unit="ratio", values=ratios, goal=">= 1.9"),
        Measure(what=f"{variant}, two slots / one, by CPU time", unit="ratio", values=by_core),
        Measure(what=f"{variant}, one slot", unit="images/s", values=tuple(alone)),
        Measure(what=f"{variant}, two slots", unit="images/s", values=tuple(both)),
    ]


def rate(images: int, laps: list[Lap]) -> float:
    """Images per second of all of them, `images` each, until the last one is done."""
    return images * len(laps) / max(lap.wall_s for lap in laps)


if __name__ == "__main__":
    main()
