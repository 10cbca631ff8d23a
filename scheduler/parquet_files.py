"""Pictures and labels in Parquet: one file, or the shards of a folder as Hugging Face names them."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from db.errors import ConfigError, DataError
from scheduler.data_file import Columns, DataFile
from scheduler.labels import Raw, coded
from scheduler.parts import MOST_IMAGES, PARTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PART_OF = {"train": "train", "validation": "val", "valid": "val", "val": "val", "test": "test"}
_SHARD = re.compile(rf"({'|'.join(_PART_OF)})([-_.].*)?", re.IGNORECASE)
_NUMBERED = re.compile(r"(.*)-(\d+)-of-(\d+)")
_SPLIT = "split"


@dataclass(frozen=True, slots=True)
class _Kind:
    """Of columns: what they hold, their usual names, Hugging Face's word for such, and the suite's field for one."""

    what: str
    usual: tuple[str, ...]
    noted: str
    field: str


_PICTURES = _Kind("pictures", ("image", "img"), "Image", "image_column")
_LABELS = _Kind("labels", ("label", "labels"), "ClassLabel", "label_column")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A file, and of each of its rows the part that it belongs to, as an index of `PARTS`."""

    path: Path
    rows: "NDArray[np.int8]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetFiles(DataFile):
    """`image` is the column of pictures; the rows of a part follow each other as they do in the shards."""

    image: str
    shards: tuple[Shard, ...]


@dataclass(slots=True)
class _Read:
    """What the files have told so far."""

    raw: dict[str, list[Any]] = field(default_factory=dict)
    shards: list[Shard] = field(default_factory=list)


def read_parquet(path: Path, names: Sequence[str], columns: Columns) -> ParquetFiles:
    """Labels of `path` itself (name "") or of the files in it. Raises DataError naming file, column or row."""
    parts, ignored = _parts_of_files(path, names)
    read, class_names = _Read(), None
    image, label = columns
    for name, part in parts.items():
        with opened(path / name) as file:
            schema = file.schema_arrow
            features = _features(schema)
            # the first file says for all which columns are meant
            image = _column(path / name, schema, _PICTURES, image, features)
            label = _column(path / name, schema, _LABELS, label, features)
            _check_image(path / name, image, schema.field(image).type)
            class_names = class_names or _class_names(features, label)
            _read_file(path / name, file, label, part, read)
    raw = {part: read.raw[part] for part in PARTS if part in read.raw}
    if "train" not in raw:
        raise DataError(f"{path} has no training rows", fix="name a file train-0.parquet, or a row's split train")
    classes, labels = coded(raw, class_names, str(path))
    assert image is not None  # noqa: S101 - there was a file
    return ParquetFiles(
        path=path, classes=classes, labels=labels, image=image, shards=tuple(read.shards), ignored=ignored
    )


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file as pyarrow has it; whatever is wrong with its bytes, within the block too, is a DataError naming it.

    Raises ConfigError where pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        fix = "`pip install 'bench[parquet]'`, or `pip install pyarrow`; an .npz file needs nothing more"
        raise ConfigError("a Parquet file needs pyarrow, which is not installed", fix=fix) from error
    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        fix = "write it anew, for example with pyarrow.parquet.write_table"
        raise DataError(f"{path} is cut short, altered or no Parquet file: {reason}", fix=fix) from error


def _parts_of_files(path: Path, names: Sequence[str]) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """The part that each file's name says, None for a file by itself; and those of a folder whose names say none."""
    if [*names] == [""]:
        return {"": None}, ()
    parts: dict[str, str | None] = {}
    for name in names:
        found = _SHARD.fullmatch(name.rpartition(".")[0])
        if found:
            parts[name] = _PART_OF[found[1].lower()]
    if not parts:
        fix = "call them train-*.parquet, validation-*.parquet and test-*.parquet, or name one file"
        raise DataError(f"{path}: the names of its Parquet files do not tell their parts ({names[0]!a})", fix=fix)
    _check_whole(path, [*parts])
    return parts, tuple(name for name in names if name not in parts)


