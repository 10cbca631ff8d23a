"""TrivialAugment for whole batches (Müller and Hutter 2021, "TrivialAugment: Tuning-free Yet State-of-the-Art").

Operations and strengths are those of torchvision's `TrivialAugmentWide` with its defaults: 31 strengths, the nearest
pixel, zeros from outside. Each image has one operation, each of the fourteen as likely as the others.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from worker import pixels
from worker.warp import turn, warp

OPERATIONS = (
    "Identity",
    "ShearX",
    "ShearY",
    "TranslateX",
    "TranslateY",
    "Rotate",
    "Brightness",
    "Color",
    "Contrast",
    "Sharpness",
    "Posterize",
    "Solarize",
    "AutoContrast",
    "Equalize",
)
"""By torchvision's names, in its order."""
STRENGTHS = 31
_SIGNED = {"ShearX": 0.99, "ShearY": 0.99, "TranslateX": 32.0, "TranslateY": 32.0, "Rotate": 135.0} | dict.fromkeys(
    ("Brightness", "Color", "Contrast", "Sharpness"), 0.99
)
_FIRST_MOVE, _LAST_MOVE = OPERATIONS.index("ShearX"), OPERATIONS.index("Rotate")


def draw_trivial(images: int, generator: torch.Generator) -> Tensor:
    """(images, 4) float64: number of the operation, its strength as torchvision's functions take it, and its `turn`."""
    operation = torch.randint(0, len(OPERATIONS), (images,), generator=generator)
    number = torch.randint(0, STRENGTHS, (images,), generator=generator)
    minus = torch.randint(0, 2, (images,), generator=generator).bool()
    signed = torch.tensor([name in _SIGNED for name in OPERATIONS])
    chosen = _strengths()[operation, number]
    strength = torch.where(minus & signed[operation], -chosen, chosen).double()
    degrees = torch.where(operation == OPERATIONS.index("Rotate"), strength, torch.zeros_like(strength))
    return torch.cat((torch.stack((operation.double(), strength), 1), turn(degrees)), 1)


def _strengths() -> Tensor:
    """(operations, strengths) float32; zeros for those that have none."""
    table = torch.zeros(len(OPERATIONS), STRENGTHS)
    for name, most in _SIGNED.items():
        table[OPERATIONS.index(name)] = torch.linspace(0, most, STRENGTHS)
    table[OPERATIONS.index("Posterize")] = (8 - torch.arange(STRENGTHS) / ((STRENGTHS - 1) / 6)).round()
    table[OPERATIONS.index("Solarize")] = torch.linspace(1, 0, STRENGTHS)
    return table


_TONES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Brightness": lambda pictures, strength: pixels.brightness(pictures, 1 + strength),
    "Color": lambda pictures, strength: pixels.saturation(pictures, 1 + strength, -strength),
    "Contrast": lambda pictures, strength: pixels.contrast(pictures, 1 + strength, -strength),
    "Sharpness": lambda pictures, strength: pixels.sharpness(pictures, -strength),
    "Posterize": pixels.posterize,
    "Solarize": pixels.solarize,
    "AutoContrast": lambda pictures, _: pixels.autocontrast(pictures),
    "Equalize": lambda pictures, _: pixels.equalize(pictures),
}


def trivial_augment(pictures: Tensor, drawn: Tensor) -> Tensor:
    """`pictures` (B, side, side, channels) uint8, each changed as its row of `draw_trivial` says."""
    operation, strength, cos, sin = drawn.unbind(1)
    moves = (operation >= _FIRST_MOVE) & (operation <= _LAST_MOVE)
    pictures = pixels.only(moves, _moved, pictures, operation, strength, cos, sin)
    for name, change in _TONES.items():
        pictures = pixels.only(operation == OPERATIONS.index(name), change, pictures, strength.float())
    return pictures


def _moved(pictures: Tensor, operation: Tensor, strength: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """A shear keeps the image's upper left corner, a turn its middle; a move is by whole pixels."""

    def of(name: str) -> Tensor:
        return torch.where(operation == OPERATIONS.index(name), strength, torch.zeros_like(strength))

    across, down, half = of("ShearX"), of("ShearY"), pictures.shape[1] / 2
    of_x = (cos, across - sin, across * half - of("TranslateX").trunc())
    return warp(pictures, torch.stack((*of_x, down + sin, cos, down * half - of("TranslateY").trunc()), 1))
