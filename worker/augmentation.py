"""Augmentation of whole batches of resident uint8 images, in the order of the config's list.

Flip and padded crop are those of He et al. 2016, "Deep Residual Learning", section 4.2. Cutout is that of DeVries and
Taylor 2017, "Improved Regularization of Convolutional Neural Networks with Cutout", but for one thing: their square
may reach over the picture's edge, ours lies wholly inside, so that every picture loses as much. Random erasing is that
of Zhong et al. 2020, "Random Erasing Data Augmentation"; it, the colour jitter and the affine map are torchvision's.

Flips, crops and holes are maps from a place in their output to a place in their input. `_gathered` follows neighbours
in the list backwards, from the finished picture to the stored one, so any number of them costs one gather. What
changes colours (`worker.pixels`) or turns (`worker.warp`) works on the pictures before it; what mixes two images is
done later, in the step (`worker.mixing`). Draws are made apart from their use: a test hands the same draws to
torchvision's functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scheduler.augmentations import (
    MIXING,
    Affine,
    Augmentation,
    ColorJitter,
    Crop,
    Cutout,
    Flip,
    RandomErasing,
    TrivialAugment,
)
from worker import pixels
from worker.mixing import draw_mix, mix_of, one_of_both
from worker.trivial import draw_trivial, trivial_augment
from worker.warp import affine, draw_affine

JITTERS = ("brightness", "contrast", "saturation", "hue")
"""A colour jitter's operations; torchvision has them by these numbers."""
_PLACES = (Flip, Crop, Cutout, RandomErasing)
_TRIES = 10  # torchvision's, for a rectangle that fits into the image


@dataclass(frozen=True, slots=True)
class Draws:
    """For each augmentation of the list one tensor of as many rows as there are images.

    Flip (images, 2) int64: 0 or 1 in the first column. Crop: row and column at which the padded image is cut. Cutout:
    row and column of the square's corner. Random erasing (images, 4) int64: top, left, height and width, none of it: 0
    high. Colour jitter (images, 8) float32: the order of the four operations by number, then their factors. The others:
    `draw_affine`, `draw_trivial`, `draw_mix`.
    """

    values: tuple[Tensor, ...]

    def at(self, part: slice) -> "Draws":
        return Draws(tuple(value[part] for value in self.values))

    def rows(self, places: Tensor) -> "Draws":
        """Those of `places` (B,) int64, on the device."""
        return Draws(tuple(value.index_select(0, places) for value in self.values))

    def to(self, device: torch.device) -> "Draws":
        return Draws(tuple(value.to(device) for value in self.values))


def draw(augmentation: Sequence[Augmentation], images: int, generator: torch.Generator, *, side: int = 32) -> Draws:
    """Independent draws for that many images of `side` x `side` pixels."""
    values = [_drawn(one, images, generator, side) for one in augmentation]
    return Draws(one_of_both(augmentation, values, generator))


def _drawn(one: Augmentation, images: int, generator: torch.Generator, side: int) -> Tensor:
    if isinstance(one, Flip):
        flipped = torch.rand(images, 1, generator=generator).lt(one.probability).long()
        return flipped.expand(images, 2).contiguous()
    if isinstance(one, Crop | Cutout):
        places = 2 * one.padding + 1 if isinstance(one, Crop) else side - min(one.size, side) + 1
        return torch.randint(0, places, (images, 2), generator=generator)
    if isinstance(one, RandomErasing):
        return _rectangles(one, images, generator, side)
    if isinstance(one, ColorJitter):
        return _jitters(one, images, generator)
    if isinstance(one, Affine):
        return draw_affine(one, images, generator, side=side)
    if isinstance(one, TrivialAugment):
        return draw_trivial(images, generator)
    return draw_mix(one, images, generator, side=side)


def _rectangles(one: RandomErasing, images: int, generator: torch.Generator, side: int) -> Tensor:
    """(images, 4) int64: of ten tries the first that is smaller than the image, as torchvision draws them."""
    unit = torch.rand(2, images, _TRIES, generator=generator, dtype=torch.float64)
    (least, most), (flat, tall) = one.scale, np.log(one.ratio)
    area = side**2 * (least + unit[0] * (most - least))
    ratio = (flat + unit[1] * (tall - flat)).exp()
    sizes = torch.stack(((area * ratio).sqrt().round(), (area / ratio).sqrt().round()), 2).long()
    fits = (sizes < side).all(2)
    found = sizes[torch.arange(images), fits.int().argmax(1)]
    done = fits.any(1) & (torch.rand(images, generator=generator) < one.probability)
    found = found * done[:, None]
    free = side - found + 1
    corner = (torch.rand(images, 2, generator=generator, dtype=torch.float64) * free).long()
    return torch.cat((corner.minimum(free - 1), found), 1)


