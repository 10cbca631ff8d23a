"""Snapshots on any fsspec file system, as safetensors: written aside, made durable, then put in place in one step.

The newest two are kept. A damaged one is passed over for the one before; nothing is ever unpickled.
"""

import json
import os
from pathlib import Path
from typing import Any

import fsspec
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from scheduler.config import ENGINE_REVISION
from worker.snapshot import Snapshot

_KEPT = 2
_SUFFIX = ".safetensors"


class Checkpoints:
    """The checkpoints of one job in a folder of its own; job, data and engine must match for one to be used."""

    def __init__(self, url: str, *, key: str, data: str = "") -> None:
        self._files, self._folder = fsspec.core.url_to_fs(url)
        self._head = {"key": key, "data": data, "engine": ENGINE_REVISION}
        self._number = 0

    def save(self, snapshot: Snapshot) -> None:
        """Replace the oldest of those kept; until this one is safe the others stay."""
        content = save_tensors(snapshot.tensors, metadata={"bench": json.dumps(self._head | {"state": snapshot.state})})
        present = self._present()
        self._number = max([self._number, *(_number(name) for name in present)]) + 1
        self._files.makedirs(self._folder, exist_ok=True)
        self._put(f"{self._folder}/{self._number:08d}{_SUFFIX}", content)
        for name in present[: max(0, len(present) + 1 - _KEPT)]:
            self._files.rm_file(name)

    def load(self) -> tuple[Snapshot | None, str]:
        """The newest usable snapshot, and in words which ones were passed over and why (empty: none)."""
        warnings: list[str] = []
        for name in reversed(self._present()):
            try:
                return self._read(name), "; ".join(warnings)
            except Exception as error:  # a damaged file may fail in any way; the one before it is as good as none
                warnings.append(f"checkpoint {Path(name).name} was passed over: {type(error).__name__}: {error}")
        if warnings:
            warnings.append("training starts from the beginning")
        return None, "; ".join(warnings)

    def clear(self) -> None:
        """Remove them all."""
        if self._files.exists(self._folder):
            self._files.rm(self._folder, recursive=True)

    def _read(self, name: str) -> Snapshot:
        content = self._files.cat_file(name)
        length = int.from_bytes(content[:8], "little")
        head: dict[str, Any] = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["bench"])
        for field, wanted in self._head.items():
            if head[field] != wanted:
                raise ValueError(f"its {field} is {head[field]!r}, not {wanted!r}")
        return Snapshot(load_tensors(content), head["state"])

    def _present(self) -> list[str]:
        """Paths of the checkpoints, oldest first; what was not written to its end has another suffix."""
        if not self._files.exists(self._folder):
            return []
        names = [str(name) for name in self._files.ls(self._folder, detail=False)]
        return sorted(name for name in names if name.endswith(_SUFFIX))

    def _put(self, path: str, content: bytes) -> None:
        if not _is_local(self._files):
            self._files.pipe_file(path, content)  # object stores show a file only when it is whole
            return
        partial = f"{path}.{os.getpid()}.partial"
        with open(partial, "wb") as file:  # noqa: PTH123 - as fsspec names it
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)  # noqa: PTH105


def _is_local(files: Any) -> bool:
    return "file" in (files.protocol if isinstance(files.protocol, tuple | list) else (files.protocol,))


def _number(name: str) -> int:
    stem = Path(name).name.removesuffix(_SUFFIX)
    return int(stem) if stem.isdigit() else 0
