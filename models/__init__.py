"""The networks. Nothing here knows of queues or stores; torch is imported only when a network is built."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models._arguments import ARGUMENTS, AdvancedCnn, ResNet, SmallCnn, smallest_side

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "ARGUMENTS",
    "MODEL_NAMES",
    "AdvancedCnn",
    "Description",
    "ResNet",
    "SmallCnn",
    "build_model",
    "describe",
    "smallest_side",
]

MODEL_NAMES = tuple(ARGUMENTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """`parameters` that are trained; of one image `flops` of the forward pass (2 per multiply-add), and `activations`:
    how many values all layers together give for it."""

    parameters: int
    flops: int
    activations: int


def build_model(name: str, *, classes: int, side: int = 32, channels: int = 3, **arguments: Any) -> "nn.Module":
    """The network `name` for `(N, channels, side, side)` floats in [0, 1], giving `(N, classes)` logits.

    Raises ValueError for an unknown name or argument.
    """
    from models._networks import build

    return build(name, classes=classes, arguments=arguments, side=side, channels=channels)


def describe(
    name: str, *, classes: int, arguments: Mapping[str, Any], side: int = 32, channels: int = 3
) -> Description:
    """Parameters, FLOPs and activations for such pictures, counted on the meta device: no memory, no arithmetic.

    Raises ValueError for an unknown name or argument.
    """
    from models._describe import count

    parameters, flops, activations = count(name, classes=classes, arguments=arguments, side=side, channels=channels)
    return Description(parameters=parameters, flops=flops, activations=activations)
