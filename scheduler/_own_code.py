"""The code of networks that a suite names by FILE.py:NAME or MODULE:NAME: found and read, never run, free of torch."""

import ast
import difflib
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from db.errors import ConfigError
from models import OwnCode, bundled, installed_version
from scheduler._linked import ROOMS, found_spec, linked_folders

_MOST_BYTES, _MOST_FILES = 2**20, 200
_NAME = re.compile(r"[^\W\d]\w*")
_COUNTED = "/./"  # after the folder from which the rest of a network's place counts, as rsync has it
_FORMS = 'write model = "nets.py:MyNet" for a file, or "package.module:MyNet" for a package'


class _File(NamedTuple):
    """A source: its path from where imports count, and where it lies."""

    name: str
    path: Path


def own_code(model: str, folder: Path) -> tuple[str, OwnCode]:
    """The network's name as a config keeps it, and its code. Raises ConfigError.

    Files count from `folder`, and so do packages that lie in it; all other packages are those that Python finds.
    `/FOLDER/./nets.py:MyNet` counts from that folder instead (`from_folder`).
    """
    place, _, name = model.rpartition(":")
    if not place or not _NAME.fullmatch(name):
        raise ConfigError(f"{model!r} names no network", fix=_FORMS)
    above, apart, inner = place.rpartition(_COUNTED)
    if apart and inner and Path(above).is_absolute():
        folder, place = Path(above), inner
    root = Path(os.path.normpath(folder.absolute()))
    if place.endswith(".py"):
        path = _path(root, place)
        return _of_a_file(root if path.is_relative_to(root) else path.parent, path, name)
    if not all(_NAME.fullmatch(part) for part in place.split(".")):
        raise ConfigError(f"{model!r} names no network", fix=_FORMS)
    top = place.partition(".")[0]
    if _is_local(root, top):
        found = _module_in([root / top], place)
        if found is None:
            raise ConfigError(f"there is no module {place} in {folder}", fix="name a module that is there")
        return _of_a_file(root, found.path, name)
    if linked_folders(top):
        return _of_a_linked_package(place, name)
    return f"{place}:{name}", OwnCode(_version(place))


def from_folder(model: str, folder: Path) -> str:
    """A network as suites in other folders have to name it, to mean what it means to one in `folder`."""
    place, colon, name = model.rpartition(":")
    if not colon or _COUNTED in place:
        return model
    root = os.path.abspath(folder)  # noqa: PTH100 - not resolved: behind a link, another host may have another real path
    if not place.endswith(".py"):
        return f"{root}{_COUNTED}{model}" if _is_local(Path(root), place.partition(".")[0]) else model
    path = _path(Path(root), place)
    inside = path.is_relative_to(root)
    return f"{root}{_COUNTED}{path.relative_to(root).as_posix()}:{name}" if inside else f"{path}:{name}"


def _path(root: Path, place: str) -> Path:
    return Path(os.path.normpath(root / os.path.expanduser(place)))  # noqa: PTH111 - pathlib's raises without a home


def _of_a_file(root: Path, path: Path, name: str) -> tuple[str, OwnCode]:
    if not path.is_file():
        raise ConfigError(f"there is no file {path}", fix="paths of networks count from the suite's own folder")
    return _taken_along([_File(path.relative_to(root).as_posix(), path), *_parents(root, path)], root, name)


def _of_a_linked_package(place: str, name: str) -> tuple[str, OwnCode]:
    """The same name and code as in a suite that lies in the folder above the package."""
    folders = linked_folders(place.partition(".")[0])
    if _module_in(folders, place) is None:
        what = f"there is no module {place} in {folders[0]}"
        raise ConfigError(
            what, fix="name a module that is there; what is compiled has to be installed, not as editable"
        )
    return _taken_along(_files_of(place, None), None, name)


def _taken_along(files: list[_File], root: Path | None, name: str) -> tuple[str, OwnCode]:
    """The network `name` of the first of these files, with all sources that they import."""
    sources, trees = _closure(files, root)
    first = files[0].name
    _check_name(first, trees[first], name)
    return f"{first}:{name}", bundled(sources)


def _closure(files: list[_File], root: Path | None) -> tuple[dict[str, str], dict[str, ast.Module]]:
    """The files and all sources that they import, and what those import: text and tree by path."""
    sources: dict[str, str] = {}
    trees: dict[str, ast.Module] = {}
    waiting, asked = list(files), dict[str, None]()
    while waiting:
        name, path = waiting.pop()
        if name in sources:
            continue
        sources[name] = _text(path)
        _check_size(files[0].path, sources)
        trees[name] = _tree(path, sources[name])
        imported = dict.fromkeys(_imports(name, trees[name]))
        waiting += [file for module in imported if module not in asked for file in _files_of(module, root)]
        asked |= imported
    return sources, trees


