"""The command lines that the documentation shows."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md")),
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "command_reference.md"),
    *sorted((ROOT / "examples").rglob("*.md")),
]
_BLOCK = re.compile(r"^(?: {4,}|\$ )?(?:[A-Z_]+=\S+ )*bench +(?=[a-z-])")
_INLINE = re.compile(r"`((?:[A-Z_]+=\S+ )*bench [a-z-][^`]*)`")


@dataclass(frozen=True, slots=True)
class Line:
    """`words` are those after `bench`, without a comment behind them; `variables` stand before it."""

    page: str
    text: str

    @property
    def words(self) -> list[str]:
        return self._split()[1]

    @property
    def variables(self) -> dict[str, str]:
        return dict(word.split("=", 1) for word in self._split()[0])

    def _split(self) -> tuple[list[str], list[str]]:
        words = shlex.split(self.text.replace("\n", " "), comments=True)
        place = words.index("bench")
        return words[:place], words[place + 1 :]


def blocks() -> list[Line]:
    """Command lines in code blocks, in the pages' order; lines that end with a backslash go on in the next."""
    found = []
    for page in PAGES:
        fenced, text = False, page.read_text().replace("\\\n", " ")
        for line in text.splitlines():
            fenced ^= line.startswith("```")
            if _BLOCK.match(line) and (fenced or line.startswith("    ")):
                found.append(Line(str(page.relative_to(ROOT)), line.strip().removeprefix("$ ")))
    return found


def inline() -> list[Line]:
    """Those in the middle of sentences; a line break in them is a space."""
    return [
        Line(str(page.relative_to(ROOT)), " ".join(found.split()))
        for page in PAGES
        if page.name != "errors.md"
        for found in _INLINE.findall(page.read_text())
    ]


def script(page: Path, *, only: str = "") -> str:
    """All shell lines of the page's indented and `sh` blocks, in order, as one script; `only` under one heading."""
    lines, heading, fenced = [], "", ""
    for line in page.read_text().splitlines():
        if line.startswith("#") and not fenced:
            heading = line.lstrip("# ")
        if line.startswith("```"):
            fenced = "" if fenced else line.removeprefix("```") or "text"
        elif (fenced == "sh" or (not fenced and line.startswith("    "))) and only in ("", heading):
            lines.append(line.removeprefix("    "))
    return "set -euo pipefail\n" + "\n".join(lines) + "\n"
