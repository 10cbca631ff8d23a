"""Where the images of a training lie, and which of them make up a batch."""

import numpy as np
import torch
from torch import Tensor

from scheduler.lengths import batches
from worker.splits import Part


def resident(part: Part, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images (N, side, side, channels) uint8 and labels (N,) int64 on the device."""
    images = torch.from_numpy(np.ascontiguousarray(part.images.transpose(0, 2, 3, 1)))
    return images.to(device), torch.from_numpy(part.labels).to(device)


def batch_bounds(images: int, batch_size: int) -> list[tuple[int, int]]:
    """Start and end of each batch."""
    starts = [number * batch_size for number in range(batches(images, batch_size))]
    return list(zip(starts, [*starts[1:], images], strict=True))
