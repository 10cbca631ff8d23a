"""One picture of any kind as the network gets it: uint8, so many channels, so many pixels of each side."""

import io
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from db.errors import DataError
from scheduler.config import CHANNELS, SIDE
from worker.host import host_memory
from worker.splits import Part

# no other reader of Pillow is ever tried: some start programs or are seldom used
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM")
_GREY = frozenset({"1", "L", "LA", "I", "I;16", "F"})
_COPIES = 3  # of all pictures: those read, those of the parts, those as a training holds them


class Picture(NamedTuple):
    """`pixels` (channels, side, side) uint8; whether it had to be scaled, and whether colours were given up."""

    pixels: NDArray[np.uint8]
    scaled: bool
    greyed: bool


def read_image(
    data: bytes, place: str | Path, side: int = SIDE, channels: int = CHANNELS, *, fix: str = "mend or remove that file"
) -> Picture:
    """An encoded picture. Raises DataError naming `place`.

    Grey becomes RGB or the other way round (luminance, ITU-R 601-2), transparency is dropped, of a moving picture the
    first frame counts, a photo's orientation is applied. Other sizes are scaled with Pillow's antialiased bilinear
    filter, aspect ratio ignored.
    """
    try:
        with warnings.catch_warnings():
            # what Pillow only warns of is no reason to refuse a picture, save one of absurd size
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _decoded(data, side, channels)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = "not an image, or cut short" if isinstance(error, UnidentifiedImageError) else str(error)
        raise DataError(f"cannot read the image {place}: {reason}", fix=fix) from error


def converted(picture: NDArray[np.uint8], side: int, channels: int) -> NDArray[np.uint8]:
    """(height, width) grey or (height, width, 3) uint8 to (channels, side, side), as `read_image` does it."""
    return _shaped(Image.fromarray(picture), side, channels)


def resized(part: Part, side: int, channels: int) -> Part:
    """The part's pictures, (N, 1 or 3, height, width), in that form."""
    if part.images.shape[1:] == (channels, side, side):
        return part
    images = np.empty((len(part.images), channels, side, side), np.uint8)
    for index, image in enumerate(part.images):
        images[index] = converted(image[0] if len(image) == 1 else image.transpose(1, 2, 0), side, channels)
    return Part(images=images, labels=part.labels)


def room_for(images: int, side: int, channels: int, place: object) -> NDArray[np.uint8]:
    """An empty array of so many pictures. Raises DataError when memory has no room for what a training makes of it."""
    needed, free = _COPIES * images * side * side * channels, host_memory().free_mib * 2**20
    if needed > free:
        message = (
            f"{place}: {images:,} pictures of {side}x{side}x{channels} need some {needed / 2**30:,.1f} GiB of memory, "
            f"{free / 2**30:,.1f} are free"
        )
        raise DataError(message, fix="lower image_size in [suite], or take fewer pictures or a larger machine")
    return np.empty((images, channels, side, side), np.uint8)


def notices_of(images: int, scaled: int, greyed: int, side: int) -> tuple[str, ...]:
    """What a reader should know of how so many pictures were read."""
    told = []
    if scaled:
        told.append(f"{scaled:,} of {images:,} images were scaled to {side}x{side}, aspect ratio ignored")
    if greyed:
        told.append(f"the colours of {greyed:,} of {images:,} images were given up for their luminance (channels = 1)")
    return tuple(told)


def _decoded(data: bytes, side: int, channels: int) -> Picture:
    with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
        scaled, greyed = opened.size != (side, side), channels == 1 and opened.mode not in _GREY
        opened.draft("RGB", (4 * side, 4 * side))  # lets JPEG skip detail that scaling would drop
        image = _rgb(ImageOps.exif_transpose(opened))
    return Picture(_shaped(image, side, channels), scaled, greyed)


def _shaped(image: Image.Image, side: int, channels: int) -> NDArray[np.uint8]:
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    image = image.convert("L" if channels == 1 else "RGB")
    return np.asarray(image).reshape(side, side, channels).transpose(2, 0, 1)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey, which `convert` would clip to white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")
