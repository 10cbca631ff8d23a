"""The code of networks that a suite names by FILE.py:NAME or MODULE:NAME: found and read, never run, free of torch."""

import ast
import difflib
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from importlib import metadata, util
from pathlib import Path, PurePosixPath

from db.errors import ConfigError
from models import OwnCode, bundled, installed_version

_MOST_BYTES, _MOST_FILES = 2**20, 200
_ROOMS = frozenset(
    {"bench", "cli", "db", "models", "report", "scheduler", "worker"}
)  # bench's packages, which nobody else means
_NAME = re.compile(r"[^\W\d]\w*")
_COUNTED = "/./"  # after the folder from which the rest of a network's place counts, as rsync has it
_FORMS = 'write model = "nets.py:MyNet" for a file, or "package.module:MyNet" for a package'


def own_code(model: str, folder: Path) -> tuple[str, OwnCode]:
    """The network's name as a config keeps it, and its code. Raises ConfigError.

    Files count from `folder`, and so do packages that lie in it; all other packages are those that are installed.
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
    if _is_local(root, place.partition(".")[0]):
        found = _file_of(root, place)
        if found is None:
            raise ConfigError(f"there is no module {place} in {folder}", fix="name a module that is there")
        return _of_a_file(root, found, name)
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
    sources, trees = _closure(root, path)
    relative = path.relative_to(root).as_posix()
    _check_name(relative, trees[relative], name)
    return f"{relative}:{name}", bundled(sources)


def _closure(root: Path, first: Path) -> tuple[dict[str, str], dict[str, ast.Module]]:
    """The file and all in `root` that it imports, and what they import: text and tree by path from there."""
    sources: dict[str, str] = {}
    trees: dict[str, ast.Module] = {}
    waiting = [first, *_parents(root, first)]
    while waiting:
        path = waiting.pop()
        relative = path.relative_to(root).as_posix()
        if relative in sources:
            continue
        sources[relative] = _text(path)
        _check_size(first, sources)
        trees[relative] = _tree(path, sources[relative])
        for module in _imports(relative, trees[relative]):
            if _is_local(root, module.partition(".")[0]):
                found = _file_of(root, module)
                waiting += [found] if found else []
                waiting += _parents(root, root / module.replace(".", "/"))
    return sources, trees


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")  # with \n alone at the ends of lines: the same sum on any system
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", fix="make it a readable file in UTF-8") from error


def _check_size(first: Path, sources: dict[str, str]) -> None:
    size = sum(len(text.encode()) for text in sources.values())
    if len(sources) > _MOST_FILES or size > _MOST_BYTES:
        what = f"{first} imports {len(sources)} files of its folder, {size:,} bytes"
        fix = f"keep a network's code below {_MOST_FILES} files and {_MOST_BYTES:,} bytes, or install it as a package"
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


def _parents(root: Path, path: Path) -> list[Path]:
    """The __init__.py of each package above it: they are executed first."""
    above = [folder for folder in path.parents if folder != root and folder.is_relative_to(root)]
    return [found for folder in above if (found := folder / "__init__.py").is_file()]


def _file_of(root: Path, module: str) -> Path | None:
    path = root.joinpath(*module.split("."))
    found = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((one for one in found if one.is_file()), None)


def _is_local(root: Path, top: str) -> bool:
    """Whether `import top` means the folder's own, as it would for a script that lies there.

    A folder without __init__.py does so only where nothing of that name is installed.
    """
    if _file_of(root, top) is not None:
        return True
    return (root / top).is_dir() and (top in _ROOMS or not _is_installed(top))


def _is_installed(top: str) -> bool:
    if top in sys.stdlib_module_names:
        return True
    try:
        spec = util.find_spec(top)
    except (ImportError, ValueError):
        return False
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
    names = [] if top in _ROOMS else _distributions(top)
    if not names:
        what = f"no installed package has the module {module}"
        if top in sys.stdlib_module_names or top in _ROOMS:
            what = f"{module} is a module of {'bench' if top in _ROOMS else 'Python'} itself"
        fix = "install the package (not as editable), or put its folder or file beside the suite"
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