def _check_whole(path: Path, names: Sequence[str]) -> None:
    """Of `train-00000-of-00003` there have to be three."""
    counted: dict[tuple[str, int], set[int]] = {}
    for name in names:
        if found := _NUMBERED.fullmatch(name.rpartition(".")[0]):
            counted.setdefault((found[1], int(found[3])), set()).add(int(found[2]))
    for (stem, number), there in counted.items():
        if len(there) != number:
            message = f"{path} has {len(there)} of the {number} files {stem}-*-of-{number:05}.parquet"
            raise DataError(message, fix="put all of them there")


def _features(schema: Any) -> Mapping[str, Any]:
    """What Hugging Face notes of the columns; nothing where another program wrote the file."""
    try:
        found = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {name: of for name, of in found.items() if isinstance(of, dict)} if isinstance(found, dict) else {}


def _column(path: Path, schema: Any, kind: _Kind, named: str | None, features: Mapping[str, Any]) -> str:
    """The one that is named, else the only one that by its own name or by Hugging Face's note can be meant."""
    found = [one for one in schema.names if one in kind.usual or features.get(one, {}).get("_type") == kind.noted]
    there = ", ".join(map(str, schema.names[:12]))
    if named is not None and named not in schema.names:
        close = difflib.get_close_matches(named, schema.names)
        fix = f"did you mean {' or '.join(close)}?" if close else f"give {kind.field} one of its columns"
        raise DataError(f"{path}: no column is called {named} (there are {there})", fix=fix)
    if named is None and not found:
        usual = " or ".join(kind.usual)
        raise DataError(
            f"{path}: no column is called {usual} (there are {there})",
            fix=f'name that of the {kind.what} in [suite]: {kind.field} = "NAME"',
        )
    if named is None and len({*found}) > 1:
        message = f"{path}: several columns may be that of the {kind.what}: {', '.join(found)}"
        raise DataError(message, fix=f'name one in [suite]: {kind.field} = "{found[0]}"')
    chosen = found[0] if named is None else named
    if schema.names.count(chosen) > 1:
        raise DataError(f"{path}: two columns are called {chosen}", fix="rename one of them")
    return str(chosen)


def _class_names(features: Mapping[str, Any], label: str) -> list[str] | None:
    names = features.get(label, {}).get("names")
    return [str(name) for name in names] if isinstance(names, list) and names else None


def _check_image(path: Path, name: str, kind: Any) -> None:
    from pyarrow import types

    if types.is_struct(kind):
        at = kind.get_field_index("bytes")
        kind = kind.field(at).type if at >= 0 else None
    if kind is None or not (types.is_binary(kind) or types.is_large_binary(kind)):
        fix = "store each picture as the bytes of a PNG or JPEG file, or a struct of such bytes and a path"
        raise DataError(f"{path}: the column of pictures, {name}, holds no encoded ones", fix=fix)


def _read_file(path: Path, file: Any, label: str, part: str | None, read: _Read) -> None:
    import numpy as np

    if file.metadata.num_rows > MOST_IMAGES:
        raise DataError(f"{path} has {file.metadata.num_rows:,} rows", fix=f"take at most {MOST_IMAGES:,} pictures")
    by_row = part is None and _SPLIT in file.schema_arrow.names and label != _SPLIT
    table = file.read(columns=[label, _SPLIT] if by_row else [label])
    labels = _values(path, label, table.column(label))
    if by_row:
        parts = [_part_of_row(path, row, value) for row, value in enumerate(table.column(_SPLIT).to_pylist())]
    else:
        parts = [part or "train"] * len(labels)
    for one, value in zip(parts, labels, strict=True):
        read.raw.setdefault(one, []).append(value)
    read.shards.append(Shard(path=path, rows=np.array([PARTS.index(one) for one in parts], np.int8)))


def _part_of_row(path: Path, row: int, value: Any) -> str:
    part = _PART_OF.get(str(value).lower())
    if part is None:
        message = f"{path}: split {value!r} in row {row}"
        raise DataError(message, fix="a row's split is train, validation or test")
    return part


def _values(path: Path, name: str, column: Any) -> Raw:
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if not (types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind)):
        fix = "labels are whole numbers or text, one for each picture"
        raise DataError(f"{path}: the column of labels, {name}, holds {column.type}", fix=fix)
    values: list[Any] = column.to_pylist()
    if column.null_count:
        raise DataError(f"{path}: row {values.index(None)} has no label", fix="leave out rows without a label")
    return values
