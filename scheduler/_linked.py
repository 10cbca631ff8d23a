"""Packages that Python finds as source: installed as editable, or on a path that somebody added.

Their version does not tell their code, so it is read like that of a file beside the suite. Finding them runs nothing.
"""

import sys
from importlib import metadata, util
from importlib.machinery import ModuleSpec
from pathlib import Path

ROOMS = frozenset({"bench", "cli", "db", "models", "report", "scheduler", "worker"})
"""bench's packages, which nobody else means."""
_OF_EVERY_WORKER = frozenset({"numpy", "torch", "torchvision"})  # also where they were built from source
_INSTALLED = frozenset({"site-packages", "dist-packages"})


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
    return tuple(path for path in found if _is_there(path) and not _is_installed(path, top))


def found_spec(top: str) -> ModuleSpec | None:
    try:
        return util.find_spec(top)
    except (ImportError, ValueError):
        return None


def _is_there(path: Path) -> bool:
    """Finders of editable packages name places that are none, and an archive's files are none either."""
    return path.is_dir() or path.with_suffix(".py").is_file()


def _is_installed(path: Path, top: str) -> bool:
    """By an installer that copied it: it lies among such packages, or its record beside it lists it (`--target`)."""
    if any(folder.name in _INSTALLED for folder in path.parents):
        return True
    beside = metadata.distributions(path=[str(path.parent)])
    recorded = (one.files or () for one in beside if one.read_text("RECORD") is not None)
    return any(file.parts[0] in (top, f"{top}.py") for files in recorded for file in files)
