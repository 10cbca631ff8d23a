"""Which data sets there are, and what identifies one: known without loading an image."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from db.errors import ConfigError, DataError

PUBLISHED = {"cifar100-20": 20, "cifar100": 100, "cifar10": 10, "digits": 10}
"""Names and class counts of the data sets that are the same everywhere."""

FOLDER = "folder:"
IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".webp"})
_LAYOUT = "lay it out as train/<class>/*.png and test/<class>/*.png, with the same classes in both"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetIdentity:
    """`fingerprint` is None for a published set, which its name identifies."""

    name: str
    classes: int
    fingerprint: str | None = None


def normalise(dataset: str) -> str:
    """The name as a config keeps it: a folder's path made absolute."""
    if not dataset.startswith(FOLDER):
        return dataset
    return FOLDER + str(Path(dataset.removeprefix(FOLDER)).expanduser().resolve())


def identify(dataset: str, data_dir: Path) -> DatasetIdentity:
    """What submit needs to know. Raises ConfigError for an unknown name, DataError for a folder that does not fit."""
    if dataset.startswith(FOLDER):
        root = Path(normalise(dataset).removeprefix(FOLDER))
        classes = image_folder_classes(root)
        return DatasetIdentity(name=normalise(dataset), classes=len(classes), fingerprint=folder_fingerprint(root))
    if dataset not in PUBLISHED:
        raise ConfigError(
            f"unknown data set {dataset!r}",
            fix=f"choose one of {', '.join(PUBLISHED)}, or folder:PATH for a folder of yours",
        )
    return DatasetIdentity(name=dataset, classes=PUBLISHED[dataset])


def image_folder_classes(root: Path) -> tuple[str, ...]:
    """The class names of an image folder, sorted. Raises DataError that names what is missing."""
    found = {}
    for part in ("train", "test"):
        folder = root / part
        if not folder.is_dir():
            raise DataError(f"the image folder {root} has no folder {part}/", fix=_LAYOUT)
        found[part] = tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir()))
        for name in found[part]:
            if not image_files(folder / name):
                raise DataError(
                    f"the class folder {folder / name} holds no image", fix="add images or remove the folder"
                )
    odd = sorted(set(found["train"]) ^ set(found["test"]))
    if odd:
        raise DataError(f"only one of train/ and test/ in {root} has the class {odd[0]!r}", fix=_LAYOUT)
    if len(found["train"]) < 2:
        raise DataError(f"the image folder {root} has {len(found['train'])} class, a comparison needs 2", fix=_LAYOUT)
    return found["train"]


def image_files(folder: Path) -> list[Path]:
    """The images of one class, sorted by name; hidden files and other kinds are passed over."""
    entries = sorted(folder.iterdir(), key=lambda path: path.name)
    return [path for path in entries if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")]


def folder_fingerprint(root: Path) -> str:
    """sha256 over relative name and content of every image of the folder, in a fixed order."""
    digest = hashlib.sha256()
    for part in ("train", "test"):
        for name in sorted(entry.name for entry in (root / part).iterdir() if entry.is_dir()):
            for path in image_files(root / part / name):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{part}/{name}/{path.name}\0{content}\n".encode())
    return digest.hexdigest()
