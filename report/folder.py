"""The files of a report: kept in memory until all of them are there, then put in place, each of them whole."""

import os
from collections.abc import Mapping
from pathlib import Path

from db.errors import ConfigError
from report.characters import visible


class Files:
    """By name below the report's folder. Nothing of an earlier report is touched before `put`."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def text(self, name: str, text: str) -> None:
        self._contents[name] = visible(text).encode("utf-8")

    def pictures(self, name: str, by_ending: Mapping[str, bytes]) -> None:
        self._contents |= {f"{name}.{ending}": content for ending, content in by_ending.items()}

    def put(self, out: Path) -> None:
        """Into `out`, in the order in which they came: a reader, or a second report, sees whole files alone.

        A link is replaced, never written through. Raises OSError; then some files are new and the others as before.
        """
        for folder in sorted({(out / name).parent for name in self._contents}):
            folder.mkdir(parents=True, exist_ok=True)
        for name, content in self._contents.items():
            _replace(out / name, content)


def check_writable(out: Path) -> None:
    """Make the folder, and raise ConfigError where no file could be written into it."""
    import tempfile

    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            return
    except OSError as error:
        raise ConfigError(f"cannot write into {out}: {error.strerror}", fix="give another --out") from error


def _replace(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
