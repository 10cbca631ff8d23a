"""Flip, crop and cutout for whole batches of resident uint8 images, by one gather.

Flip and padded crop are those of He et al. 2016, "Deep Residual Learning", section 4.2. Cutout is that of DeVries and
Taylor 2017, "Improved Regularization of Convolutional Neural Networks with Cutout", but for one thing: their square
may reach over the picture's edge, ours lies wholly inside, so that every picture loses as much.

Each augmentation is a map from a place in its output to a place in its input. `apply` follows the list backwards,
from the finished picture to the stored one, so any number of augmentations costs one gather. Draws are made apart
from their use: a test hands the same draws to torchvision's functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scheduler.config import Augmentation, Crop, Cutout, Flip


@dataclass(frozen=True, slots=True)
class Draws:
    """For each augmentation of the list one tensor (images, 2) int64.

    Flip: 0 or 1 in the first column. Crop: row and column at which the padded image is cut. Cutout: row and column
    of the square's corner.
    """

    values: tuple[Tensor, ...]

    def at(self, part: slice) -> "Draws":
        return Draws(tuple(value[part] for value in self.values))

    def to(self, device: torch.device) -> "Draws":
        return Draws(tuple(value.to(device) for value in self.values))


def draw(augmentation: Sequence[Augmentation], images: int, generator: torch.Generator, *, side: int = 32) -> Draws:
    """Independent draws for that many images of `side` x `side` pixels."""
    values = []
    for one in augmentation:
        if isinstance(one, Flip):
            flipped = torch.rand(images, 1, generator=generator).lt(one.probability).long()
            values.append(flipped.expand(images, 2).contiguous())
        else:
            places = 2 * one.padding + 1 if isinstance(one, Crop) else side - min(one.size, side) + 1
            values.append(torch.randint(0, places, (images, 2), generator=generator))
    return Draws(tuple(values))


def apply(images: Tensor, rows: Tensor, augmentation: Sequence[Augmentation], draws: Draws) -> Tensor:
    """The pictures `rows` (B,) of `images` (N, side, side, channels) uint8 in that form, augmented."""
    if not augmentation:
        return images.index_select(0, rows)
    side, channels = images.shape[1], images.shape[3]
    line = torch.arange(side, device=images.device)
    ys, xs = line.expand(len(rows), side), line.expand(len(rows), side)
    inside: Tensor | None = None
    for one, drawn in zip(reversed(augmentation), reversed(draws.values), strict=True):
        first, second = drawn[:, :1], drawn[:, 1:]
        if isinstance(one, Flip):
            xs = torch.where(first.bool(), side - 1 - xs, xs)
        elif isinstance(one, Crop):
            ys, xs = ys + first - one.padding, xs + second - one.padding
            inside = _both(inside, _within(ys, 0, side), _within(xs, 0, side))
        elif isinstance(one, Cutout):
            hole = _within(ys, first, first + one.size)[:, :, None] & _within(xs, second, second + one.size)[:, None, :]
            inside = ~hole if inside is None else inside & ~hole
    places = (rows[:, None] * side + ys.clamp(0, side - 1))[:, :, None] * side + xs.clamp(0, side - 1)[:, None, :]
    pictures = images.view(-1, channels).index_select(0, places.flatten()).view(len(rows), side, side, channels)
    return pictures if inside is None else pictures * inside[..., None]


def _within(values: Tensor, low: Tensor | int, high: Tensor | int) -> Tensor:
    return (values >= low) & (values < high)


def _both(inside: Tensor | None, rows: Tensor, columns: Tensor) -> Tensor:
    both = rows[:, :, None] & columns[:, None, :]
    return both if inside is None else inside & both


def augment_images(images: NDArray[np.uint8], augmentation: Sequence[Augmentation], *, seed: int) -> NDArray[np.uint8]:
    """Augmented copies of (N, channels, side, side) uint8 images, for pictures that people look at."""
    stored = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 2, 3, 1)))
    draws = draw(augmentation, len(images), torch.Generator().manual_seed(seed), side=stored.shape[1])
    done = apply(stored, torch.arange(len(images)), augmentation, draws)
    return np.ascontiguousarray(done.numpy().transpose(0, 3, 1, 2))
