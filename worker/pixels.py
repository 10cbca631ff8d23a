"""Colour and tone of whole batches of uint8 images, each image by a factor of its own.

Each function takes `pictures` (B, side, side, channels) uint8, 1 or 3 channels, and gives as many. All of them equal
torchvision's functions for uint8 tensors (`torchvision.transforms.v2.functional`) bit for bit: where those multiply and
add in one rounding (as processors with such an instruction do), so does `_added`, on any device. On a card nothing here
waits for it or has a shape that depends on values, so that all of it can be captured as a CUDA graph.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def only(chosen: Tensor, change: Callable[..., Tensor], pictures: Tensor, *own: Tensor) -> Tensor:
    """`change(pictures, *own)` for the pictures that `chosen` (B,) bool names, the others as they were.

    On a CPU only those are computed; on a card, where shapes must not depend on values, all of them.
    """
    if may_pick(pictures):
        rows = chosen.nonzero().flatten()
        if not len(rows):
            return pictures
        return pictures.index_copy(0, rows, change(pictures[rows], *(value[rows] for value in own)))
    return torch.where(chosen[:, None, None, None], change(pictures, *own), pictures)


def may_pick(pictures: Tensor) -> bool:
    return pictures.device.type == "cpu"


def brightness(pictures: Tensor, factor: Tensor) -> Tensor:
    return _bytes(pictures * _each(factor))


def contrast(pictures: Tensor, own: Tensor, mean: Tensor) -> Tensor:
    """`own` (B,) parts of the picture and `mean` (B,) parts of its mean grey."""
    grey = _grey(pictures)
    # a sum of whole numbers is exact in float64, in any order
    # by a tensor of the device: by a number, CUDA multiplies with the rounded reciprocal
    middle = grey.sum((1, 2, 3), dtype=torch.float64).float() / grey.new_full((), grey[0].numel())
    return _bytes(_added(pictures * _each(own), _each(middle), _each(mean)))


def saturation(pictures: Tensor, own: Tensor, grey: Tensor) -> Tensor:
    """`own` (B,) parts of the picture and `grey` (B,) parts of its grey; an image of one channel stays as it is."""
    if pictures.shape[-1] == 1:
        return pictures
    return _bytes(_added(pictures * _each(own), _grey(pictures), _each(grey)))


def hue(pictures: Tensor, shift: Tensor) -> Tensor:
    """`shift` (B,) of the circle of colours; an image of one channel stays as it is."""
    if pictures.shape[-1] == 1:
        return pictures
    planes = _planes(pictures) * (1 / 255)
    red, green, blue = planes.unbind(1)
    most = torch.maximum(torch.maximum(red, green), blue)
    span = most - torch.minimum(torch.minimum(red, green), blue)
    grey = span == 0
    chroma = span / most.masked_fill(grey, 1)
    r, g, b = ((most[:, None] - planes) / span.masked_fill(grey, 1)[:, None]).unbind(1)
    # 0 where that channel is the largest, else 1: products with it take a third of the time of `torch.where` on a CPU
    not_red, not_green = r.ceil(), g.ceil()
    place = (b - g) * (1 - not_red) + ((r + 2 - b) * (1 - not_green) + (g + 4 - r) * not_green) * not_red
    place = (place * (1 / 6) + 1).frac() + shift[:, None, None]
    place = (place - place.floor()) * 6
    sector = place.floor()
    return _last(_bytes(_from_hue(sector, place - sector, chroma, most) * 255.999))


def _from_hue(sector: Tensor, beyond: Tensor, chroma: Tensor, most: Tensor) -> Tensor:
    """Planes of red, green and blue in [0, 1]; `sector` is 0 to 6, and `beyond` how far in it a colour lies."""
    low = ((1 - chroma) * most).clamp(0, 1)
    falling = ((1 - chroma * beyond) * most).clamp(0, 1)
    rising = ((chroma * beyond + (1 - chroma)) * most).clamp(0, 1)
    # 1 in the sector of that number, else 0; the seventh is the first again
    at = [1 - (sector - number).abs().clamp(max=1) for number in range(7)]
    at[0] += at.pop()

    def channel(turned: int) -> Tensor:
        first, second, third, fourth, fifth, sixth = at[turned:] + at[:turned]
        return most * (first + sixth) + falling * second + low * (third + fourth) + rising * fifth

    return torch.stack((channel(0), channel(2), channel(4)), 1)


def sharpness(pictures: Tensor, blurred: Tensor) -> Tensor:
    """`blurred` (B,) parts of the blurred picture instead of itself; its border stays as it is."""
    if pictures.shape[1] <= 2:
        return pictures
    whole = pictures.int()
    rows = whole[:, :-2] + whole[:, 1:-1] + whole[:, 2:]
    within = whole[:, 1:-1, 1:-1]
    sums = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] + 4 * within
    nearest = (2 * sums + 13) // 26  # of thirteenths, which are never halfway
    inner = _bytes(_added(within.float(), nearest - within, _each(blurred)))
    done = pictures.clone()
    done[:, 1:-1, 1:-1] = inner
    return done


def posterize(pictures: Tensor, bits: Tensor) -> Tensor:
    """Of each byte the first `bits` (B,), 0 to 8."""
    away = (8 - bits).long().clamp(0, 8)
    return pictures & _each(256 - (torch.ones_like(away) << away)).to(torch.uint8)


def solarize(pictures: Tensor, threshold: Tensor) -> Tensor:
    """Inverted from `threshold` (B,), a share of 255, upwards."""
    return torch.where(pictures >= _each(255 * threshold), 255 - pictures, pictures)


def autocontrast(pictures: Tensor) -> Tensor:
    """Each channel stretched to the whole range."""
    values = _planes(pictures)
    least, most = values.amin((2, 3), keepdim=True), values.amax((2, 3), keepdim=True)
    even = least == most
    span = ((most - least) * (1 / 255)).masked_fill(even, 1)
    return _last(_bytes((values - least.masked_fill(even, 0)) / span))


def equalize(pictures: Tensor) -> Tensor:
    """Each channel's histogram made even, as PIL does it."""
    batch, side, _, channels = pictures.shape
    values = pictures.permute(0, 3, 1, 2).reshape(batch, channels, -1).long()
    counts = values.new_zeros(batch, channels, 256).scatter_add_(2, values, torch.ones_like(values))
    brightest = counts.gather(2, values.amax(2, keepdim=True))
    step = (side * side - brightest) // 255
    below = counts.cumsum(2) - counts
    # of the value 0 nothing is below, and it stays 0
    table = ((below + step // 2) // step.clamp(min=1)).clamp(0, 255)
    even = torch.where(step > 0, table.gather(2, values), values).to(torch.uint8)
    return _last(even.view(batch, channels, side, side))


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _bytes(values: Tensor) -> Tensor:
    return values.clamp(0, 255).to(torch.uint8)


def _added(base: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """`base + other * factor` in float32, rounded once: the product of two float32 is exact in float64."""
    return (base.double() + other.double() * factor.double()).float()


def _grey(pictures: Tensor) -> Tensor:
    """(B, side, side, 1) float32, whole numbers."""
    if pictures.shape[-1] == 1:
        return pictures.float()
    red, green, blue = (plane[..., None] for plane in _planes(pictures).unbind(1))
    grey = _added(red * 0.2989, green, pictures.new_full((), 0.587, dtype=torch.float32))
    return _added(grey, blue, pictures.new_full((), 0.114, dtype=torch.float32)).floor()


def _planes(pictures: Tensor) -> Tensor:
    """(B, channels, side, side) float32, one channel after the other in memory, which is faster to compute with."""
    return pictures.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)


def _last(planes: Tensor) -> Tensor:
    """The same with the channels last, as pictures are."""
    return planes.permute(0, 2, 3, 1).contiguous()
