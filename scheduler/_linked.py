"""Packages that Python finds as source: installed as editable, or on a path that somebody added.

Their version does not tell their code, so it is read like that of a file beside the suite. Finding them runs nothing.
"""

import sys
from functools import cache
from importlib import metadata, util
from importlib.machinery import ModuleSpec
from pathlib import Path

from models import lies_with_python

ROOMS = frozenset({"bench", "cli", "db", "models", "report", "scheduler", "worker"})
"""bench's packages, which nobody else means."""
_OF_EVERY_WORKER = frozenset({"numpy", "torch", "torchvision"})  # also where they were built from source


def linked_folders(top: str) -> tuple[Path, ...]:
    """Where the source of the package or module `top` lies, without `.py`; nothing where it is none, or installed.

    Several are the parts of a package without an __init__.py.
    """
    if top in ROOMS or top in _OF_EVERY_WORKER or top in sys.stdlib_module_names:
        return ()
    spec = found_spec(top)
    if spec is None:
        return ()
    if spec.submodule_search_locations is not None:
        found = [Path(place) for place in spec.submodule_search_locations]
    else:
        found = [Path(spec.origin).with_suffix("")] if spec.origin and spec.has_location else []
    return tuple(path for path in found if _is_there(path) and not _is_copied(path, top))


def found_spec(top: str) -> ModuleSpec | None:
    try:
        return util.find_spec(top)
    except (ImportError, ValueError):
        return None


def _is_there(path: Path) -> bool:
    """Finders of editable packages name places that are none, and an archive's files are none either."""
    return path.is_dir() or path.with_suffix(".py").is_file()


def _is_copied(path: Path, top: str) -> bool:
    """With Python, or by an installer that copied it: among such packages, or beside its record (`--target`)."""
    return lies_with_python(path) or top in _recorded(path.parent, path.parent.stat().st_mtime_ns)


@cache
def _recorded(folder: Path, changed_ns: int) -> frozenset[str]:
    """Packages and modules in a folder that its records list; asked for each import, and slow where it has many."""
    beside = metadata.distributions(path=[str(folder)])
    recorded = (one.files or () for one in beside if one.read_text("RECORD") is not None)
    return frozenset(file.parts[0].removesuffix(".py") for files in recorded for file in files)
