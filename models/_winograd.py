"""3x3 convolutions on a CPU with a quarter of the multiplications: Winograd's minimal filtering F(4x4, 3x3).

Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks", sections 4.1 and 4.3. An output of 4x4 pixels
depends on 6x6 pixels of the input. Both these tiles and the filters are lifted to 36 places, multiplied place by place,
which sums over channels and so is 36 products of matrices, and the products are lowered to 4x4 pixels. Lifting and
lowering are products with constant matrices. Each step is linear, so its transpose leads the gradient back.

The function is that of `torch.nn.Conv2d`, but rounded otherwise: the lifted numbers are larger than the given ones and
cancel out again. Against float64 the relative error (L2) of outputs and of the gradients of images and weights is 1e-6
to 3e-6, that of PyTorch's own float32 convolution 1e-7 to 2e-6 (normal draws in the shapes of
tests/unit/test_winograd.py). A pixel that is not finite spoils its tile.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models._narrow import MOST_CHANNELS, NarrowConvolution

_TILE, _LIFTED = 4, 6  # pixels along one side
_PLACES = _LIFTED**2


def _both_ways(one_way: list[list[float]]) -> Tensor:
    """A matrix M for columns to one for flattened squares X: M X M^T, flattened, is kron(M, M) times X."""
    # the device is named because a network may be built, and this module loaded, under another default
    matrix = torch.tensor(one_way, dtype=torch.float64, device="cpu")
    return torch.kron(matrix, matrix).float()


# Lavin and Gray's B^T, G and A^T: interpolation at 0, 1, -1, 2, -2 and infinity
_LIFT_IMAGE = _both_ways(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)  # (36, 36)
_LIFT_FILTER = _both_ways(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)  # (36, 9)
_LOWER = _both_ways([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])  # (16, 36)

_FEWEST_CHANNELS = 32  # with fewer the lifting costs more than it saves
_TILES, _TILES_TIMES_CHANNELS = 64, 16_384  # what is worked on at once, the larger of both, so that it stays in cache
_MOST_KEPT = 2**23  # lifted values of a layer, 32 MiB: more has left every cache before it is read again
_LINE = 16  # floats


class Conv3x3(nn.Conv2d):
    """`nn.Conv2d` of 3x3 pixels with padding 1, quicker for float32 in channels_last.

    On a CPU by tiles, see `_pays`; on a card the gradient of the first layer's weights, see `_narrow_pays`.

    Weights, their names and their initial draws are those of `nn.Conv2d`. The quick way has no second derivatives.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, stride, 1, bias=bias)

    def forward(self, images: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride), halves rounded up."""
        if self._pays(images):
            learns = torch.is_grad_enabled() and self.weight.requires_grad
            convolved: Tensor = _Convolution.apply(images, self.weight, self.bias, learns)
            return convolved
        if self._narrow_pays(images):
            narrow: Tensor = NarrowConvolution.apply(images, self.weight, self.bias)
            return narrow
        return super().forward(images)

    def _pays(self, images: Tensor) -> bool:
        """Whether the tiles fit and save time; PyTorch's own convolution does the rest, and refuses what is wrong."""
        return (
            min(self.in_channels, self.out_channels) >= _FEWEST_CHANNELS
            and self.stride == (1, 1)
            and images.device.type == "cpu"
            and images.dtype == self.weight.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and images.dim() == 4
            and images.numel() > 0
            and images.shape[1] == self.in_channels
            and images.shape[2] % _TILE == images.shape[3] % _TILE == 0
            and images.is_contiguous(memory_format=torch.channels_last)
        )

    def _narrow_pays(self, images: Tensor) -> bool:
        """On a card: of the first layer, which passes no gradient on."""
        return (
            images.device.type == "cuda"
            and images.dtype == self.weight.dtype == torch.float32
            and not torch.is_autocast_enabled("cuda")
            and torch.is_grad_enabled()
            and not images.requires_grad
            and self.in_channels <= MOST_CHANNELS
            and self.stride == (1, 1)
            and images.dim() == 4
            and images.numel() > 0
            and images.is_contiguous(memory_format=torch.channels_last)
        )


