"""The gradient of a 3x3 convolution's weights on a CUDA device, where few channels go in: one product of matrices.

Among cuDNN's float32 kernels for it, those that give the same numbers each time take as long as a third of a small
network's step. Here the nine pixels around each place are laid out as a row, and the rows are multiplied with what
comes back for each place (Chellapilla et al. 2006, "High performance convolutional neural networks for document
processing"). It has no second derivatives.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

MOST_CHANNELS = 4  # that go in: a row holds nine times as many values


class NarrowConvolution(torch.autograd.Function):
    """Images (N, inputs, H, W) in channels_last that need no gradient, weight (outputs, inputs, 3, 3), bias or None."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """PyTorch's own, with padding 1 and stride 1."""
        ctx.save_for_backward(images)
        return F.conv2d(images, weight, bias, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (images,) = ctx.saved_tensors
        channels, outputs = images.shape[1], grad.shape[1]
        of_out = grad.permute(0, 2, 3, 1).reshape(-1, outputs)
        of_weight = of_bias = None
        if ctx.needs_input_grad[1]:
            flat = of_out.mT @ _rows(images)
            of_weight = flat.view(outputs, 3, 3, channels).permute(0, 3, 1, 2)
        if ctx.needs_input_grad[2]:
            of_bias = of_out.sum(0)
        return None, of_weight, of_bias


def _rows(images: Tensor) -> Tensor:
    """(N, C, H, W) to (N H W, 9 C): of each place the pixels around it, row by row, zero beyond the edge."""
    count, channels, height, width = images.shape
    padded = F.pad(images.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1)).contiguous()
    image, row, column, _ = padded.stride()
    # three neighbours in a row of the picture lie one after the other
    around = padded.as_strided((count, height, width, 3, 3 * channels), (image, row, column, row, 1))
    return around.reshape(-1, 9 * channels)
