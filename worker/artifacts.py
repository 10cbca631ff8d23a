"""The place of checkpoints, on any fsspec file system, opened without PyTorch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import fsspec

from db.errors import ConfigError, StoreError
from scheduler.urls import scrubbed, shown

_Answer = TypeVar("_Answer")
_FIX = "start it, or correct BENCH_ARTIFACTS_URL"


def opened(url: str) -> tuple[Any, str]:
    """The file system behind the URL and the path there. Raises ConfigError, without a secret of the URL's."""
    try:
        files, folder = fsspec.core.url_to_fs(url)
    except Exception as error:  # each file system has errors of its own; some show the URL that they were given
        message = f"the artifacts at {shown(url)} cannot be opened: {type(error).__name__}: {scrubbed(str(error), url)}"
        # not `from error`: the traceback that the store keeps would show it
        raise ConfigError(message, fix="correct BENCH_ARTIFACTS_URL on this worker") from None
    return files, folder


def asked(url: str, ask: Callable[[], _Answer]) -> _Answer:
    """What the file system answers; that there is no such file is an answer too. Raises StoreError without one."""
    try:
        return ask()
    except (FileNotFoundError, MemoryError):
        raise
    except Exception as error:  # each file system has errors of its own
        said = scrubbed(in_short(error), url)
        raise StoreError(f"the artifacts at {shown(url)} do not answer: {said}", fix=_FIX) from None


def in_short(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


def is_local(files: Any) -> bool:
    return "file" in (files.protocol if isinstance(files.protocol, tuple | list) else (files.protocol,))


def local_folder(url: str) -> Path | None:
    """The folder that a `file://` URL names; None for another file system, which is not asked."""
    if "://" in url and not url.startswith("file://"):
        return None
    return Path(url.removeprefix("file://"))
