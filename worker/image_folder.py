"""An image folder as arrays: every picture in RGB and 32x32, whatever it was."""

import hashlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from db.errors import DataError
from scheduler.datasets import ImageFile, ImageFolder, combined, read_bytes, scan
from worker.array_cache import Arrays
from worker.splits import Part

SIZE = 32
# no other reader of Pillow is ever tried: some start programs or are seldom used
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM")


def read_folder(folder: ImageFolder) -> Arrays:
    """All images of the folder, in its order. Raises DataError naming a file that cannot be read.

    Grey becomes RGB, transparency is dropped, of a moving picture the first frame counts, a photo's orientation is
    applied. Other sizes are scaled to 32x32 with Pillow's antialiased bilinear filter, aspect ratio ignored.
    """
    images = np.empty((len(folder.files), 3, SIZE, SIZE), np.uint8)
    digests, scaled = [], 0
    for index, file in enumerate(folder.files):
        data = read_bytes(folder.root / file.path)
        digests.append((file, hashlib.sha256(data).digest()))
        images[index], changed = read_image(data, folder.root / file.path)
        scaled += changed
    if scan(folder.root) != folder:
        raise DataError(f"{folder.root} changed while it was read", fix="run again when it is complete")
    count = len(folder.train)
    return Arrays(
        classes=folder.classes,
        train=Part(images=images[:count], labels=_labels(folder.train)),
        test=Part(images=images[count:], labels=_labels(folder.test)),
        files_fingerprint=combined(digests),
        notices=_notices(folder, scaled),
    )


def read_image(data: bytes, path: Path) -> tuple[NDArray[np.uint8], bool]:
    """(3, 32, 32) uint8 and whether it had to be scaled. Raises DataError naming `path`."""
    try:
        with warnings.catch_warnings():
            # what Pillow only warns of is no reason to refuse a picture, save one of absurd size
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _decoded(data)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = "not an image, or cut short" if isinstance(error, UnidentifiedImageError) else str(error)
        raise DataError(f"cannot read the image {path}: {reason}", fix="mend or remove that file") from error


def _decoded(data: bytes) -> tuple[NDArray[np.uint8], bool]:
    with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
        scaled = opened.size != (SIZE, SIZE)
        opened.draft("RGB", (4 * SIZE, 4 * SIZE))  # lets JPEG skip detail that scaling would drop
        image = _rgb(ImageOps.exif_transpose(opened))
    if scaled:
        image = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.asarray(image).transpose(2, 0, 1), scaled


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey, which `convert` would clip to white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _labels(files: Sequence[ImageFile]) -> NDArray[np.int64]:
    return np.array([file.label for file in files], np.int64)


def _notices(folder: ImageFolder, scaled: int) -> tuple[str, ...]:
    notices = []
    if scaled:
        notices.append(f"{scaled:,} of {len(folder.files):,} images were scaled to 32x32, aspect ratio ignored")
    if folder.ignored:
        others = f" and {len(folder.ignored) - 1:,} more" if len(folder.ignored) > 1 else ""
        notices.append(f"not read, being no image by its ending: {folder.ignored[0]}{others}")
    return tuple(notices)
