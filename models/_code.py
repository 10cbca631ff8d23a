"""Networks that are not bench's: how they are named, and the code that they come from. Free of torch."""

import json
import os
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_INSTALLED = frozenset({"site-packages", "dist-packages"})
_PYTHONS = Path(sysconfig.get_paths()["stdlib"])  # holds more than `sys.stdlib_module_names`: `test`
SIDE, CHANNELS = 32, 3  # of an image, where nobody says otherwise


class OwnNetworkError(ValueError):
    """A network that is not bench's cannot be loaded, built or run; what mends it is `fix`."""

    def __init__(self, message: str = "", *, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class OwnCode:
    """`name`: what a config's `code` holds, the sha256 of `content` or, for an installed package, NAME==VERSION.

    `content`: JSON, the text of each source by its path from the folder that imports count from; empty where installed.
    """

    name: str
    content: str = ""

    @property
    def short(self) -> str:
        return self.name[:8] if self.content else self.name

    @property
    def folder(self) -> str:
        """Of its files in tracebacks; none of a disk, so that no file there is taken for the source."""
        return f"<own {self.short}>"

    def sources(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.content)
        return found

    def is_whole(self) -> bool:
        """Whether the content is the one that was named."""
        return is_installed(self.name) or sha256(self.content.encode()).hexdigest() == self.name


def bundled(sources: Mapping[str, str]) -> OwnCode:
    """Sources by path as one text, the same for equal sources on any machine."""
    content = json.dumps(dict(sources), sort_keys=True)
    return OwnCode(sha256(content.encode()).hexdigest(), content)


def is_own(model: str) -> bool:
    """Whether a config's `model` is FILE.py:NAME or MODULE:NAME instead of a built-in network's name."""
    return ":" in model


def is_installed(code: str) -> bool:
    """Whether a config's `code` is that of an installed package."""
    return "==" in code


def installed_version(distribution: str) -> str | None:
    """Without the local part after a `+`; None where there is no such distribution."""
    from importlib import metadata

    try:
        return metadata.version(distribution).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None


def lies_with_python(path: Path) -> bool:
    """Whether it is of Python itself, or lies where installers put what they copy."""
    return _PYTHONS in path.parents or not _INSTALLED.isdisjoint(folder.name for folder in path.parents)


def end_copies(owner: int) -> None:
    """End this process where it is a copy that a user's code has made of `owner` (os.fork), and that went on."""
    if os.getpid() != owner:
        os._exit(os.EX_SOFTWARE)
