"""3x3 convolutions by tiles against PyTorch's own, forward and backward together, by CPU time.

In turns, in one process set up as a slot, of the same images and weights in channels_last: each side for a fifth of a
second, one call at least. A ratio is that of one turn, PyTorch's over ours: above 1 the tiles are faster. The shapes
are those of the built-in networks' layers that go by tiles, or close to them.

    python -m benchmarks.convolutions --rounds 15
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.measures import Measure, add_save, conclude
from benchmarks.trainings import as_slot
from benchmarks.turns import Stopwatch
from models._winograd import Conv3x3


class Shape(NamedTuple):
    batch: int
    inputs: int
    outputs: int
    side: int

    def __str__(self) -> str:
        return ", ".join(map(str, self))


SHAPES = (
    Shape(32, 32, 64, 16),
    Shape(32, 64, 64, 32),
    Shape(32, 64, 128, 16),
    Shape(32, 256, 256, 8),
    Shape(256, 64, 64, 32),
    Shape(256, 128, 128, 16),
    Shape(256, 256, 256, 8),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="turns that count")
    parser.add_argument("--shapes", type=int, default=len(SHAPES), help="so many of them, the first ones")
    parser.add_argument("--turn-s", type=float, default=0.2, help="seconds of one side's turn, at least one call")
    add_save(parser)
    options = parser.parse_args()
    as_slot()
    measures = [one for shape in SHAPES[: options.shapes] for one in measured(shape, options.rounds, options.turn_s)]
    conclude("convolutions", measures, save=options.save)


def measured(shape: Shape, rounds: int, turn_s: float) -> list[Measure]:
    """Named by batch, inputs, outputs and side."""
    ours = Conv3x3(shape.inputs, shape.outputs).to(memory_format=torch.channels_last)
    theirs = nn.Conv2d(shape.inputs, shape.outputs, 3, padding=1).to(memory_format=torch.channels_last)
    theirs.load_state_dict(ours.state_dict())
    given = torch.randn(shape.batch, shape.inputs, shape.side, shape.side).to(memory_format=torch.channels_last)
    grad = torch.randn(shape.batch, shape.outputs, shape.side, shape.side).to(memory_format=torch.channels_last)
    both = [
        (milliseconds(theirs, given, grad, turn_s), milliseconds(ours, given, grad, turn_s)) for _ in range(rounds + 1)
    ]
    torchs, tiles = zip(*both[1:], strict=True)  # the first turn warms up
    return [
        Measure(what=f"{shape}: PyTorch", unit="CPU ms", values=torchs),
        Measure(what=f"{shape}: by tiles", unit="CPU ms", values=tiles),
        Measure(what=f"{shape}: PyTorch / by tiles", unit="ratio", values=tuple(a / b for a, b in both[1:])),
    ]


def milliseconds(layer: Callable[[Tensor], Tensor], given: Tensor, grad: Tensor, turn_s: float) -> float:
    """Of one call and its gradients of images, weights and bias."""
    watch, calls = Stopwatch(), 0
    while True:
        images = given.detach().requires_grad_()
        layer(images).backward(grad)
        calls += 1
        lap = watch.lap()
        if lap.cpu_s >= turn_s:
            return 1000 * lap.cpu_s / calls


if __name__ == "__main__":
    main()
