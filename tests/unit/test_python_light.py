"""`import bench`: what it offers, and how little it loads."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from db import errors
from db.errors import BenchError

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    *("torch", "torchvision", "celery", "sqlalchemy", "alembic", "matplotlib", "pandas", "sklearn", "scipy", "numpy"),
    *("rich", "typer", "pydantic", "db.records", "scheduler.duration", "worker.main"),
)


def test_importing_bench_loads_nothing_heavy(tmp_path):
    probe = f"import sys, bench; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_every_error_of_bench_can_be_had_from_it():
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, BenchError)}
    assert kinds <= {*bench.__all__}
    page = (ROOT / "docs" / "python.md").read_text()
    assert [name for name in sorted(kinds) if f"`{name}`" not in page and f"`bench.{name}`" not in page] == []


@pytest.mark.parametrize("name", [name for name in bench.__all__ if name.islower()])
def test_every_function_is_explained_typed_and_in_the_page(name):
    function = getattr(bench, name)
    assert inspect.getdoc(function)
    parameters = inspect.signature(function).parameters.values()
    assert all(one.annotation is not one.empty for one in parameters)
    assert f"`{name}(" in (ROOT / "docs" / "python.md").read_text()


def test_a_keyword_that_there_is_not_is_refused_as_python_does(tmp_path):
    with pytest.raises(TypeError, match="'hom'; settings are home, database_url"):
        bench.status(hom=tmp_path)
