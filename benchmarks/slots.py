"""Training images per second of two one-thread slots against one, turn by turn.

Two processes set up as a worker's slots train the same config on resident made-up images. An epoch of one of them while
the other waits, then an epoch of both at once, and so on; which one is alone changes from pair to pair. What both did
counts until the later one is done. By the wall the ratio needs a machine that nobody else uses; by CPU time it says
what the two cost each other in caches and memory, and holds on a machine with other work too.

What the machine itself gives is measured the same way: products of matrices that stay in a core's own cache, and copies
of 64 MiB through the memory that both cores share. Trainings lie between the two.

    python -m benchmarks.slots --images 8192
"""

import argparse
import statistics

from benchmarks.measures import Measure, add_save, conclude
from benchmarks.trainings import SHARE, as_slot
from benchmarks.turns import InTurns, Lap, together, warm

BARE_CALLS = {"products": 16_384, "copies": 64}
"""Of each piece of work in a turn, for as many images as the default."""


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
        measures += compared(variant, options.images // SHARE[variant], options.rounds, of="images", goal=">= 1.9")
    for name, calls in BARE_CALLS.items():
        measures += compared(name, max(1, calls * options.images // 8192), options.rounds, of="calls")
    conclude("slots", measures, save=options.save)


def compared(name: str, number: int, rounds: int, *, of: str, goal: str = "") -> list[Measure]:
    """Of a variant, or of a name of `BARE`; `number` of images or calls in each turn."""
    with InTurns((name, number)) as first, InTurns((name, number)) as second:
        slots = (first, second)
        warm(slots)
        one, two = [], []
        for turn in range(rounds):
            one.append(together([slots[turn % 2]]))
            two.append(together(slots))
    alone, both = [rate(number, laps) for laps in one], [rate(number, laps) for laps in two]
    ratios = tuple(of_two / of_one for of_one, of_two in zip(alone, both, strict=True))
    by_core = tuple(
        2 * of_one.cpu_s / statistics.fmean(lap.cpu_s for lap in of_two)
        for (of_one,), of_two in zip(one, two, strict=True)
    )
    return [
        Measure(what=f"{name}, two slots / one", unit="ratio", values=ratios, goal=goal),
        Measure(what=f"{name}, two slots / one, by CPU time", unit="ratio", values=by_core),
        Measure(what=f"{name}, one slot", unit=f"{of}/s", values=tuple(alone)),
        Measure(what=f"{name}, two slots", unit=f"{of}/s", values=tuple(both)),
    ]


def rate(number: int, laps: list[Lap]) -> float:
    """Images or calls per second of all of them, so many each, until the last one is done."""
    return number * len(laps) / max(lap.wall_s for lap in laps)


if __name__ == "__main__":
    main()
