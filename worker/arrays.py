"""A whole data set as uint8 arrays, and its copy on disk, so that images are decoded once."""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIDE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """Images (N, 3, 32, 32) uint8, labels (N,) int64 into `classes`."""

    classes: tuple[str, ...]
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    notices: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """sha256 of class names, shapes, images and labels."""
        digest = hashlib.sha256(json.dumps(self.classes).encode())
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def cached(folder: Path, name: str, manifest: str, read: Callable[[], Arrays]) -> tuple[Arrays, str]:
    """The arrays and their fingerprint, from disk when `manifest` is the same, else read and kept.

    Two at once are safe: each writes aside and puts its copy in place in one step. A damaged copy is made again.
    """
    path = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.npz"
    found = _load(path, manifest)
    if found:
        return found
    arrays = read()
    fingerprint = arrays.fingerprint()
    _keep(path, arrays, manifest, fingerprint)
    return arrays, fingerprint


def _load(path: Path, manifest: str) -> tuple[Arrays, str] | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            head = json.loads(str(kept["head"]))
            if head["manifest"] != manifest:
                return None
            arrays = Arrays(
                classes=tuple(head["classes"]),
                train_images=kept["train_images"],
                train_labels=kept["train_labels"],
                test_images=kept["test_images"],
                test_labels=kept["test_labels"],
                notices=tuple(head["notices"]),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    fingerprint = arrays.fingerprint()
    return (arrays, fingerprint) if fingerprint == head["fingerprint"] else None


def _keep(path: Path, arrays: Arrays, manifest: str, fingerprint: str) -> None:
    head = {
        "manifest": manifest,
        "fingerprint": fingerprint,
        "classes": arrays.classes,
        "notices": arrays.notices,
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            np.savez(
                file,
                head=np.array(json.dumps(head)),
                train_images=arrays.train_images,
                train_labels=arrays.train_labels,
                test_images=arrays.test_images,
                test_labels=arrays.test_labels,
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