class _Convolution(torch.autograd.Function):
    """Images (N, inputs, H, W) in channels_last, weight (outputs, inputs, 3, 3), bias (outputs,) or None.

    Where the weight `learns` its gradient needs the lifted images once more: they are kept unless that takes too much.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, learns: bool) -> Tensor:
        pixels, filters = _by_pixel(images), _lifted_filters(weight)
        keeps = learns and images.numel() * _LIFTED**2 // _TILE**2 <= _MOST_KEPT
        # no view may be returned: autograd would refuse to let the next layer change it in place
        shape = len(images), len(weight), *images.shape[2:]
        convolved = torch.empty(shape, dtype=images.dtype, device=images.device, memory_format=torch.channels_last)
        out, kept = _by_pixel(convolved), []
        for part, tiles in _parts(pixels.shape, images.shape[1], len(weight)):
            lifted = torch.empty_like(tiles.lifted) if keeps else tiles.lifted
            torch.bmm(tiles.lift(pixels[part], lifted), filters.mT, out=tiles.products)
            tiles.lower_into(out[part], bias)
            if keeps:
                kept.append(lifted)
        ctx.shape, ctx.keeps = images.shape, keeps
        ctx.save_for_backward(filters, *(kept if keeps else [images]))
        return convolved

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        filters, *kept = ctx.saved_tensors
        _, outputs, inputs = filters.shape
        wants_images, wants_weight, wants_bias, _ = ctx.needs_input_grad
        # a gradient may come in any layout, that of `sum` even as one number with strides of zero
        of_out = _by_pixel(grad).contiguous()
        of_images = None
        if wants_images:
            of_images = torch.empty(ctx.shape, dtype=grad.dtype, device=grad.device, memory_format=torch.channels_last)
        of_filters = torch.zeros_like(filters) if wants_weight else None
        for number, (part, tiles) in enumerate(_parts(of_out.shape, inputs, outputs)):
            tiles.lower_back(of_out[part])
            if of_filters is not None:
                lifted = kept[number] if ctx.keeps else tiles.lift(_by_pixel(kept[0])[part], tiles.lifted)
                of_filters.baddbmm_(tiles.products.mT, lifted)
            if of_images is not None:
                torch.bmm(tiles.products, filters, out=tiles.lifted)
                tiles.lift_back_into(_by_pixel(of_images)[part])
        return (
            of_images,
            None if of_filters is None else _lifted_filters_back(of_filters),
            of_out.sum((0, 1, 2)) if wants_bias else None,
            None,
        )


def _by_pixel(images: Tensor) -> Tensor:
    """(N, C, H, W) to (N, H, W, C), the same memory."""
    return images.permute(0, 2, 3, 1)


def _lifted_filters(weight: Tensor) -> Tensor:
    """(outputs, inputs, 3, 3) to (36, outputs, inputs)."""
    outputs, inputs = weight.shape[:2]
    return (_LIFT_FILTER @ weight.permute(2, 3, 0, 1).reshape(9, -1)).view(_PLACES, outputs, inputs)


def _lifted_filters_back(of_filters: Tensor) -> Tensor:
    """The transpose of `_lifted_filters`."""
    outputs, inputs = of_filters.shape[1:]
    return (_LIFT_FILTER.mT @ of_filters.view(_PLACES, -1)).view(3, 3, outputs, inputs).permute(2, 3, 0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tiles:
    """Working memory for the tiles of a few images, `down` times `across` on each; each method writes over it."""

    images: int
    down: int
    across: int
    padded: Tensor  # (images, 4 down + 2, 4 across + 2, inputs), zero at its border
    pieces: Tensor  # (36, tiles, inputs)
    lifted: Tensor  # (36, tiles, inputs)
    products: Tensor  # (36, tiles, outputs)
    lowered: Tensor  # (16, tiles, outputs)
    folded: Tensor  # (images, down + 1, 4, across + 1, 4, inputs)

    def lift(self, pixels: Tensor, lifted: Tensor) -> Tensor:
        """(images, H, W, inputs) to `lifted`, of the shape of this one's own; gives it."""
        self.padded[:, 1:-1, 1:-1].copy_(pixels)
        image, row, column, _ = self.padded.stride()
        overlapping = self.padded.as_strided(
            (_LIFTED, _LIFTED, self.images, self.down, self.across, pixels.shape[3]),
            (row, column, image, _TILE * row, _TILE * column, 1),
        )
        self.pieces.view(overlapping.shape).copy_(overlapping)
        torch.mm(_LIFT_IMAGE, self.pieces.view(_PLACES, -1), out=lifted.view(_PLACES, -1))
        return lifted

    def lift_back_into(self, of_pixels: Tensor) -> None:
        """The transpose of `lift`: `lifted` to (images, H, W, inputs).

        Tiles overlap by two pixels, so a pixel is in up to four of them and their shares are added up. In `folded`, the
        padded picture in steps of one tile, the first four rows or columns of a tile are its own and the others its
        neighbour's: four blocks, and no loop over places.
        """
        torch.mm(_LIFT_IMAGE.mT, self.lifted.view(_PLACES, -1), out=self.pieces.view(_PLACES, -1))
        shape = (_LIFTED, _LIFTED, self.images, self.down, self.across, of_pixels.shape[3])
        pieces = self.pieces.view(shape).permute(2, 3, 0, 4, 1, 5)
        folded, down, across, rest = self.folded, self.down, self.across, _LIFTED - _TILE
        folded[:, down:].zero_()
        folded[:, :, :, across:].zero_()
        folded[:, :down, :, :across].copy_(pieces[:, :, :_TILE, :, :_TILE])
        folded[:, 1:, :rest, :across].add_(pieces[:, :, _TILE:, :, :_TILE])
        folded[:, :down, :, 1:, :rest].add_(pieces[:, :, :_TILE, :, _TILE:])
        folded[:, 1:, :rest, 1:, :rest].add_(pieces[:, :, _TILE:, :, _TILE:])
        height, width = of_pixels.shape[1:3]
        whole = folded.view(self.images, height + _TILE, width + _TILE, -1)
        of_pixels.copy_(whole[:, 1 : height + 1, 1 : width + 1])

    def lower_into(self, out: Tensor, bias: Tensor | None) -> None:
        """`products` to (images, H, W, outputs), with the bias (outputs,)."""
        torch.mm(_LOWER, self.products.view(_PLACES, -1), out=self.lowered.view(len(_LOWER), -1))
        if bias is not None:
            self.lowered.add_(bias)
        self._tiles_of(out).copy_(self._lowered_tiles())

    def lower_back(self, of_out: Tensor) -> None:
        """The transpose of `lower_into`."""
        self._lowered_tiles().copy_(self._tiles_of(of_out))
        torch.mm(_LOWER.mT, self.lowered.view(len(_LOWER), -1), out=self.products.view(_PLACES, -1))

    def _tiles_of(self, pixels: Tensor) -> Tensor:
        """(images, H, W, C) to (images, down, 4, across, 4, C), the same memory."""
        return pixels.view(self.images, self.down, _TILE, self.across, _TILE, -1)

    def _lowered_tiles(self) -> Tensor:
        """`lowered` in the order of `_tiles_of`."""
        by_tile = self.lowered.view(_TILE, _TILE, self.images, self.down, self.across, -1)
        return by_tile.permute(2, 3, 0, 4, 1, 5)


