"""The pictures of a user's `.npz` or Parquet as arrays, read piece by piece: memory holds them as they are kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.errors import DataError
from scheduler import npz_file, parquet_files
from scheduler.data_file import Columns, DataFile, StoredFile, files_of, fingerprint_of_files, read_labels
from scheduler.npz_file import NpzFile, Pictures
from scheduler.parquet_files import ParquetFiles, Shard
from scheduler.parts import PARTS
from worker.array_cache import Arrays
from worker.image_folder import not_read
from worker.pictures import Picture, converted, notices_of, read_image, room_for
from worker.splits import Part

_PIECE = 2**24  # bytes of raw pictures at once
_ROWS = 64  # encoded pictures at once


def read_data_file(path: Path, files: tuple[StoredFile, ...], side: int, channels: int, columns: Columns) -> Arrays:
    """All of it. Raises DataError naming the file, and the row of a picture that cannot be read.

    `files` are those that are there; when they change meanwhile that is an error.
    """
    fingerprint = fingerprint_of_files(path, files)
    data = read_labels(path, columns)
    images = {part: room_for(len(labels), side, channels, path) for part, labels in data.labels.items()}
    scaled = greyed = 0
    for part, row, picture in _pictures(data, side, channels):
        images[part][row] = picture.pixels
        scaled += picture.scaled
        greyed += picture.greyed
    if files_of(path) != files:
        raise DataError(f"{path} changed while it was read", fix="run again when it is complete")
    parts = {part: Part(images=images[part], labels=labels) for part, labels in data.labels.items()}
    count = sum(map(len, images.values()))
    return Arrays(
        classes=data.classes,
        train=parts["train"],
        val=parts.get("val"),
        test=parts.get("test"),
        files_fingerprint=fingerprint,
        notices=(
            *(f"the {what} are those of the column {name}" for what, name in _named(columns)),
            *notices_of(count, scaled, greyed, side),
            *not_read(data.ignored, "being of no known name"),
        ),
    )


def _named(columns: Columns) -> list[tuple[str, str]]:
    return [(what, name) for what, name in (("pictures", columns.image), ("labels", columns.label)) if name is not None]


def _pictures(data: DataFile, side: int, channels: int) -> Iterator[tuple[str, int, Picture]]:
    """The part, the row in it, and the picture."""
    if isinstance(data, NpzFile):
        return _of_npz(data, side, channels)
    assert isinstance(data, ParquetFiles)  # noqa: S101 - there is no third kind
    return _of_parquet(data, side, channels)


def _of_npz(data: NpzFile, side: int, channels: int) -> Iterator[tuple[str, int, Picture]]:
    with npz_file.opened(data.path) as archive:
        for part, stored in data.pictures.items():
            scaled = (stored.height, stored.width) != (side, side)
            greyed = stored.channels == 3 and channels == 1
            with npz_file.values_of(archive, stored.member) as values:
                for row, raw in enumerate(_raw(values, stored)):
                    yield part, row, Picture(converted(raw, side, channels), scaled, greyed)


def _raw(values: Any, stored: Pictures) -> Iterator[NDArray[np.uint8]]:
    """(height, width) or (height, width, 3), one by one, to the end of the member."""
    height, width, channels = stored.height, stored.width, stored.channels
    size = height * width * channels
    at_once = max(1, _PIECE // size)
    for start in range(0, stored.count, at_once):
        number = min(at_once, stored.count - start)
        data = values.read(number * size)
        if len(data) != number * size:
            raise EOFError(f"{stored.member.name} ends in picture {start + len(data) // size:,}")
        pictures = np.frombuffer(data, np.uint8)
        if stored.channels_first:
            pictures = pictures.reshape(number, channels, height, width).transpose(0, 2, 3, 1)
        else:
            pictures = pictures.reshape(number, height, width, channels)
        yield from (np.ascontiguousarray(one[..., 0] if channels == 1 else one) for one in pictures)
    values.read()  # nothing: only at its end zipfile compares the check sum


def _of_parquet(data: ParquetFiles, side: int, channels: int) -> Iterator[tuple[str, int, Picture]]:
    next_row = dict.fromkeys(data.labels, 0)
    for shard in data.shards:
        for row, encoded in enumerate(_encoded(shard, data.image)):
            if row >= len(shard.rows):
                break  # the file has grown since, which is told at the end
            part, place = PARTS[shard.rows[row]], f"in row {row} of {shard.path}"
            if not isinstance(encoded, bytes) or not encoded:
                fix = "store the pictures themselves in the file, not their paths"
                raise DataError(f"there is no picture {place}", fix=fix)
            picture = read_image(encoded, place, side, channels, fix="mend or remove that row")
            yield part, next_row[part], picture
            next_row[part] += 1


def _encoded(shard: Shard, column: str) -> Iterator[Any]:
    with parquet_files.opened(shard.path) as file:
        for batch in file.iter_batches(batch_size=_ROWS, columns=[column]):
            for value in batch.column(0).to_pylist():
                yield value.get("bytes") if isinstance(value, dict) else value
