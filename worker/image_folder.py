"""Images from folders: train/<class>/* and test/<class>/*, any of PIL's usual kinds."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from db.errors import DataError
from scheduler.datasets import image_files, image_folder_classes
from worker.arrays import SIDE, Arrays


def manifest(root: Path) -> str:
    """Changes when a file is added, removed, renamed or rewritten; read without opening any."""
    digest = hashlib.sha256()
    classes = image_folder_classes(root)
    for part in ("train", "test"):
        for name in classes:
            for path in image_files(root / part / name):
                seen = path.stat()
                digest.update(f"{part}/{name}/{path.name}\0{seen.st_size}\0{seen.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def read_image_folder(root: Path) -> Arrays:
    """All images as uint8 RGB, resized to 32 x 32 where they are not. Raises DataError naming the file."""
    classes = image_folder_classes(root)
    resized = 0
    parts = []
    for part in ("train", "test"):
        images, labels = [], []
        for label, name in enumerate(classes):
            for path in image_files(root / part / name):
                pixels, changed = _read(path)
                images.append(pixels)
                labels.append(label)
                resized += changed
        parts.append((np.stack(images), np.array(labels, dtype=np.int64)))
    notices = (f"{resized:,} images were resized to {SIDE} x {SIDE} pixels, proportions ignored",) if resized else ()
    return Arrays(
        classes=classes,
        train_images=parts[0][0],
        train_labels=parts[0][1],
        test_images=parts[1][0],
        test_labels=parts[1][1],
        notices=notices,
    )


def _read(path: Path) -> tuple[NDArray[np.uint8], bool]:
    try:
        with Image.open(path) as image:
            picture = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"cannot read the image {path}: {error}", fix="replace or remove that file") from error
    changed = picture.size != (SIDE, SIDE)
    if changed:
        picture = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(picture, dtype=np.uint8).transpose(2, 0, 1), changed
