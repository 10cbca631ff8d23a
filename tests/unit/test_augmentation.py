"""The batched augmentation against torchvision's functions, on the same draws, pixel by pixel."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from scheduler.config import Crop, Cutout, Flip
from worker.augmentation import apply, augment_images, draw

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(1, 256, (40, 32, 32, 3), dtype=np.uint8))
ROWS = torch.randperm(40, generator=torch.Generator().manual_seed(3))
FLIP, CROP, CUTOUT = Flip(probability=0.5), Crop(padding=4), Cutout(size=8)


def by_torchvision(image, augmentation, values):
    picture = image.permute(2, 0, 1)
    for one, (first, second) in zip(augmentation, values, strict=True):
        if isinstance(one, Flip):
            picture = reference.horizontal_flip(picture) if first else picture
        elif isinstance(one, Crop):
            picture = reference.crop(reference.pad(picture, [one.padding]), int(first), int(second), 32, 32)
        else:
            zero = torch.zeros(3, 1, 1, dtype=torch.uint8)
            picture = reference.erase(picture, int(first), int(second), one.size, one.size, zero)
    return picture.permute(1, 2, 0)


@pytest.mark.parametrize(
    "augmentation",
    [(FLIP,), (CROP,), (CUTOUT,), (FLIP, CROP), (CROP, FLIP), (FLIP, CROP, CUTOUT), (CUTOUT, CROP, FLIP), (CROP, CROP)],
    ids=lambda augmentation: " + ".join(one.name for one in augmentation),
)
def test_it_equals_torchvision_pixel_by_pixel(augmentation):
    draws = draw(augmentation, 40, torch.Generator().manual_seed(5))
    ours = apply(IMAGES, ROWS, augmentation, draws)
    for place, row in enumerate(ROWS):
        values = [value[place] for value in draws.values]
        assert torch.equal(ours[place], by_torchvision(IMAGES[row], augmentation, values))


def test_the_draws_cover_what_they_should():
    flips, crops, holes = draw((FLIP, CROP, CUTOUT), 20_000, torch.Generator().manual_seed(1)).values
    assert abs(flips[:, 0].float().mean() - 0.5) < 0.02
    assert sorted(crops.unique().tolist()) == list(range(9))
    assert sorted(holes.unique().tolist()) == list(range(25))


def test_example_pictures_are_augmented_copies():
    stored = IMAGES[:4].permute(0, 3, 1, 2).numpy()
    flipped = augment_images(stored, (Flip(probability=1.0),), seed=1)
    assert (flipped == stored[..., ::-1]).all()
