"""Microseconds of a training step on a card, captured as a graph and step by step; what deterministic kernels cost.

Each round trains two epochs in every way, in turns, and counts the second one, as the first warms up and captures. With
free kernels cuDNN may take those that do not give the same numbers each time, which bench never lets it; what is said
of them is the time of the usual ones over theirs. On a CPU nothing is captured, and all ways are one.

    python -m benchmarks.graph --images 4000 --rounds 3
"""

import argparse
from typing import get_args

import torch

from benchmarks.measures import Measure, add_save, conclude
from benchmarks.trainings import as_slot, config_of, made_up, to_train_on
from db.records import EpochRecord
from scheduler.config import Precision
from scheduler.lengths import batches
from worker.engine import Hooks, train

VARIANTS = ("baseline", "both", "both_augmented", "advanced", "resnet")
CAPTURED, PLAIN, FREE = "captured", "step by step", "captured, free kernels"
_GOAL = "<= 1.05"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000, help="of an epoch")
    parser.add_argument("--rounds", type=int, default=3, help="turns that count")
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="may be repeated; default: all five")
    parser.add_argument(
        "--precision", choices=get_args(Precision), action="append", help="may be repeated; default: float32"
    )
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    add_save(parser)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("this machine has no CUDA device")
    as_slot()
    measures = [
        measure
        for variant in options.variant or VARIANTS
        for precision in options.precision or ["float32"]
        for measure in measured(variant, precision, options.images, options.rounds, torch.device(options.device))
    ]
    conclude("graph", measures, save=options.save, device=options.device)


def measured(variant: str, precision: Precision, images: int, rounds: int, device: torch.device) -> list[Measure]:
    turns = []
    for number in range(rounds + 1):
        turn = {way: step_us(variant, precision, images, device, way) for way in (CAPTURED, PLAIN, FREE)}
        if number:  # the first one warms up
            turns.append(turn)
    name = f"{variant}, {precision}"

    def ratio(what: str, over: str, under: str, goal: str = "") -> Measure:
        values = tuple(turn[over] / turn[under] for turn in turns)
        return Measure(what=f"{name}: {what}", unit="ratio", values=values, goal=goal)

    return [
        *(
            Measure(what=f"{name}, {way}", unit="us/step", values=tuple(turn[way] for turn in turns))
            for way in turns[0]
        ),
        ratio("step by step / captured", PLAIN, CAPTURED),
        ratio("deterministic / free kernels", CAPTURED, FREE, _GOAL),
    ]


def step_us(variant: str, precision: Precision, images: int, device: torch.device, way: str) -> float:
    given = config_of(variant, epochs=2).model_copy(update={"precision": precision})
    records: list[EpochRecord] = []

    def let_free() -> bool:
        if way == FREE:  # asked before each step, so also before the first one, which chooses
            torch.backends.cudnn.deterministic = False
        return False

    hooks = Hooks(on_epoch=records.append, should_stop=let_free)
    train(given, 1, to_train_on(made_up(images, 1)), device=device, hooks=hooks, graph=way != PLAIN)
    return 1e6 * records[-1].train_s / batches(images, given.batch_size)


if __name__ == "__main__":
    main()
