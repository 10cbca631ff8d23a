"""What can be set on each built-in network, with its defaults and limits; free of torch, so that planning is quick."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal


class _NoOthers:
    # read by whoever validates these with pydantic: an unknown argument is an error
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


@dataclass(frozen=True, kw_only=True)
class SmallCnn(_NoOthers):
    """Convolutions of `conv_depths` filters, each with pooling, then one dense layer of `hidden_units`."""

    conv_depths: tuple[int, ...] = (32, 64)
    hidden_units: int = 128
    batch_norm: bool = False
    dropout: float = 0.0
    dropout_kind: Literal["channel", "unit"] = "channel"

    def __post_init__(self) -> None:
        _check_widths("conv_depths", self.conv_depths, most=4)
        _check_widths("hidden_units", (self.hidden_units,), most=1)
        _check_rate("dropout", self.dropout)


@dataclass(frozen=True, kw_only=True)
class AdvancedCnn(_NoOthers):
    """Blocks of two convolutions with batch norm, pooling and channel dropout, then dense layers."""

    block_depths: tuple[int, ...] = (64, 128, 256)
    hidden_units: tuple[int, ...] = (512, 256)
    conv_dropout: float = 0.25
    dense_dropout: float = 0.5

    def __post_init__(self) -> None:
        _check_widths("block_depths", self.block_depths, most=4)
        _check_widths("hidden_units", self.hidden_units, most=8)
        _check_rate("conv_dropout", self.conv_dropout)
        _check_rate("dense_dropout", self.dense_dropout)


@dataclass(frozen=True, kw_only=True)
class ResNet(_NoOthers):
    """A stem of `stage_depths[0]` filters, stages of `blocks` residual blocks each, global average pooling."""

    stage_depths: tuple[int, ...] = (64, 128, 256)
    blocks: int = 3

    def __post_init__(self) -> None:
        _check_widths("stage_depths", self.stage_depths, most=5)
        if not 1 <= self.blocks <= 64:
            raise ValueError(f"blocks must be 1 to 64, not {self.blocks}")


ARGUMENTS = {"small_cnn": SmallCnn, "advanced_cnn": AdvancedCnn, "resnet": ResNet}
Arguments = SmallCnn | AdvancedCnn | ResNet
_POOLED_AFTER = {"small_cnn": "conv_depths", "advanced_cnn": "block_depths"}
"""The argument of which each entry ends in a halved picture."""


def smallest_side(name: str, arguments: Mapping[str, Any]) -> tuple[int, str]:
    """Pixels of the smallest picture of which such a network leaves something, and the argument that decides it.

    `arguments` are checked and complete. A residual network rounds its halves up: any picture will do.
    """
    deciding = _POOLED_AFTER.get(name)
    return (2 ** len(arguments[deciding]), deciding) if deciding else (1, "")


def _check_widths(name: str, widths: tuple[int, ...], *, most: int) -> None:
    if not 1 <= len(widths) <= most:
        raise ValueError(f"{name} takes 1 to {most} layers, not {len(widths)}")
    if not all(1 <= width <= 65536 for width in widths):
        raise ValueError(f"{name} must be positive (at most 65536), not {widths}")


def _check_rate(name: str, rate: float) -> None:
    if not 0 <= rate < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, not {rate}")
