"""A NumPy `.npz` of pictures and labels. Nothing in it is unpickled, and no header in it is believed unchecked."""

import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from db.errors import DataError
from scheduler.data_file import DataFile
from scheduler.labels import Raw, coded
from scheduler.parts import MOST_IMAGES, PARTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LAYOUTS = (
    {part: (f"x_{part}", f"y_{part}") for part in PARTS},  # Keras
    {part: (f"{part}_images", f"{part}_labels") for part in PARTS},  # MedMNIST
    {"train": ("images", "labels")},
)
_NAMES = ("class_names", "classes")
_LARGEST_PICTURE = 2**26  # pixels
_MOST_LABELS = 2**28  # bytes
_DAMAGED = (
    *(OSError, EOFError, ValueError, KeyError, RuntimeError, RecursionError, MemoryError, SyntaxError, TypeError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError, NotImplementedError),
)
"""What `zipfile` and NumPy raise of bytes that are none of theirs, or encrypted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An array of the file as its header describes it; its values begin `offset` bytes into the unpacked member."""

    name: str
    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"
    fortran: bool
    offset: int

    @property
    def bytes(self) -> int:
        count = self.dtype.itemsize
        for length in self.shape:
            count *= length
        return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Pictures of one part: `count` of (height, width, channels) uint8, `channels_first` where they are stored so."""

    member: Member
    count: int
    height: int
    width: int
    channels: int
    channels_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NpzFile(DataFile):
    """`pictures` has the parts of `labels`."""

    pictures: Mapping[str, Pictures]


def read_npz(path: Path) -> NpzFile:
    """Its labels, and where its pictures are. Raises DataError naming the array and what is wrong with it."""
    with opened(path) as archive:
        members = _members(path, archive)
        names = _parts(path, members)
        pictures = {part: _pictures(path, members[images]) for part, (images, _) in names.items()}
        raw = {part: _labels(path, archive, members[labels]) for part, (_, labels) in names.items()}
        for part, (images, labels) in names.items():
            if len(raw[part]) != pictures[part].count:
                message = f"{path}: {images} has {pictures[part].count:,} pictures, {labels} {len(raw[part]):,} labels"
                raise DataError(message, fix="give each picture one label")
        given = next((members[name] for name in _NAMES if name in members), None)
        class_names = None if given is None else [str(name) for name in _labels(path, archive, given)]
    classes, coded_labels = coded(raw, class_names, str(path))
    read = {name for pair in names.values() for name in pair} | {*_NAMES}
    ignored = tuple(sorted(members.keys() - read))
    return NpzFile(path=path, classes=classes, labels=coded_labels, pictures=pictures, ignored=ignored)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; whatever is wrong with its bytes, within the block too, is a DataError that names it."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DataError:
        raise
    except _DAMAGED as error:
        reason = str(error) or type(error).__name__
        fix = "write it anew with numpy.savez_compressed"
        raise DataError(f"{path} is cut short, altered or no .npz file: {reason}", fix=fix) from error


def values_of(archive: zipfile.ZipFile, member: Member) -> IO[bytes]:
    """The member, read up to its first value."""
    file = archive.open(f"{member.name}.npy")
    file.read(member.offset)
    return file


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, Member]:
    found = {}
    for info in archive.infolist():
        name, dot, ending = info.filename.rpartition(".")
        if ending != "npy" or not dot:
            continue
        if name in found:
            raise DataError(f"{path} holds two arrays called {name!a}", fix="write it anew with numpy.savez_compressed")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others unpack without a bound
            raise ValueError(f"{name} is compressed in a way that NumPy never uses")
        with archive.open(info) as file:
            member = _header(name, file)
        if member.dtype.hasobject:
            fix = f"save text as text: {name}=numpy.asarray({name}, dtype=str)"
            raise DataError(f"{path}: {name} holds Python objects, which would have to be unpickled", fix=fix)
        if member.offset + member.bytes != info.file_size:
            message = f"{path}: {name} should have {member.bytes:,} bytes by its shape {member.shape}, but has others"
            raise DataError(message, fix="write it anew with numpy.savez_compressed")
        found[name] = member
    return found


def _header(name: str, file: IO[bytes]) -> Member:
    from numpy.lib import format as npy

    version = npy.read_magic(file)
    if version != (1, 0):  # the others are for tables of many columns, and their headers may be of any length
        raise ValueError(f"{name} is of version {version} of the format")
    shape, fortran, dtype = npy.read_array_header_1_0(file)
    if any(length < 0 for length in shape):
        raise ValueError(f"{name} has the shape {shape}")
    return Member(name=name, shape=shape, dtype=dtype, fortran=fortran, offset=file.tell())


def _parts(path: Path, members: Mapping[str, Member]) -> dict[str, tuple[str, str]]:
    """The names of images and labels of each part that is given."""
    found = [layout for layout in _LAYOUTS if any(name in members for pair in layout.values() for name in pair)]
    fix = "name them x_train, y_train, x_test, y_test; or train_images, train_labels, ...; or images, labels"
    if len(found) != 1 or not {*found[0]["train"]} <= {*members}:
        there = ", ".join(sorted(members)[:10]) or "none"
        raise DataError(f"{path}: its arrays do not tell what is what (there are {there})", fix=fix)
    given = {part: pair for part, pair in found[0].items() if any(name in members for name in pair)}
    for pair in given.values():
        for name, other in (pair, pair[::-1]):
            if name not in members:
                raise DataError(f"{path} has {other} but no {name}", fix=f"add {name}, or leave {other} out")
    return given


def _pictures(path: Path, member: Member) -> Pictures:
    place, shape = f"{path}: {member.name}", member.shape
    if member.dtype.str != "|u1":
        raise DataError(f"{place} holds {member.dtype}, not uint8", fix=_as_uint8(member))
    if member.fortran:
        raise DataError(f"{place} is stored column by column", fix="save numpy.ascontiguousarray of it")
    first = len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3)
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3) and not first):
        fix = "make it (N, height, width), or (N, height, width, 3) for colours"
        raise DataError(f"{place} has the shape {shape}, which is none of pictures", fix=fix)
    height, width = shape[2:] if first else shape[1:3]
    channels = 1 if len(shape) == 3 else shape[1] if first else shape[3]
    if not (shape[0] and 1 <= height * width <= _LARGEST_PICTURE):
        message = f"{place} has {shape[0]:,} pictures of {height}x{width}"
        raise DataError(message, fix="give at least one picture, each of up to 8,192x8,192 pixels")
    return Pictures(member=member, count=shape[0], height=height, width=width, channels=channels, channels_first=first)


def _as_uint8(member: Member) -> str:
    """How bright such values are meant would be a guess."""
    name = member.name
    if member.dtype.kind == "f":
        return f"save ({name} * 255).round().astype('uint8') of values from 0 to 1, or {name}.astype('uint8')"
    return f"save {name}.astype('uint8') of values from 0 to 255"


def _labels(path: Path, archive: zipfile.ZipFile, member: Member) -> Raw:
    place, shape = f"{path}: {member.name}", member.shape
    if len(shape) == 2 and shape[1] != 1 and shape[0]:
        message = f"{place} has the shape {shape}: several values for each picture"
        raise DataError(message, fix="give each picture one class, (N,); of one-hot rows that is argmax(1)")
    if len(shape) not in (1, 2):
        raise DataError(f"{place} has the shape {shape}", fix="make it (N,)")
    if member.dtype.kind not in "iuUS":
        raise DataError(f"{place} holds {member.dtype}", fix="labels are whole numbers or text")
    if member.bytes > _MOST_LABELS or shape[0] > MOST_IMAGES:
        message = f"{place} holds {shape[0]:,} labels of {member.bytes:,} bytes"
        raise DataError(message, fix="give each picture one short label, or a whole number and class_names")
    import numpy as np

    with archive.open(f"{member.name}.npy") as file:
        values: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    found = values.reshape(-1).tolist()
    return [one.decode() for one in found] if member.dtype.kind == "S" else found
