"""The rooms are this repository's, and the command line starts without anything heavy."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("bench", "cli", "db", "models", "report", "scheduler", "worker")
HEAVY = (
    *("torch", "torchvision", "celery", "sqlalchemy", "alembic", "matplotlib", "pandas", "sklearn", "scipy", "numpy"),
    *("rich", "db.records", "scheduler.duration"),  # thirty dataclasses take a fifth of the help
)
TYPERS = ("pydantic", "importlib.metadata", "tempfile")  # which it loads for a command, even for its help


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_this_repositorys_and_not_an_installed_package_of_that_name(room: str) -> None:
    module = importlib.import_module(room)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / room / "__init__.py"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_that_it_is_typed(room: str) -> None:
    assert (ROOT / room / "py.typed").is_file()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["submit", "--help"], ["status", "--help"]])
def test_the_command_line_starts_without_anything_heavy(arguments: list[str], tmp_path: Path) -> None:
    call = f"sys.argv = ['bench', *{arguments!r}]; cli.main.main()" if arguments else "pass"
    unwanted = HEAVY if "submit" in arguments or "status" in arguments else HEAVY + TYPERS
    probe = f"""
import sys, cli.main
try:
    {call}
except SystemExit as end:
    assert not end.code, end.code
print("\\nLOADED", *sorted(set({unwanted!r}) & set(sys.modules)))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["LOADED"]
