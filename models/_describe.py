"""Parameters and FLOPs of a network without its memory: counted on the meta device."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from models._networks import IMAGE_SIDE, build


def count(name: str, *, classes: int, arguments: Mapping[str, Any]) -> tuple[int, int]:
    """Trained parameters, and FLOPs of one image's forward pass.

    Counted by `torch.utils.flop_counter`: convolutions and matrix products, two per multiply-add; operations that
    it does not know, such as batch norm and pooling, count nothing.
    """
    with torch.device("meta"):
        model = build(name, classes=classes, arguments=arguments).eval()
        image = torch.empty(1, 3, IMAGE_SIDE, IMAGE_SIDE)
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        model(image)
    return sum(p.numel() for p in model.parameters() if p.requires_grad), int(counter.get_total_flops())
