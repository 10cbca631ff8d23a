"""How much of a training step its convolutions and matrix products are, and where the rest of its seconds go.

The bound: forward and backward of each convolution and dense layer alone, in the shapes that the network meets in the
same epoch; once with the network's own modules, once with PyTorch's `nn.Conv2d` in their place. Turn by turn: an epoch
of the engine, then the products of as many steps. share = bound / epoch, by CPU time; 1 would be an epoch that does
nothing else. Then epochs under PyTorch's profiler, whose seconds are sorted by the kind of layer that caused them; it
makes each operation dearer, so small operations weigh more in that table than they do without it.

    python -m benchmarks.bound --images 2048
"""

import argparse
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.measures import Measure, add_save, conclude
from benchmarks.seconds import GROUPS, seconds_by_group
from benchmarks.trainings import CLASSES, CPU, SHARE, as_slot, config_of, made_up, to_train_on
from benchmarks.turns import Lap, Stopwatch
from models import describe
from worker.engine import Hooks, Training
from worker.stopwatch import Stopwatch as EpochWatch


@dataclass(frozen=True, slots=True)
class Met:
    """A layer's module and the shape of a batch that it met; `wants_grad` for all but the first layer."""

    layer: nn.Module
    shape: tuple[int, ...]
    wants_grad: bool


@dataclass(frozen=True, slots=True)
class Product:
    """A layer by itself, with numbers to work on, as often as in an epoch."""

    layer: nn.Module
    given: Tensor
    of_out: Tensor
    times: int

    def run(self) -> None:
        for _ in range(self.times):
            self.layer.zero_grad(set_to_none=True)
            self.given.grad = None
            torch.autograd.backward(self.layer(self.given), self.of_out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2048, help="for the baseline; slow networks take fewer")
    parser.add_argument("--rounds", type=int, default=5, help="turns that count, and epochs under the profiler")
    parser.add_argument("--variant", choices=SHARE, action="append", help="may be repeated; default: all four")
    add_save(parser)
    options = parser.parse_args()
    if options.images < 2 * max(SHARE.values()):
        parser.error(f"--images {options.images} is too few for batch norm; give {2 * max(SHARE.values())} or more")
    as_slot()
    measures = []
    for variant in options.variant or SHARE:
        training = training_of(variant, options.images // SHARE[variant])
        measures += shares(variant, training, options.rounds) + table(variant, training, options.rounds)
    conclude("bound", measures, save=options.save)


def training_of(variant: str, images: int) -> Training:
    """Ready for its first epoch, and every `run_epoch` trains that one again: the same steps each time."""
    splits = to_train_on(made_up(images, 1))
    training = Training(config_of(variant, epochs=1), 1, splits, CPU, Hooks())
    epoch_of(training)
    return training


def epoch_of(training: Training) -> None:
    training.run_epoch(EpochWatch(CPU))


def shares(variant: str, training: Training, rounds: int) -> list[Measure]:
    """The bound's part of an epoch, and both in milliseconds a step."""
    met = products_met(training)
    ours = [product(one, times, copy.deepcopy(one.layer)) for one, times in met.items()]
    theirs = [product(one, times, plain(one.layer)) for one, times in met.items()]
    run_all(ours), run_all(theirs)
    epochs, bounds, plain_bounds = [], [], []
    for _ in range(rounds):
        epochs.append(timed(lambda: epoch_of(training)).cpu_s)
        bounds.append(timed(lambda: run_all(ours)).cpu_s)
        plain_bounds.append(timed(lambda: run_all(theirs)).cpu_s)
    steps = len(training.bounds)
    measures = []
    for name, alone in (("own products", bounds), ("nn.Conv2d and dense", plain_bounds)):
        share = tuple(bound_s / epoch_s for bound_s, epoch_s in zip(alone, epochs, strict=True))
        measures.append(Measure(what=f"{variant}, {name} / step", unit="ratio", values=share))
        measures.append(Measure(what=f"{variant}, {name}", unit="CPU ms/step", values=a_step(alone, steps)))
    return [*measures, Measure(what=f"{variant}, a step", unit="CPU ms/step", values=a_step(epochs, steps))]


def a_step(seconds: list[float], steps: int) -> tuple[float, ...]:
    return tuple(1000 * epoch_s / steps for epoch_s in seconds)


def products_met(training: Training) -> Counter[Met]:
    """What an epoch multiplies, and how often each; all of the network's products are among it, or this fails."""
    met: Counter[Met] = Counter()

    def note(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        met[Met(layer, tuple(given[0].shape), given[0].requires_grad)] += 1

    with hooked(training.model, note):
        epoch_of(training)
    config = training.config
    counted = describe(config.model, classes=CLASSES, arguments=config.arguments).flops * training.number
    assert sum(flops(one) * times for one, times in met.items()) == counted, "some products of the network were not met"
    return met


@contextmanager
def hooked(model: nn.Module, note: Callable[[nn.Module, tuple[Tensor, ...]], None]) -> Iterator[None]:
    """Meanwhile `note` hears of each convolution and dense layer, before it works."""
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_pre_hook(note) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def flops(met: Met) -> int:
    """Of one forward pass, two per multiply-add: each output pixel takes all of its filter."""
    with torch.device("meta"):
        out = plain(met.layer).to("meta")(torch.empty(met.shape))
    weight = met.layer.weight
    return 2 * out.numel() * weight[0].numel()


def plain(layer: nn.Module) -> nn.Module:
    """PyTorch's own layer for the same product."""
    if isinstance(layer, nn.Linear):
        return copy.deepcopy(layer)
    assert isinstance(layer, nn.Conv2d)
    own = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        bias=layer.bias is not None,
    )
    return own.to(memory_format=torch.channels_last)


def product(met: Met, times: int, layer: nn.Module) -> Product:
    given = torch.randn(met.shape)
    if given.dim() == 4:
        given = given.contiguous(memory_format=torch.channels_last)
    given.requires_grad_(met.wants_grad)
    with torch.no_grad():
        of_out = torch.randn_like(layer(given))
    return Product(layer, given, of_out, times)


def run_all(products: list[Product]) -> None:
    for one in products:
        one.run()


def timed(work: Callable[[], None]) -> Lap:
    watch = Stopwatch()
    work()
    return watch.lap()


def table(variant: str, training: Training, rounds: int) -> list[Measure]:
    """Where the seconds of an epoch go, in per cent of all."""
    turns = range(rounds + 1)
    # the first one, which starts the profiler, does not count
    found = [seconds_by_group(training.model, training.optimizer, lambda: epoch_of(training)) for _ in turns][1:]
    return [
        Measure(
            what=f"{variant}, {group}",
            unit="% of CPU time",
            values=tuple(100 * seconds[group] / sum(seconds.values()) for seconds in found),
        )
        for group in GROUPS
    ]


if __name__ == "__main__":
    main()
