"""What a terminal shows: drawn by ourselves where it fits, by rich elsewhere, the same words either way."""

import io
import re

import pytest

from cli._tables import console, draw, table

CODE = re.compile(r"\x1b\[[0-9;]*m")
JOBS = table(
    ["job", "variant", "state", "val acc."],
    [[1, "baseline", "done", "60.3 %"], [12, "done", "running", "-"], [3, "a longer name", "failed", "1.0 %"]],
    right={0, 3},
    shrinks=1,
)
USUAL = {"TERM": "xterm-256color", "COLUMNS": "60", "NO_COLOR": ""}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def usual(monkeypatch):
    for name, value in USUAL.items():
        monkeypatch.setenv(name, value)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def drawn(*parts):
    out = Terminal()
    draw(out, parts)
    return out.getvalue()


def by_rich(*parts):
    out = Terminal()
    console(out).print(*parts, sep="\n")
    return out.getvalue()


def words(text):
    return [line.rstrip() for line in CODE.sub("", text).splitlines()]


def coloured(text):
    """Each word in a colour, with it."""
    return [(code, word.strip()) for code, word in re.findall(r"\x1b\[(3[0-9])m([^\x1b]*)", text)]


@pytest.mark.parametrize("columns", [60, 38, 30, 20])
@pytest.mark.parametrize("text", ["Two lines,\nand one more word than fits twenty.", "über alles", "a\tb", ""])
def test_it_shows_the_words_and_colours_that_rich_shows(monkeypatch, columns, text):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert words(drawn(text, JOBS, text)) == words(by_rich(text, JOBS, text))
    assert coloured(drawn(JOBS)) == coloured(by_rich(JOBS))
    assert drawn(JOBS).startswith("\x1b[1m")


@pytest.mark.parametrize(
    "variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "0"}]
)
def test_what_the_environment_says_of_colours_is_left_to_rich(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert drawn("Two jobs.", JOBS) == by_rich("Two jobs.", JOBS)
