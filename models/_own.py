"""Code of a user's own, loaded from text into modules that nobody else sees.

A module `nets` of a bundle lives in `sys.modules` as `_bench_own_<sha>.nets`, so that what looks a class up by its
module (pickle, dataclasses, typing, inspect) finds it. `import nets` within the bundle means this one: each of its
modules has builtins of its own, whose `__import__` looks into the bundle first. So a user's `models/` or `db/` replaces
none of bench's rooms, and two versions of one file live beside each other in one process.
"""

import builtins
import importlib
import importlib.abc
import linecache
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import torch

from models._code import OwnCode, OwnNetworkError, lies_with_python
from models._switches import put_back

_PREFIX = "_bench_own_"
_MOST_SAID = 300  # characters of what an error says
_SEED = 0  # of what modules draw when they are loaded
_IN_NAME = 16  # hex digits of the sum: enough for all bundles of one process
_bundles: dict[str, "_Bundle"] = {}  # by the name of its package


def loaded(model: str, own: OwnCode) -> Callable[..., Any]:
    """What FILE.py:NAME or MODULE:NAME stands for. Raises OwnNetworkError, with the user's own error as its cause."""
    place, _, name = model.partition(":")
    full = f"{_bundle(own).package}.{dotted(place)}" if own.content else place
    try:
        with put_back():
            module = importlib.import_module(full)
            found = getattr(module, name)
    except (Exception, SystemExit) as error:
        raise told(model, "cannot be loaded", error, own) from error
    if not callable(found):
        raise OwnNetworkError(f"{model} is no class or function", fix="name what makes the network")
    made: Callable[..., Any] = found
    return made


def told(
    model: str, what: str, error: BaseException, own: OwnCode, *, fix: str = "mend the network"
) -> OwnNetworkError:
    """The error of a user's code in one line, with the last line of theirs that it went through."""
    said = " ".join(str(error).split()).replace(f"{_PREFIX}{own.name[:_IN_NAME]}.", "").replace(f"{own.folder}/", "")
    said = said if len(said) <= _MOST_SAID else f"{said[:_MOST_SAID]}..."
    if isinstance(error, OSError) and str(error.filename).startswith(f"{own.folder}/"):
        fix = "write what it reads into its Python code: no other file travels with it"
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith(_PREFIX):
        fix = f"install {error.name.partition('.')[0]}, or mend the import"
    line = f"{model} {what}: {type(error).__name__}{': ' if said else ''}{said}{_where(error, own)}"
    return OwnNetworkError(line, fix=fix)


def _where(error: BaseException, own: OwnCode) -> str:
    folder = f"{own.folder}/"
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((error.filename, error.lineno))
    theirs = [(name.removeprefix(folder), line) for name, line in frames if name.startswith(folder)]
    return f" ({theirs[-1][0]}:{theirs[-1][1]})" if theirs and own.content else ""


def past_the_bundle(own: OwnCode, before: Collection[str]) -> list[str]:
    """Modules of the bundle's own packages that Python has loaded from a disk since only `before` were loaded.

    By a name that was computed, `importlib.import_module` say: an edit of theirs would be seen by nobody.
    """
    if not own.content:
        return []
    tops = _bundle(own).tops.difference(before)
    new = [name for name in sys.modules if name.partition(".")[0] in tops]
    return sorted(
        name for name in new if not lies_with_python(Path(getattr(sys.modules[name], "__file__", None) or ""))
    )


def _bundle(own: OwnCode) -> "_Bundle":
    package = _PREFIX + own.name[:_IN_NAME]
    if package not in _bundles:
        if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
            sys.meta_path.append(_Finder())
        _bundles[package] = _Bundle(package, own)
    return _bundles[package]


def dotted(path: str) -> str:
    """`a/b.py` and `a/b/__init__.py` to `a.b`."""
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class _Bundle:
    """The modules of one bundle, in a package of their own; each is executed when it is first imported."""

    def __init__(self, package: str, own: OwnCode) -> None:
        self.package, self.folder = package, own.folder
        self.paths = {dotted(path): path for path in own.sources()}
        self.texts = own.sources()
        # folders without an __init__.py are packages too
        above = (".".join(folder.parts) for path in self.texts for folder in PurePosixPath(path).parents)
        self.folders = {name for name in above if name and name not in self.paths}
        self.tops = {name.partition(".")[0] for name in (*self.paths, *self.folders)}
        self.builtins = {**vars(builtins), "__import__": self.import_}
        for path, text in self.texts.items():
            # without a time: linecache then never asks the disk whether it has changed
            linecache.cache[self.file(path)] = (len(text), None, text.splitlines(keepends=True), self.file(path))

    def file(self, path: str) -> str:
        return f"{self.folder}/{path}"

    def import_(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the names that Python gives them
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """`__import__` for the bundle's code: absolute names mean the bundle's modules before all others."""
        top = name.partition(".")[0]
        if level or top not in self.tops:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        found = builtins.__import__(f"{self.package}.{name}", globals, locals, fromlist or (), 0)
        return found if fromlist else sys.modules[f"{self.package}.{top}"]


class _Finder(importlib.abc.MetaPathFinder):
    """Knows the modules of all bundles, and no others."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        bundle = _bundles.get(package)
        if bundle is None:
            return None
        if name in bundle.folders or not name:
            return ModuleSpec(fullname, _Loader(bundle, ""), is_package=True)
        if name not in bundle.paths:
            return None
        source = bundle.paths[name]
        is_package = PurePosixPath(source).name == "__init__.py"
        spec = ModuleSpec(fullname, _Loader(bundle, source), origin=bundle.file(source), is_package=is_package)
        spec.has_location = True  # so that the module has a `__file__`
        return spec


class _Loader(importlib.abc.InspectLoader):
    """Executes one source of a bundle, or makes the empty module of a folder."""

    def __init__(self, bundle: _Bundle, path: str) -> None:
        self._bundle, self._path = bundle, path

    def get_source(self, fullname: str) -> str:
        return self._bundle.texts.get(self._path, "")

    def exec_module(self, module: ModuleType) -> None:
        """What it draws from torch's generator while it is loaded is the same in every process."""
        code = compile(self.get_source(module.__name__), self._bundle.file(self._path), "exec", dont_inherit=True)
        vars(module)["__builtins__"] = self._bundle.builtins
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            exec(code, vars(module))  # noqa: S102 - what the user submitted to be run