def _jitters(one: ColorJitter, images: int, generator: torch.Generator) -> Tensor:
    order = torch.rand(images, len(JITTERS), generator=generator).argsort(1)
    unit = torch.rand(images, len(JITTERS), generator=generator)
    factors = []
    for jitter, drawn in zip(JITTERS, unit.unbind(1), strict=True):
        reach = getattr(one, jitter)
        low, high = (-reach, reach) if jitter == "hue" else (max(0.0, 1 - reach), 1 + reach)
        factors.append(low + drawn * (high - low))
    return torch.cat((order.float(), torch.stack(factors, 1)), 1)


def apply(images: Tensor, rows: Tensor, augmentation: Sequence[Augmentation], draws: Draws) -> Tensor:
    """The pictures `rows` (B,) of `images` (N, side, side, channels) uint8, augmented: (B, side, side, channels) uint8.

    All but what mixes them with each other.
    """
    steps = [step for step in zip(augmentation, draws.values, strict=True) if not isinstance(step[0], MIXING)]
    if not (steps and isinstance(steps[0][0], _PLACES)):
        images, rows = images.index_select(0, rows), torch.arange(len(rows), device=rows.device)
    for composed, group in groupby(steps, key=lambda step: isinstance(step[0], _PLACES)):
        if composed:
            images = _gathered(images, rows, list(group))
        else:
            for one, drawn in group:
                images = _changed(images, one, drawn)
        rows = torch.arange(len(rows), device=rows.device)
    return images


def _changed(pictures: Tensor, one: Augmentation, drawn: Tensor) -> Tensor:
    if isinstance(one, ColorJitter):
        return _jittered(pictures, one, drawn)
    return affine(pictures, drawn) if isinstance(one, Affine) else trivial_augment(pictures, drawn)


def _jittered(pictures: Tensor, one: ColorJitter, drawn: Tensor) -> Tensor:
    factors = drawn[:, len(JITTERS) :]
    for at in drawn[:, : len(JITTERS)].unbind(1):
        for number, jitter in enumerate(JITTERS):
            if getattr(one, jitter):
                factor = factors[:, number]
                # of contrast and saturation, what is missing of the picture is its grey
                given = (factor, 1 - factor) if jitter in ("contrast", "saturation") else (factor,)
                pictures = pixels.only(at == number, getattr(pixels, jitter), pictures, *given)
    return pictures


def _gathered(images: Tensor, rows: Tensor, steps: Sequence[tuple[Augmentation, Tensor]]) -> Tensor:
    side, channels = images.shape[1], images.shape[3]
    line = torch.arange(side, device=images.device)
    ys, xs = line.expand(len(rows), side), line.expand(len(rows), side)
    inside: Tensor | None = None
    for one, drawn in reversed(steps):
        first, second = drawn[:, :1], drawn[:, 1:2]
        if isinstance(one, Flip):
            xs = torch.where(first.bool(), side - 1 - xs, xs)
        elif isinstance(one, Crop):
            ys, xs = ys + first - one.padding, xs + second - one.padding
            inside = _both(inside, _within(ys, 0, side), _within(xs, 0, side))
        else:
            high, wide = (one.size, one.size) if isinstance(one, Cutout) else (drawn[:, 2:3], drawn[:, 3:])
            hole = _within(ys, first, first + high)[:, :, None] & _within(xs, second, second + wide)[:, None, :]
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
    """Augmented copies of (N, channels, side, side) uint8 images, as one batch, for pictures that people look at."""
    stored = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 2, 3, 1)))
    draws = draw(augmentation, len(images), torch.Generator().manual_seed(seed), side=stored.shape[1])
    done = apply(stored, torch.arange(len(images)), augmentation, draws)
    mix = mix_of(augmentation, draws.values, side=stored.shape[1])
    if mix is not None:
        share = mix.pixels[..., None]
        done = (done.roll(1, 0) * (1 - share) + done * share).round().to(torch.uint8)
    return np.ascontiguousarray(done.numpy().transpose(0, 3, 1, 2))
