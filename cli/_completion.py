"""What a shell may complete: names and ids, read without anything heavy. What cannot be read completes nothing."""

from collections.abc import Callable, Iterable
from typing import Any

import typer

_Choices = list[tuple[str, str]]  # what may be typed, and words about it that some shells show

_STATES = {"cancel": ("queued", "running"), "retry": ("failed", "cancelled")}
"""Of the jobs that these commands have something to do with; records are not loaded for it."""
_EVERY_STATE = ("queued", "running", "done", "failed", "cancelled")


def complete_variant(ctx: typer.Context, incomplete: str) -> _Choices:
    """Variants and sweeps of the suite that the line names before, of the built-in one otherwise."""
    return _beginning(incomplete, lambda: _names(str(ctx.params.get("suite") or "report")))


def complete_job(ctx: typer.Context, incomplete: str) -> _Choices:
    """Jobs of a SQLite store that the command may be given."""
    from db import glance_jobs

    return _beginning(incomplete, lambda: glance_jobs(_database(), _STATES.get(str(ctx.info_name), _EVERY_STATE)))


def complete_submission(incomplete: str) -> _Choices:
    """Submissions of a SQLite store."""
    from db import glance_submissions

    return _beginning(incomplete, lambda: glance_submissions(_database()))


def _beginning(incomplete: str, choices: Callable[[], Iterable[tuple[str, str]]]) -> _Choices:
    try:
        return [one for one in choices() if one[0].startswith(incomplete)]
    except Exception:  # a traceback in the middle of somebody's line would be worse than no help
        return []


def _names(suite: str) -> _Choices:
    """Of a suite file as it stands, unchecked."""
    import tomllib
    from importlib import resources
    from pathlib import Path

    path = Path(suite)
    built_in = resources.files("scheduler").joinpath(f"suites/{suite}.toml")
    file = tomllib.loads(path.read_text("utf-8-sig") if path.is_file() else built_in.read_text("utf-8"))
    return [
        (name, str(table.get("title", ""))) for kind in ("variants", "sweeps") for name, table in _tables(file, kind)
    ]


def _tables(file: dict[str, Any], kind: str) -> Iterable[tuple[str, dict[str, Any]]]:
    tables: dict[str, dict[str, Any]] = file.get(kind, {})
    return tables.items()


def _database() -> str:
    """The store's URL by the settings' own precedence, unchecked."""
    import tomllib

    from scheduler._sources import given, toml_of

    toml = toml_of({})
    file = tomllib.loads(toml.read_text("utf-8-sig")) if toml.is_file() else {}
    url, _ = given("database_url", flags={}, file=file)
    return url or f"sqlite:///{toml.with_name('bench.db')}"
