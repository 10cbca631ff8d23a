"""What a shell may complete: names and ids, read without anything heavy. What cannot be read completes nothing."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from db.glance import Glance

_Choices = list[tuple[str, str]]  # what may be typed, and words about it that some shells show

_STATES = {"cancel": ("queued", "running"), "retry": ("failed", "cancelled")}
"""Of the jobs that these commands have something to do with; all others take any."""
_MOST = 200  # ids, the newest: more would fill screens


def complete_variant(ctx: typer.Context, incomplete: str) -> _Choices:
    """Variants and sweeps of the suite that the line names before, of the built-in one otherwise."""
    return _beginning(incomplete, lambda: _names(str(ctx.params.get("suite") or "report")))


def complete_submitted(ctx: typer.Context, incomplete: str) -> _Choices:
    """Variants, sweeps and points that were submitted; with the submission that the line names before, then."""
    submission = ctx.params.get("submission")

    def read(store: "Glance") -> _Choices:
        from scheduler.selection import meanings

        found = store.submissions() if submission is None else [store.submission(submission)]
        return [(name, "") for name in meanings(found)]

    return _beginning(incomplete, lambda: _seen(read))


def complete_job(ctx: typer.Context, incomplete: str) -> _Choices:
    """Jobs that the command may be given."""

    def read(store: "Glance") -> _Choices:
        from db.records import JobState

        states = [JobState(one) for one in _STATES.get(str(ctx.info_name), JobState)]
        jobs = store.newest_jobs(states, _MOST)
        return [(str(job.id), f"{job.label}, seed {job.seed}, {job.state}") for job in jobs]

    return _beginning(incomplete, lambda: _seen(read))


def complete_submission(incomplete: str) -> _Choices:
    def read(store: "Glance") -> _Choices:
        return [(str(one.id), f"{one.suite} on {one.dataset}") for one in store.submissions(newest=_MOST)]

    return _beginning(incomplete, lambda: _seen(read))


def complete_state(incomplete: str) -> _Choices:
    def every() -> _Choices:
        from db.records import JobState

        return [(state, "") for state in JobState]

    return _beginning(incomplete, every)


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


def _seen(read: "Callable[[Glance], _Choices]") -> _Choices:
    """At a glance, of a store in SQLite: a server would be asked at each key."""
    from db.glance import at_a_glance
    from scheduler.settings import load_settings

    url = load_settings().database
    return (at_a_glance(url, read) if url.startswith("sqlite") else None) or []
