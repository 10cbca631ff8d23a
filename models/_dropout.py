"""Dropout whose masks come from outside, so that a resumed training draws the same ones."""

import torch
from torch import Tensor, nn


class MaskedDropout(nn.Module):
    """Zeroes single units (Srivastava et al. 2014) or whole channels (Tompson et al. 2015) of `(N, C, ...)`.

    Each with probability `rate`; the rest is scaled up, so that nothing is to do in evaluation. In pictures neighbours
    are alike, and a single unit that is dropped is still seen in them: hence channels.

    In training `generator` must be set: the engine seeds it before each step from (seed, epoch, step), and every
    layer of the network draws from it in turn. Draws are bytes, several times cheaper than `bernoulli_`, so `rate`
    is kept to 1/256; the scale is that of the rounded rate, which keeps the mean exact.
    """

    def __init__(self, rate: float, *, per_channel: bool) -> None:
        super().__init__()
        self.rate = rate
        self.per_channel = per_channel
        self.generator: torch.Generator | None = None
        self._threshold = min(max(round(rate * 256), 1), 255)

    def forward(self, values: Tensor) -> Tensor:
        if not self.training:
            return values
        shape = values.shape[:2] + (1,) * (values.dim() - 2) if self.per_channel else values.shape
        draws = torch.empty(shape, dtype=torch.uint8, device=values.device, memory_format=_layout(values, shape))
        draws.random_(0, 256, generator=self.generator)
        kept = draws.ge(self._threshold).to(torch.float32)  # bfloat16 would round the scale, and with it the mean
        return (values * kept.mul_(256 / (256 - self._threshold))).to(values.dtype)

    def extra_repr(self) -> str:
        return f"{self.rate}, per_channel={self.per_channel}"


def _layout(values: Tensor, shape: torch.Size | tuple[int, ...]) -> torch.memory_format:
    # a mask laid out like the values is multiplied without a copy
    whole = values.dim() == 4 and tuple(shape) == tuple(values.shape)
    return (
        torch.channels_last
        if whole and values.is_contiguous(memory_format=torch.channels_last)
        else torch.contiguous_format
    )
