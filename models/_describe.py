"""Parameters, FLOPs and activations of a network without its memory: counted on the meta device."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models._networks import build


def count(name: str, *, classes: int, arguments: Mapping[str, Any], side: int, channels: int) -> tuple[int, int, int]:
    """Trained parameters, and of one image's forward pass FLOPs and the values that come out of all layers together."""
    with torch.device("meta"):
        model = build(name, classes=classes, arguments=arguments, side=side, channels=channels).eval()
        image = torch.empty(1, channels, side, side)
    flops, activations, _ = counted(model, image)
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return parameters, flops, activations


def counted(model: nn.Module, images: Tensor) -> tuple[int, int, Any]:
    """FLOPs and values of all layers in the forward pass of these images, in evaluation, and what comes out.

    FLOPs are counted by `torch.utils.flop_counter`: convolutions and matrix products, two per multiply-add; operations
    that it does not know, such as batch norm and pooling, count nothing.
    """
    activations = 0

    def add(layer: nn.Module, given: Any, out: Any) -> None:
        nonlocal activations
        activations += _values(out)

    layers = [layer for layer in model.modules() if not any(True for _ in layer.children())]
    hooks = [layer.register_forward_hook(add) for layer in layers]
    counter = FlopCounterMode(display=False)
    model.eval()
    try:
        with counter, torch.inference_mode():
            out = model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return int(counter.get_total_flops()), activations, out


def _values(out: Any) -> int:
    if isinstance(out, Tensor):
        return out.numel()
    return sum(map(_values, out)) if isinstance(out, (tuple, list)) else 0
