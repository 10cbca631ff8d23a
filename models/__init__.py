"""The networks. Nothing here knows of queues or stores; torch is imported only when a network is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models._arguments import ARGUMENTS, AdvancedCnn, ResNet, SmallCnn, smallest_side
from models._code import (
    OwnCode,
    OwnNetworkError,
    bundled,
    end_copies,
    installed_version,
    is_installed,
    is_own,
    lies_with_python,
)

if TYPE_CHECKING:
    from torch import nn

    from models._probe import Probe

__all__ = [
    "ARGUMENTS",
    "MODEL_NAMES",
    "AdvancedCnn",
    "Description",
    "OwnCode",
    "OwnNetworkError",
    "ResNet",
    "SmallCnn",
    "build_model",
    "build_own",
    "bundled",
    "describe",
    "end_copies",
    "installed_version",
    "is_installed",
    "is_own",
    "lies_with_python",
    "probing",
    "smallest_side",
    "takes_channels_last",
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


def build_own(
    model: str, own: OwnCode, *, classes: int, arguments: Mapping[str, Any], side: int = 32, channels: int = 3
) -> "nn.Module":
    """A network that is not bench's, for `(N, channels, side, side)` floats in [0, 1]; runs the user's code.

    Its arguments are of its own choice, hence no keywords as `build_model` takes them. Raises OwnNetworkError.
    """
    from models._own_network import Facts, build

    return build(model, own, arguments, Facts(classes, side, channels))


def takes_channels_last(
    model: str, own: OwnCode, *, classes: int, arguments: Mapping[str, Any], side: int = 32, channels: int = 3
) -> bool:
    """Whether such a network runs with images and weights in channels_last; the same on any machine."""
    from models._own_network import Facts, tried

    return tried(model, own, arguments, Facts(classes, side, channels))


def describe(
    name: str,
    *,
    classes: int,
    arguments: Mapping[str, Any],
    side: int = 32,
    channels: int = 3,
    own: OwnCode | None = None,
) -> Description:
    """Parameters, FLOPs and activations for such pictures, counted on the meta device: no memory, no arithmetic.

    With `own` code all that a training asks of a network is checked as well, on the CPU where it cannot run on meta.
    Raises ValueError for an unknown name or argument, OwnNetworkError for a network that cannot be trained.
    """
    if own is not None:
        from models._own_network import Facts, checked

        counted = checked(name, own, arguments, Facts(classes, side, channels))
    else:
        from models._describe import count

        counted = count(name, classes=classes, arguments=arguments, side=side, channels=channels)
    parameters, flops, activations = counted
    return Description(parameters=parameters, flops=flops, activations=activations)


def probing(*, limit_s: float, say: Callable[[str], object]) -> "Probe":
    """For a `with`: its `describe` builds and tries networks in another process, each for at most `limit_s`."""
    from models._probe import Probe

    return Probe(limit_s=limit_s, say=say)
