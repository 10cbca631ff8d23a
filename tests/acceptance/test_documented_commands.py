"""Every command line of the documentation: those in blocks are run, those in sentences are at least understood."""

import os
import shutil
from contextlib import closing

import documented
import pytest
import typer
from command import bench
from filled_store import fill

from cli._app import COMMANDS, app, real
from db import open_store

LEFT_TO_THE_READER = {"MissingParameter", "BadOptionUsage"}
"""What the command line says of an argument that a sentence leaves out; Typer does not export these errors."""
RUN_ELSEWHERE = {"docs/getting_started.md", "docs/own_models.md"}
"""Pages that are walked through from their beginning by tests of their own."""
SHORTENED = {"worker": ["--drain"]}
"""What would wait for ever gets an end."""
STANDS_FOR = {
    "FOLDER": "runs",
    "FOLDER_OR_URI": "runs",
    "JOB": "1",
    "A": "1",
    "B": "2",
    "ID": "1",
    "N": "1",
    "NAME": "status",
    "FILE": "x",
    "PATH": "x",
    "DIR": "x",
}
BLOCKS = [
    line for line in documented.blocks() if line.page not in RUN_ELSEWHERE and not line.page.startswith("examples/")
]


def plain(words):
    """The words without the marks of a synopsis: what may be left out is there, of a choice the first."""
    bare = [word.strip("[]").split("|")[0] for word in " ".join(words).split()] if "|" in " ".join(words) else words
    return [STANDS_FOR.get(word.strip("[]"), word.strip("[]")) for word in bare]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A home with the built-in suite, done with two seeds, but for a job that failed."""
    home = tmp_path_factory.mktemp("documented") / "home"
    with closing(open_store(f"sqlite:///{home / 'bench.db'}", create=True)) as store:
        fill(store, seeds=(42, 43), failed=[("baseline", 43)])
    return home


@pytest.mark.parametrize("page", dict.fromkeys(line.page for line in BLOCKS))
def test_the_command_lines_of_a_page_run_in_their_order(page, filled, tmp_path):
    shutil.copytree(filled, tmp_path / ".bench")
    shutil.copy(documented.ROOT / "examples/two_hosts/suite.toml", tmp_path)
    variables = {"BENCH_HOME": str(tmp_path / ".bench"), "BENCH_DATA_DIR": str(tmp_path / "data")}
    for line in BLOCKS:
        if line.page == page:
            words = plain(line.words)
            bench(*words, *SHORTENED.get(words[0], []), cwd=tmp_path, **(variables | line.variables))


def understood(words):
    """Raises for a command or an option that is not there; what the line leaves to its reader may be missing."""
    if words[0].startswith("-"):
        assert words[0] in {name for parameter in typer.main.get_command(app).params for name in parameter.opts} | {
            "--help"
        }
        return
    command = real(words[0]) if words[0] in COMMANDS else pytest.fail(f"no command {words[0]}")
    rest = words[1:]
    if hasattr(command, "commands") and rest:
        command, rest = command.commands[rest[0]], rest[1:]
    try:
        command.make_context("bench", rest)
    except Exception as error:
        if type(error).__name__ not in LEFT_TO_THE_READER:
            raise


@pytest.mark.parametrize("text", sorted({line.text for line in documented.inline()}))
def test_a_command_line_within_a_sentence_is_understood(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_HOME", os.fspath(tmp_path))
    understood(plain(documented.Line("", text).words))


def test_a_line_with_an_option_that_is_gone_is_noticed():
    with pytest.raises(Exception, match="No such option"):
        understood(["submit", "--every"])
