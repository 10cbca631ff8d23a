"""A package installed from a folder of its own: the files that `pip install -e` leaves, or pip without -e."""

import json
from pathlib import Path

FINDER = """
import sys
from importlib.util import spec_from_file_location
from pathlib import Path

MAPPING = {mapping!r}

class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in MAPPING:
            file = Path(MAPPING[name], "__init__.py")
            return spec_from_file_location(name, file, submodule_search_locations=[str(file.parent)])

def install():
    sys.meta_path.append(Finder)
"""


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def install(site: Path, source: Path, top: str, how: str) -> None:
    """`source` holds the package `top`.

    `how`: by a "finder" of setuptools, by a path as "hatchling" and "setuptools" write it, or "copied", as without -e.
    """
    info = f"{top}_net-0.3.dist-info"
    files = {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {top}-net\nVersion: 0.3\n"}
    if how == "copied":
        files |= {path.relative_to(source).as_posix(): path.read_text() for path in (source / top).rglob("*.py")}
    else:
        direct = {"dir_info": {"editable": True}, "url": source.as_uri()}
        files[f"{info}/direct_url.json"] = json.dumps(direct)
    if how in ("finder", "setuptools"):
        files[f"{info}/top_level.txt"] = f"{top}\n"
    if how == "finder":
        files[f"__editable___{top}_finder.py"] = FINDER.format(mapping={top: str(source / top)})
        files[f"__editable__.{top}.pth"] = f"import __editable___{top}_finder; __editable___{top}_finder.install()\n"
    elif how != "copied":
        files[f"_editable_impl_{top}.pth"] = f"{source}\n"
    record = f"{info}/RECORD"
    files[record] = "".join(f"{name},,\n" for name in (*files, record))
    put(site, files)