def _files_of(module: str, root: Path | None) -> list[_File]:
    """The sources that `import module` executes, its own first and then those of the packages above it.

    Of the suite's folder `root`, else of a package that is installed as editable; none of what is installed.
    """
    top, *inner = module.split(".")
    folders = (root / top,) if root is not None and _is_local(root, top) else linked_folders(top)
    own = _module_in(folders, module)
    above = (_module_in(folders, ".".join([top, *inner[:depth]])) for depth in range(len(inner)))
    return [*([own] if own else []), *(one for one in above if one and one.path.name == "__init__.py")]


def _module_in(folders: Iterable[Path], module: str) -> _File | None:
    """`folders` are those of the module's outermost package, or its own place without `.py`."""
    place = PurePosixPath(*module.split("."))
    for folder in folders:
        path = folder.joinpath(*place.parts[1:])
        if (inside := path / "__init__.py").is_file():
            return _File(f"{place}/__init__.py", inside)
        if (file := path.with_name(f"{path.name}.py")).is_file():
            return _File(f"{place}.py", file)
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")  # with \n alone at the ends of lines: the same sum on any system
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", fix="make it a readable file in UTF-8") from error


def _check_size(first: Path, sources: dict[str, str]) -> None:
    size = sum(len(text.encode()) for text in sources.values())
    if len(sources) > _MOST_FILES or size > _MOST_BYTES:
        what = f"{first} imports {len(sources)} files that are not installed, {size:,} bytes"
        limits = f"{_MOST_FILES} files and {_MOST_BYTES:,} bytes"
        fix = f"keep a network's code below {limits}, or install it as a package (not as editable)"
        raise ConfigError(what, fix=fix)


def _tree(path: Path, text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes say: whoever runs it hears of them
            return ast.parse(text, filename=str(path))
    except SyntaxError as error:
        line = f"line {error.lineno}: " if error.lineno else ""  # none of null bytes
        raise ConfigError(f"{path}: {line}{error.msg}", fix="mend that line") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{path}: not valid Python: {error}", fix="mend the file") from error


def _imports(relative: str, tree: ast.Module) -> Iterator[str]:
    """The modules that a file may import, by absolute name: of `from a import b` both `a` and `a.b`."""
    package = PurePosixPath(relative).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            if node.level > len(package) + 1:
                continue  # above the folder: Python refuses it as well
            base = ".".join([*above, *filter(None, [node.module])])
            yield from filter(None, [base])
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names if alias.name != "*")


def _parents(root: Path, path: Path) -> list[_File]:
    """The __init__.py of each package above it: they are executed first."""
    above = [folder for folder in path.parents if folder != root and folder.is_relative_to(root)]
    found = [folder / "__init__.py" for folder in above]
    return [_File(one.relative_to(root).as_posix(), one) for one in found if one.is_file()]


def _is_local(root: Path, top: str) -> bool:
    """Whether `import top` means the folder's own, as it would for a script that lies there.

    A folder without __init__.py does so only where nothing of that name is installed.
    """
    if _module_in([root / top], top) is not None:
        return True
    return (root / top).is_dir() and (top in ROOMS or not _is_installed(top))


def _is_installed(top: str) -> bool:
    if top in sys.stdlib_module_names:
        return True
    spec = found_spec(top)
    return spec is not None and spec.origin is not None  # without an origin it is a mere folder, too


def _check_name(relative: str, tree: ast.Module, name: str) -> None:
    names = set(_top_names(tree.body))
    if name in names or "*" in names or "__getattr__" in names:
        return
    known = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    close = difflib.get_close_matches(name, known)
    fix = f"did you mean {' or '.join(close)}?" if close else f"choose among {', '.join(known)}"
    raise ConfigError(f"{relative} has no {name}", fix=fix if known else f"define {name} there")


def _top_names(body: Iterable[ast.stmt]) -> Iterator[str]:
    """What a module's body gives a name to, in branches too; `*` where that cannot be seen."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        else:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    yield inner.id
                elif isinstance(inner, ast.Name) and inner.id in ("globals", "exec", "vars", "setattr"):
                    yield "*"
                elif isinstance(inner, ast.stmt) and inner is not node:
                    yield from _top_names([inner])


def _version(module: str) -> str:
    """NAME==VERSION of the distribution that a module is of, without the local part after a `+`."""
    top = module.partition(".")[0]
    names = [] if top in ROOMS else _distributions(top)
    if not names:
        what = f"no installed package has the module {module}"
        if top in sys.stdlib_module_names or top in ROOMS:
            what = f"{module} is a module of {'bench' if top in ROOMS else 'Python'} itself"
        fix = "put its folder or file beside the suite"
        if top not in ROOMS:
            fix = f"install the package, or {fix}"
        raise ConfigError(what, fix=fix)
    return f"{names[0]}=={installed_version(names[0])}"


def _distributions(top: str) -> list[str]:
    try:
        own = metadata.distribution(top)  # most have the name of their module, and reading all of them takes long
        if any(path.parts[:1] == (top,) for path in own.files or ()):
            return [own.metadata["Name"]]
    except metadata.PackageNotFoundError:
        pass
    return sorted(set(metadata.packages_distributions().get(top, [])))
