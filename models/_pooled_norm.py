"""Batch norm, 2x2 max pooling and ReLU as one layer, which on a CPU touches most pixels half as often.

Batch norm (Ioffe and Szegedy 2015, algorithm 1) maps each channel by a straight line, so the largest value of a window
is where the largest input is, or the smallest where the line falls: pooling first leaves the rest a quarter of the
work. Its gradient (section 3 there) is a sparse part, at the pixels that were largest, and a straight line in the
input, whose two coefficients are sums over the pooled pixels alone.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_WINDOW = 2


class PooledNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d`, `nn.MaxPool2d(2)` and `nn.ReLU`, with the weights and buffers of the first.

    The quick way, for float32 in channels_last on a CPU, has no second derivatives.
    """

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H / 2, W / 2), halves rounded down."""
        if not (self.training and self._pays(images)):
            return F.relu(F.max_pool2d(super().forward(images), _WINDOW), inplace=True)
        assert self.num_batches_tracked is not None  # noqa: S101 - for mypy: running statistics are always kept
        self.num_batches_tracked.add_(1)
        done: Tensor = _NormPoolRelu.apply(
            images, self.weight, self.bias, self.running_mean, self.running_var, self.momentum, self.eps
        )
        return done

    def _pays(self, images: Tensor) -> bool:
        return (
            images.device.type == "cpu"
            and images.dtype == self.weight.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and images.dim() == 4
            and images.shape[1] == self.num_features
            and min(images.shape[2:]) >= _WINDOW
            and images.numel() > images.shape[1]  # of one value there is no deviation: PyTorch says so
            and images.is_contiguous(memory_format=torch.channels_last)
        )


class _NormPoolRelu(torch.autograd.Function):
    """Images (N, C, H, W) in channels_last; weight, bias and running statistics (C,), which are moved in place."""

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor,
        running_var: Tensor,
        momentum: float,
        eps: float,
    ) -> Tensor:
        mean, var = torch.batch_norm_update_stats(images, running_mean, running_var, momentum)
        scale = var.add(eps).rsqrt_()
        falling = weight < 0
        # a channel whose line falls is pooled upside down
        turned = images * _column(torch.where(falling, -1.0, 1.0)) if falling.any() else images
        largest, places = F.max_pool2d_with_indices(turned, [_WINDOW] * 2)
        if turned is not images:
            largest = _at(images, places)
        pooled = torch.addcmul(_column(bias - mean * scale * weight), largest, _column(scale * weight)).clamp_min_(0)
        ctx.save_for_backward(images, weight, mean, scale, places, largest, pooled)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        images, weight, mean, scale, places, largest, pooled = ctx.saved_tensors
        # where ReLU let nothing through there is no gradient; of any layout it may come, and is made the images' here
        of_pooled = torch.where(pooled > 0, grad, 0.0).contiguous(memory_format=torch.channels_last)
        of_bias = of_pooled.sum((0, 2, 3))
        of_weight = (of_pooled * (largest - _column(mean))).sum((0, 2, 3)) * scale
        if not ctx.needs_input_grad[0]:
            return None, of_weight, of_bias, None, None, None, None
        slope = scale * weight
        per_value = slope / (images.numel() // images.shape[1])
        line = -per_value * scale * of_weight
        of_images = torch.ops.aten.max_pool2d_with_indices_backward(
            of_pooled * _column(slope), images, [_WINDOW] * 2, [_WINDOW] * 2, [0, 0], [1, 1], False, places
        )
        of_images.addcmul_(images, _column(line)).sub_(_column(per_value * of_bias + line * mean))
        return of_images, of_weight, of_bias, None, None, None, None


def _column(values: Tensor) -> Tensor:
    """(C,) to (C, 1, 1), which goes with images."""
    return values[:, None, None]


def _at(images: Tensor, places: Tensor) -> Tensor:
    """The pixels at `places` (N, C, h, w), counted within each picture's H x W."""
    return images.flatten(2).gather(2, places.flatten(2)).view_as(places)
