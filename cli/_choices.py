"""What a shell may complete: names and ids, read without anything heavy. What cannot be read completes nothing."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from db.glance import Glance

Choices = list[tuple[str, str]]
"""What may be typed, and words about it that some shells show."""

_STATES = {"cancel": ("queued", "running"), "retry": ("failed", "cancelled")}
"""Of the jobs that these commands have something to do with; all others take any."""
_MOST_BASES = 5  # as `scheduler.suite` has it
_MOST = 200  # ids, the newest: more would fill screens
_SERVER_S = 1.0  # for a server's answer: whoever has pressed a key waits no longer


def of_suite(suite: str | None) -> Choices:
    """Variants and sweeps of a suite file as it stands, unchecked, and of what it extends, or of a built-in one."""
    found: dict[str, str] = {}
    for file in _with_bases(suite or "report"):
        left_out = file.get("suite", {}).get("without", [])
        own = {name: str(table.get("title", "")) for kind in ("variants", "sweeps") for name, table in _of(file, kind)}
        found = {name: title for name, title in found.items() if name not in left_out} | own
    return [*found.items()]


def _with_bases(suite: str) -> list[dict[str, Any]]:
    """The file last, before it the one that it extends, and so on."""
    import tomllib
    from pathlib import Path

    files: list[dict[str, Any]] = []
    name: str | None = suite
    folder = Path()
    while name is not None and len(files) <= _MOST_BASES:
        path = folder / name
        if not path.is_file() or (files and name == "report"):
            path = Path(__file__).parent.parent / "scheduler" / "suites" / f"{name}.toml"
        folder = path.parent
        files.insert(0, tomllib.loads(path.read_text("utf-8-sig")))
        name = files[0].get("suite", {}).get("extends")
    return files


def _of(file: dict[str, Any], kind: str) -> Iterable[tuple[str, dict[str, Any]]]:
    tables: dict[str, dict[str, Any]] = file.get(kind, {})
    return tables.items()


def submitted(submission: int | None) -> Choices:
    """Variants, sweeps and points that were submitted, or that this submission has."""

    def read(store: "Glance") -> Choices:
        from scheduler.selection import meanings

        found = store.submissions() if submission is None else [store.submission(submission)]
        return [(name, "") for name in meanings(found)]

    return _seen(read)


def jobs(command: str) -> Choices:
    """That the command may be given, the newest first."""

    def read(store: "Glance") -> Choices:
        from db.records import JobState

        states = [JobState(one) for one in _STATES.get(command, JobState)]
        found = store.newest_jobs(states, _MOST)
        return [(str(job.id), f"{job.label}, seed {job.seed}, {job.state}") for job in found]

    return _seen(read)


def submissions() -> Choices:
    def read(store: "Glance") -> Choices:
        return [(str(one.id), f"{one.suite} on {one.dataset}") for one in store.submissions(newest=_MOST)]

    return _seen(read)


def states() -> Choices:
    from db.records import JobState

    return [(state, "") for state in JobState]


def beginning(incomplete: str, choices: Callable[[], Choices]) -> Choices:
    """Those that begin so."""
    try:
        return [one for one in choices() if one[0].startswith(incomplete)]
    except Exception:  # a traceback in the middle of somebody's line would be worse than no help
        return []


def _seen(read: "Callable[[Glance], Choices]") -> Choices:
    """At a glance; of a server that does not answer at once nothing."""
    from db.glance import at_a_glance
    from scheduler.settings import load_settings

    url = load_settings().database
    if url.startswith("sqlite"):
        return at_a_glance(url, read) or []
    import threading

    found: Choices = []
    # nothing waits for a thread like this one at the end, whatever its connection waits for
    asking = threading.Thread(target=lambda: found.extend(at_a_glance(url, read) or []), daemon=True)
    asking.start()
    asking.join(_SERVER_S)
    return found
