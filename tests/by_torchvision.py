"""What torchvision makes of one image with bench's draws; and images on which rounding and edges show."""

import numpy as np
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from scheduler.augmentations import Affine, ColorJitter, Crop, Cutout, Flip, RandomErasing
from worker.trivial import OPERATIONS

TRIVIAL = v2.TrivialAugmentWide()
JITTER = v2.ColorJitter()


def images(number, side, channels, seed=0):
    """(number, side, side, channels) uint8: noise, then in turns grey, flat, dark, few values, slopes and black."""
    random = np.random.default_rng(seed)
    made = random.integers(0, 256, (number, side, side, channels))
    made[1::7] = made[1::7, :, :, :1]
    made[2::7] = random.integers(0, 256, (len(made[2::7]), 1, 1, channels))
    made[3::7] //= 16
    made[4::7] = made[4::7] // 100 * 100
    made[5::7] = np.linspace(0, 255, side)[:, None].astype(int) // np.arange(1, channels + 1)
    made[6::14] = 0
    return torch.from_numpy(made.astype(np.uint8))


def augmented(image, augmentation, values):
    """One image (side, side, channels) uint8 after the list, with its row of each tensor of draws."""
    picture = image.permute(2, 0, 1)
    for one, drawn in zip(augmentation, values, strict=True):
        picture = _changed(picture, one, drawn.tolist())
    return picture.permute(1, 2, 0)


def _changed(picture, one, drawn):
    side = picture.shape[1]
    if isinstance(one, Flip):
        return functional.horizontal_flip(picture) if drawn[0] else picture
    if isinstance(one, Crop):
        return functional.crop(functional.pad(picture, [one.padding]), *drawn, side, side)
    if isinstance(one, Cutout | RandomErasing):
        high, wide = drawn[2:] if isinstance(one, RandomErasing) else (one.size, one.size)
        return functional.erase(picture, *drawn[:2], high, wide, torch.zeros(1, 1, 1, dtype=torch.uint8))
    if isinstance(one, Affine):
        angle, right, down, size = drawn[:4]
        return functional.affine(picture, angle, [int(right), int(down)], size, [0.0, 0.0])
    if isinstance(one, ColorJitter):
        kinds = ("brightness", "contrast", "saturation", "hue")
        given = {f"{kind}_factor": drawn[4 + place] if getattr(one, kind) else None for place, kind in enumerate(kinds)}
        return JITTER.transform(picture, {"fn_idx": [int(number) for number in drawn[:4]], **given})
    return trivial(picture, OPERATIONS[int(drawn[0])], drawn[1])


def trivial(picture, operation, strength):
    return TRIVIAL._apply_image_or_video_transform(
        picture, operation, strength, interpolation=v2.InterpolationMode.NEAREST, fill={torch.Tensor: None}
    )
