"""Mixup and CutMix: batches mixed with themselves, and what is then learned and counted.

Mixup is that of Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization", CutMix that of Yun et al. 2019,
"CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features"; both as torchvision's v2
transforms do it: one share for a whole batch, and each image's partner is the one before it in the batch (of the
first, the last), whose order every epoch draws anew.
Where a config names both, each batch takes one of them, by a fair coin.

Every image has draws, and a batch takes those of its first one: a batch's share depends on the epoch and on where the
batch begins in it, on nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from scheduler.augmentations import MIXING, Augmentation, Cutmix, Mixup
from worker.evaluation import as_input

_NOTHING = (1.0, 1.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Mix:
    """Of one batch: the `share` () float32 of its own that a target keeps, and `pixels` (side, side) of each image."""

    share: Tensor
    pixels: Tensor


def draw_mix(one: Mixup | Cutmix, images: int, generator: torch.Generator, *, side: int) -> Tensor:
    """(images, 6) float32: share of the target, share of a pixel, and the partner's box: top, left, ends."""
    share = _beta(one.alpha, images, generator)
    if isinstance(one, Mixup):
        rows = torch.tensor(_NOTHING, dtype=torch.float64).repeat(images, 1)
        rows[:, :2] = share[:, None]
        return rows.float()
    middle = torch.randint(0, side, (images, 2), generator=generator)
    half = (0.5 * (1 - share).sqrt() * side).long()[:, None]
    low, high = (middle - half).clamp(min=0), (middle + half).clamp(max=side)
    left = 1 - (high - low).prod(1).double() / side**2
    return torch.cat((left[:, None], torch.ones(images, 1), low, high), 1).float()


def one_of_both(
    augmentation: Sequence[Augmentation], values: Sequence[Tensor], generator: torch.Generator
) -> tuple[Tensor, ...]:
    """The draws, with those of one mixing taken away for each image where the list has two."""
    found = list(values)
    places = [place for place, one in enumerate(augmentation) if isinstance(one, MIXING)]
    if len(places) == 2:
        first = torch.rand(len(values[0]), 1, generator=generator) < 0.5
        nothing = torch.tensor(_NOTHING)
        found[places[0]] = torch.where(first, values[places[0]], nothing)
        found[places[1]] = torch.where(first, nothing, values[places[1]])
    return tuple(found)


def _beta(alpha: float, images: int, generator: torch.Generator) -> Tensor:
    """(images,) float64 from Beta(alpha, alpha).

    Of two gamma variates; the logarithm of one of shape alpha is that of one of shape alpha + 1 plus log(u) / alpha
    (Marsaglia and Tsang 2000, section 6), so that small shapes do not end as 0 / 0.
    """
    shape = torch.full((images, 2), alpha + 1, dtype=torch.float64)
    larger = torch._standard_gamma(shape, generator=generator).log()
    unit = 1 - torch.rand(images, 2, generator=generator, dtype=torch.float64)
    one, other = (larger + unit.log() / alpha).unbind(1)
    return torch.sigmoid(one - other)


def mix_of(augmentation: Sequence[Augmentation], draws: Sequence[Tensor], *, side: int) -> Mix | None:
    """Of a batch of images of `side` x `side` pixels; None where the list mixes nothing."""
    rows = [drawn[0] for one, drawn in zip(augmentation, draws, strict=True) if isinstance(one, MIXING)]
    if not rows:
        return None
    share, pixels = rows[0].new_ones(()), rows[0].new_ones(side, side)
    line = torch.arange(side, device=pixels.device)
    for own, of_pixel, top, left, bottom, right in rows:
        share = share * own  # at most one of them is not 1
        box = ((line >= top) & (line < bottom))[:, None] & ((line >= left) & (line < right))
        pixels = pixels * (of_pixel * ~box)
    return Mix(share, pixels)


def mixed_input(images: Tensor, mix: Mix | None, layout: torch.memory_format = torch.channels_last) -> Tensor:
    """(B, side, side, channels) uint8 as the network's input, each image mixed with the one before it."""
    own = as_input(images, layout)
    return own if mix is None else as_input(images.roll(1, 0), layout) * (1 - mix.pixels) + own * mix.pixels


def loss_and_hits(logits: Tensor, labels: Tensor, mix: Mix | None, label_smoothing: float) -> tuple[Tensor, Tensor]:
    """Mean cross entropy and number of hits of `logits` (B, classes) float32.

    A mixed target holds `share` of the image's own class and the rest of its partner's. Cross entropy is linear in its
    target, so that of both classes is weighed. A hit is the class that has the larger part of the target.
    """
    loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    if mix is not None:
        others = labels.roll(1)
        of_others = F.cross_entropy(logits, others, label_smoothing=label_smoothing)
        loss = mix.share * loss + (1 - mix.share) * of_others
        labels = torch.where(mix.share >= 0.5, labels, others)
    return loss, (logits.argmax(1) == labels).sum()
