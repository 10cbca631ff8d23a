"""Snapshots on any fsspec file system, as safetensors: written aside, made durable, then put in place in one step.

The newest two are kept. A damaged one is passed over for the one before; nothing is ever unpickled. A sum over tensors
and state is part of each, since one flipped bit in a weight would be read without a complaint.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from db.errors import StoreError
from db.records import Artifact
from scheduler.config import ENGINE_REVISION
from worker.artifacts import asked, in_short, is_local, opened
from worker.snapshot import Snapshot

_KEPT = 2
_SUFFIX = ".safetensors"
_PARTIAL = ".partial"
_FORMAT = 4  # raised whenever no training can go on from older ones
_HEAD_MOST = 64 * 2**20  # bytes; a real one has some kilobytes
_Answer = TypeVar("_Answer")


class Checkpoints:
    """The checkpoints of one job in a folder of its own; job, data and engine must match for one to be used.

    Names begin with the attempt that wrote them. One that was frozen, and writes after another attempt has gone on,
    sorts before that one's and removes none of them. Raises ConfigError for a URL that no file system is behind.
    """

    def __init__(self, url: str, *, key: str, data: str = "", attempt: int = 1) -> None:
        self._files, self._folder = opened(url)
        self._url = url
        self._head = {"key": key, "data": data, "engine": ENGINE_REVISION, "format": _FORMAT}
        self._attempt, self._number = attempt, 0

    def save(self, snapshot: Snapshot) -> None:
        """Replace the oldest of those kept; until this one is safe the others stay."""
        state = json.dumps(snapshot.state)
        head = self._head | {"state": state, "sum": _sum(snapshot.tensors, state)}
        content = save_tensors(snapshot.tensors, metadata={"bench": json.dumps(head)})
        self._number += 1
        self._files.makedirs(self._folder, exist_ok=True)
        self._put(f"{self._folder}/{self._attempt:06d}-{self._number:08d}{_SUFFIX}", content)
        self._remove([*self._own()[:-_KEPT], *self._left_over()])

    def load(
        self, check: Callable[[Snapshot], object] = lambda snapshot: None, *, patient: bool = False
    ) -> tuple[Snapshot | None, str]:
        """The newest usable snapshot, and in words which ones were passed over and why (empty: none).

        `check` raises for one that is whole and still of no use.

        A file system that does not answer says nothing about its files: `patient` raises StoreError for it, so that
        they can be asked for later; otherwise what it cannot give is passed over too.
        """
        try:
            names = self._asked(self._present)
        except StoreError as error:
            if patient:
                raise
            return None, f"{error}; training starts from the beginning"
        warnings: list[str] = []
        for name in reversed(names):
            try:
                found = self._read(name)
                check(found)
                return found, "; ".join(warnings)
            except Exception as error:  # a damaged file may fail in any way; the one before it is as good as none
                if patient and isinstance(error, StoreError):
                    raise
                warnings.append(f"checkpoint {Path(name).name} was passed over: {in_short(error)}")
        if warnings:
            warnings.append("training starts from the beginning")
        return None, "; ".join(warnings)

    def clear(self) -> None:
        """Remove them all."""
        with suppress(FileNotFoundError):  # never made, or another attempt was quicker
            self._files.rm(self._folder, recursive=True)

    def keep(self) -> list[Artifact]:
        """Remove all but this attempt's newest, and say where that one is."""
        own = self._own()
        self._remove([*own[:-1], *self._left_over()])
        return [self._artifact(name) for name in own[-1:]]

    def _asked(self, ask: Callable[[], _Answer]) -> _Answer:
        return asked(self._url, ask)

    def _artifact(self, name: str) -> Artifact:
        content = self._files.cat_file(name)
        url = str(self._files.unstrip_protocol(name))
        return Artifact(kind="checkpoint", url=url, sha256=sha256(content).hexdigest(), bytes=len(content))

    def _remove(self, names: list[str]) -> None:
        for name in names:
            with suppress(FileNotFoundError):  # an attempt that was frozen and woke up may clear the same folder
                self._files.rm_file(name)

    def _left_over(self) -> list[str]:
        """What attempts before this one left behind when they were killed while they wrote."""
        return [name for name in self._names() if name.endswith(_PARTIAL) and _attempt(name) < self._attempt]

    def _read(self, name: str) -> Snapshot:
        head = self._read_head(name)
        for field, wanted in self._head.items():
            if head.get(field) != wanted:
                raise ValueError(f"its {field} is {head.get(field)!r:.40}, not {wanted!r}")
        tensors = load_tensors(self._asked(lambda: self._files.cat_file(name)))
        if head["sum"] != _sum(tensors, head["state"]):
            raise ValueError("its content has changed since it was written")
        return Snapshot(tensors, json.loads(head["state"]))

    def _read_head(self, name: str) -> dict[str, Any]:
        """Before the rest is read: a file of another job, or one that claims an absurd length, costs no memory."""
        files = self._files
        found = self._asked(lambda: files.info(name))
        if found["type"] != "file":
            raise ValueError("it is no file")  # to open a pipe, say, would wait for ever
        length = int.from_bytes(self._asked(lambda: files.cat_file(name, start=0, end=8)), "little")
        if not 0 < length <= min(_HEAD_MOST, found["size"] - 8):
            raise ValueError("it is cut short, or not a checkpoint at all")
        header = json.loads(self._asked(lambda: files.cat_file(name, start=8, end=8 + length)))
        head: dict[str, Any] = json.loads(header["__metadata__"]["bench"])
        return head

    def _present(self) -> list[str]:
        """Paths of the checkpoints, oldest first; what was not written to its end has another suffix."""
        return sorted(name for name in self._names() if name.endswith(_SUFFIX))

    def _own(self) -> list[str]:
        """Those of this attempt and of the ones before it."""
        return [name for name in self._present() if _attempt(name) <= self._attempt]

    def _names(self) -> list[str]:
        self._files.invalidate_cache(self._folder)  # another host may have written since
        try:
            return [str(name) for name in self._files.ls(self._folder, detail=False)]
        except FileNotFoundError:
            return []

    def _put(self, path: str, content: bytes) -> None:
        if not is_local(self._files):
            self._files.pipe_file(path, content)  # object stores show a file only when it is whole
            return
        if _put_whole(path, content):
            return
        partial = f"{path}{_PARTIAL}"  # under the attempt's own name, so no other process writes it
        try:
            with open(partial, "wb") as file:  # noqa: PTH123 - as fsspec names it
                _write_durably(file, content)
            os.replace(partial, path)  # noqa: PTH105 - names are strings, as fsspec has them
        except BaseException:
            with suppress(OSError):
                os.remove(partial)  # noqa: PTH107 - on a full disk it has taken the room that the store needs
            raise
        _sync_folder(os.path.dirname(path))  # noqa: PTH120 - the same


