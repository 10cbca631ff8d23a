"""Every draw is a pure function of (seed, epoch, step, purpose): no generator state is kept, none is shared.

Draws are made by CPU generators where the device allows it, so that a job sees the same images on any device.
"""

import hashlib
from typing import Literal

import torch

Purpose = Literal["weights", "order", "augmentation", "dropout", "evaluation"]


def derive(seed: int, epoch: int, step: int, purpose: Purpose) -> int:
    """A 63-bit seed for one purpose at one moment (BLAKE2b of the four values)."""
    text = f"{seed}/{epoch}/{step}/{purpose}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def generator(seed: int, epoch: int, step: int, purpose: Purpose) -> torch.Generator:
    """A fresh CPU generator for these draws."""
    return torch.Generator().manual_seed(derive(seed, epoch, step, purpose))


def permutation(seed: int, epoch: int, images: int) -> torch.Tensor:
    """(images,) int64: the order in which an epoch sees the training images."""
    return torch.randperm(images, generator=generator(seed, epoch, 0, "order"))


def seed_global(seed: int) -> None:
    """torch's own generators, of the CPU and of the card in use, from which only a user's own network draws.

    `torch.manual_seed` asks for every kind of device that there might be, which takes longer than a small step.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call] # torch has no types here
        torch.cuda.default_generators[torch.cuda.current_device()].manual_seed(seed)
