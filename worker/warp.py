"""Images turned, sheared, moved and scaled, each by a map of its own: the nearest pixel, zeros from outside.

The map is that of torchvision's `affine` and `rotate` on tensors, in float64 instead of their float32. Where the exact
place lies on the border between two pixels, theirs may take the other one. Ours is the same on any device: sums and
products are rounded alike everywhere, cosines and sines are not, so those come with the draws, from the host.
"""

import torch
from torch import Tensor

from scheduler.augmentations import Affine


def warp(pictures: Tensor, matrix: Tensor) -> Tensor:
    """`pictures` (B, side, side, channels) uint8 through `matrix` (B, 6) float64, output's places to input's.

    Places count from the image's middle in pixels, x first: x' = m0 x + m1 y + m2, y' = m3 x + m4 y + m5.
    """
    batch, side, _, channels = pictures.shape
    middle = (side - 1) / 2
    line = torch.arange(side, dtype=torch.float64, device=pictures.device) - middle
    of_x, of_y, alone, *others = matrix[:, :, None, None].unbind(1)
    x = (of_x * line + of_y * line[:, None] + alone + middle).round().long()
    y = (others[0] * line + others[1] * line[:, None] + others[2] + middle).round().long()
    inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
    first = torch.arange(batch, device=pictures.device)[:, None, None] * side
    places = (first + y.clamp(0, side - 1)) * side + x.clamp(0, side - 1)
    found = pictures.reshape(-1, channels).index_select(0, places.flatten()).view_as(pictures)
    return found * inside[..., None]


def draw_affine(one: Affine, images: int, generator: torch.Generator, *, side: int) -> Tensor:
    """(images, 6) float64: degrees, columns and rows to move by, whole ones, factor of size; and `turn` over it."""
    unit = torch.rand(images, 4, generator=generator, dtype=torch.float64)
    angle = (2 * unit[:, 0] - 1) * one.degrees
    move = ((2 * unit[:, 1:3] - 1) * one.translate * side).round()
    size = one.scale[0] + unit[:, 3] * (one.scale[1] - one.scale[0])
    drawn = torch.cat((angle[:, None], move, size[:, None]), 1).float().double()
    return torch.cat((drawn, turn(drawn[:, 0]) / drawn[:, 3:]), 1)


def turn(degrees: Tensor) -> Tensor:
    """(images, 2) float64: cosine and sine of `degrees` (images,) float64, both to be made on a CPU."""
    angle = degrees * (torch.pi / 180)
    return torch.stack((angle.cos(), angle.sin()), 1)


def affine(pictures: Tensor, drawn: Tensor) -> Tensor:
    """`pictures` (B, side, side, channels) uint8 turned clockwise, moved and enlarged as `draw_affine` gave it."""
    _, right, down, _, cos, sin = drawn.unbind(1)
    of_x = (cos, sin, -cos * right - sin * down)
    return warp(pictures, torch.stack((*of_x, -sin, cos, sin * right - cos * down), 1))
