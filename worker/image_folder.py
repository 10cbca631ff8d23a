"""An image folder as arrays: every picture of one size and kind, whatever it was."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from db.errors import DataError
from scheduler.config import CHANNELS, SIDE
from scheduler.image_files import ImageFile, ImageFolder, combined, read_bytes, scan
from worker.array_cache import Arrays
from worker.pictures import notices_of, read_image, room_for
from worker.splits import Part


def read_folder(folder: ImageFolder, side: int = SIDE, channels: int = CHANNELS) -> Arrays:
    """All images of the folder, in its order. Raises DataError naming a file that cannot be read."""
    images = room_for(len(folder.files), side, channels, folder.root)
    digests, scaled, greyed = [], 0, 0
    for index, file in enumerate(folder.files):
        data = read_bytes(folder.root / file.path)
        digests.append((file.path, hashlib.sha256(data).digest()))
        picture = read_image(data, folder.root / file.path, side, channels)
        images[index] = picture.pixels
        scaled += picture.scaled
        greyed += picture.greyed
    if scan(folder.root) != folder:
        raise DataError(f"{folder.root} changed while it was read", fix="run again when it is complete")
    given = {"train": folder.train, "val": folder.val, "test": folder.test}
    parts, start = {}, 0
    for name, files in given.items():
        if files is not None:
            parts[name] = Part(images=images[start : start + len(files)], labels=_labels(files))
            start += len(files)
    return Arrays(
        classes=folder.classes,
        train=parts["train"],
        val=parts.get("val"),
        test=parts.get("test"),
        files_fingerprint=combined(digests),
        notices=(
            *notices_of(len(images), scaled, greyed, side),
            *not_read(folder.ignored, "being no image by its ending"),
        ),
    )


def not_read(ignored: Sequence[str], why: str) -> tuple[str, ...]:
    """A notice that names the first of what was left out; none when nothing was."""
    if not ignored:
        return ()
    others = f" and {len(ignored) - 1:,} more" if len(ignored) > 1 else ""
    return (f"not read, {why}: {ignored[0]}{others}",)


def _labels(files: Sequence[ImageFile]) -> NDArray[np.int64]:
    return np.array([file.label for file in files], np.int64)
