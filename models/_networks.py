"""The built-in networks: `(N, channels, side, side)` floats to `(N, classes)` logits; sizes below are the defaults.

The order is convolution, batch norm (Ioffe and Szegedy 2015), ReLU, pooling, dropout. ReLU and max pooling commute,
since both keep order; pooling first gives the same numbers and leaves ReLU a quarter of the work.
"""

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from models._arguments import ARGUMENTS, AdvancedCnn, Arguments, ResNet, SmallCnn, smallest_side
from models._dropout import MaskedDropout
from models._pooled_norm import PooledNorm
from models._winograd import Conv3x3


def build(name: str, *, classes: int, arguments: Mapping[str, Any], side: int = 32, channels: int = 3) -> nn.Module:
    """Raises ValueError for an unknown name or argument, a value out of range, a picture too small for its poolings."""
    if name not in ARGUMENTS:
        raise ValueError(f"unknown network {name!r}; choose one of {', '.join(ARGUMENTS)}")
    if classes < 2:
        raise ValueError(f"a classifier needs at least 2 classes, not {classes}")
    try:
        checked: Arguments = ARGUMENTS[name](**{key: _frozen(value) for key, value in arguments.items()})
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from error
    smallest, deciding = smallest_side(name, vars(checked))
    if side < smallest:
        raise ValueError(
            f"{name}: {deciding} leaves nothing of a picture of {side}x{side}: it needs {smallest}x{smallest}"
        )
    if isinstance(checked, SmallCnn):
        return small_cnn(checked, classes, side, channels)
    if isinstance(checked, AdvancedCnn):
        return advanced_cnn(checked, classes, side, channels)
    return resnet(checked, classes, channels)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def small_cnn(arguments: SmallCnn, classes: int, side: int, channels: int) -> nn.Module:
    """Convolutions of 3x3 that each end in a halved picture, then two dense layers (after LeNet, LeCun et al. 1998).

    (N, 3, 32, 32) → (N, 32, 16, 16) → (N, 64, 8, 8) → 4,096 → 128 → classes. With `dropout`, whole channels or single
    units are dropped after each pooling, and single units before the last layer.
    """
    layers: list[nn.Module] = []
    per_channel = arguments.dropout_kind == "channel"
    for depth in arguments.conv_depths:
        layers.append(Conv3x3(channels, depth))
        layers += [PooledNorm(depth)] if arguments.batch_norm else [nn.MaxPool2d(2), nn.ReLU(inplace=True)]
        layers += [MaskedDropout(arguments.dropout, per_channel=per_channel)] if arguments.dropout else []
        channels = depth
    side //= 2 ** len(arguments.conv_depths)
    layers += [nn.Flatten(), nn.Linear(channels * side * side, arguments.hidden_units)]
    layers += [nn.BatchNorm1d(arguments.hidden_units)] if arguments.batch_norm else []
    layers += [nn.ReLU(inplace=True)]
    layers += [MaskedDropout(arguments.dropout, per_channel=False)] if arguments.dropout else []
    return nn.Sequential(*layers, nn.Linear(arguments.hidden_units, classes))


def advanced_cnn(arguments: AdvancedCnn, classes: int, side: int, channels: int) -> nn.Module:
    """Blocks of two 3x3 convolutions, in the manner of VGG (Simonyan and Zisserman 2015), all with batch norm.

    (N, 3, 32, 32) → (N, 64, 16, 16) → (N, 128, 8, 8) → (N, 256, 4, 4) → 4,096 → 512 → 256 → classes. A quarter of the
    channels is dropped after each block, half of the units after each hidden dense layer.
    """
    layers: list[nn.Module] = []
    for depth in arguments.block_depths:
        layers += [Conv3x3(channels, depth), nn.BatchNorm2d(depth), nn.ReLU(inplace=True)]
        layers += [Conv3x3(depth, depth), PooledNorm(depth)]
        layers += [MaskedDropout(arguments.conv_dropout, per_channel=True)] if arguments.conv_dropout else []
        channels = depth
    side //= 2 ** len(arguments.block_depths)
    layers.append(nn.Flatten())
    width = channels * side * side
    for units in arguments.hidden_units:
        layers += [nn.Linear(width, units), nn.BatchNorm1d(units), nn.ReLU(inplace=True)]
        layers += [MaskedDropout(arguments.dense_dropout, per_channel=False)] if arguments.dense_dropout else []
        width = units
    return nn.Sequential(*layers, nn.Linear(width, classes))


_ONEDNN_BLOCK = 16
"""Below so many input channels oneDNN's backward pass of a strided 1x1 convolution in channels_last writes past its
memory (uxlfoundation/oneDNN issue 6035): wrong gradients or a crash. The limit is 8 with AVX2, 16 with AVX-512.
"""


class Subsample(nn.Module):
    """Every `stride`-th row and column: before a 1x1 convolution the same function as a stride within it."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H / stride, W / stride)."""
        return images[:, :, :: self.stride, :: self.stride]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; ReLU of their sum (He et al. 2016, equations 1 and 2, figure 5 left).

    Where the shape changes the shortcut is a 1x1 convolution with batch norm, their option B.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Conv3x3(inputs, outputs, stride=stride, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            Conv3x3(outputs, outputs, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            narrow = stride != 1 and inputs < _ONEDNN_BLOCK
            layers: list[nn.Module] = [Subsample(stride)] if narrow else []
            layers.append(nn.Conv2d(inputs, outputs, 1, 1 if narrow else stride, bias=False))
            self.shortcut = nn.Sequential(*layers, nn.BatchNorm2d(outputs))

    def forward(self, images: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        return F.relu(self.body(images).add_(self.shortcut(images)), inplace=True)


def resnet(arguments: ResNet, classes: int, channels: int) -> nn.Module:
    """A residual network for small pictures (He et al. 2016, "Deep Residual Learning", section 4.2), but wider.

    (N, 3, 32, 32) → (N, 64, 32, 32) → (N, 128, 16, 16) → (N, 256, 8, 8) → mean over places (N, 256) → classes. Every
    stage but the first halves the picture in its first block. Convolutions begin as normal draws of variance
    2 / fan_out (He et al. 2015, "Delving Deep into Rectifiers", equation 14).
    """
    stem = arguments.stage_depths[0]
    layers: list[nn.Module] = [Conv3x3(channels, stem, bias=False), nn.BatchNorm2d(stem), nn.ReLU(inplace=True)]
    channels = stem
    for stage, depth in enumerate(arguments.stage_depths):
        for block in range(arguments.blocks):
            layers.append(ResidualBlock(channels, depth, stride=2 if stage and not block else 1))
            channels = depth
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model
