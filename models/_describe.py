"""Parameters, FLOPs and activations of a network without its memory: counted on the meta device."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models._networks import build


def count(name: str, *, classes: int, arguments: Mapping[str, Any], side: int, channels: int) -> tuple[int, int, int]:
    """Trained parameters, and of one image's forward pass FLOPs and the values that come out of all layers together.

    FLOPs are counted by `torch.utils.flop_counter`: convolutions and matrix products, two per multiply-add; operations
    that it does not know, such as batch norm and pooling, count nothing.
    """
    with torch.device("meta"):
        model = build(name, classes=classes, arguments=arguments, side=side, channels=channels).eval()
        image = torch.empty(1, channels, side, side)
    activations = 0

    def add(layer: nn.Module, given: Any, out: Tensor) -> None:
        nonlocal activations
        activations += out.numel()

    for layer in model.modules():
        if not any(True for _ in layer.children()):
            layer.register_forward_hook(add)
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        model(image)
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return parameters, int(counter.get_total_flops()), activations