def _write_durably(file: BinaryIO, content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _put_whole(path: str, content: bytes) -> bool:
    """Write a file that has no name until it is whole, so that whoever is killed meanwhile leaves nothing behind.

    False where the system or the disk cannot do so.
    """
    folder = os.path.dirname(path)  # noqa: PTH120 - names are strings, as fsspec has them
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
    except (OSError, AttributeError):  # a network disk; a system that is not Linux
        return False
    with os.fdopen(descriptor, "wb") as file:
        _write_durably(file, content)
        try:
            os.link(f"/proc/self/fd/{descriptor}", path)
        except OSError:  # there is no /proc, or something has that name
            return False
    _sync_folder(folder)
    return True


def clear_left_over(url: str, done_with: Callable[[list[str]], set[str]]) -> None:
    """Remove what jobs that are done could not, their worker being killed or the artifacts away at that moment.

    `done_with` says which of the keys, whose folders are below `url`, are of no more use.
    """
    files, folder = opened(url)
    try:
        names = [Path(str(name)).name for name in files.ls(folder, detail=False)]
    except FileNotFoundError:
        return
    for key in sorted(done_with(names)):
        with suppress(FileNotFoundError):  # another process that begins has been quicker
            files.rm(f"{folder}/{key}", recursive=True)


def _sum(tensors: dict[str, torch.Tensor], state: str) -> str:
    """sha256 of all that a snapshot holds."""
    whole = sha256(state.encode())
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        whole.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()


def _sync_folder(folder: str) -> None:
    """Until its folder is written too, a power cut may bring the old name back."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _attempt(name: str) -> int:
    """The attempt that wrote it; 0 for a name that is not ours."""
    first = Path(name).name.partition("-")[0]
    return int(first) if first.isdigit() else 0