class _Scratch(threading.local):
    """Memory of this thread that is used again and again: to ask the system for it each time would cost more.

    It grows to what the largest layer needs, a few MiB for pictures of 32x32.
    """

    buffer = torch.empty(0, device="cpu")

    def split(self, sizes: list[int]) -> tuple[Tensor, ...]:
        """Flat float32 pieces of these lengths, with whatever they held."""
        # each begins on a cache line: speed, and sums that MKL would order otherwise for another alignment
        rounded = [-(-size // _LINE) * _LINE for size in sizes]
        if self.buffer.numel() < sum(rounded):
            # what is made in inference mode could not be written to in a training after it
            with torch.inference_mode(False):
                self.buffer = torch.empty(sum(rounded), dtype=torch.float32, device="cpu")
        pieces = self.buffer[: sum(rounded)].split_with_sizes(rounded)
        return tuple(piece[:size] for piece, size in zip(pieces, sizes, strict=True))


_scratch = _Scratch()


def _parts(shape: torch.Size, inputs: int, outputs: int) -> Iterator[tuple[slice, _Tiles]]:
    """A few images of (N, H, W, any) at a time, at least one: which, and the memory to work on them."""
    images, height, width, _ = shape
    down, across = height // _TILE, width // _TILE
    wanted = max(_TILES, _TILES_TIMES_CHANNELS // (inputs + outputs))
    most = max(1, wanted // (down * across))
    tiles: _Tiles | None = None
    for start in range(0, images, most):
        number = min(most, images - start)
        if tiles is None or tiles.images != number:
            tiles = _working_memory(number, down, across, inputs, outputs)
        yield slice(start, start + number), tiles


def _working_memory(images: int, down: int, across: int, inputs: int, outputs: int) -> _Tiles:
    number = images * down * across
    shapes = {
        "padded": (images, _TILE * down + 2, _TILE * across + 2, inputs),
        "pieces": (_PLACES, number, inputs),
        "lifted": (_PLACES, number, inputs),
        "products": (_PLACES, number, outputs),
        "lowered": (_TILE**2, number, outputs),
        "folded": (images, down + 1, _TILE, across + 1, _TILE, inputs),
    }
    pieces = _scratch.split([torch.Size(shape).numel() for shape in shapes.values()])
    named = {name: piece.view(shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)}
    padded = named["padded"]
    for edge in (padded[:, :1], padded[:, -1:], padded[:, :, :1], padded[:, :, -1:]):
        edge.zero_()
    return _Tiles(images=images, down=down, across=across, **named)
