"""What has stayed on disk and is of no more use to this store, and its removal.

Another store may share the artifacts or the home. So nothing goes of a job that this one does not have, nor what has
changed within the last day: whoever wrote it may be a worker of the other store, training the same job.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from db.records import WAITING, Job, JobState
from db.store import Store
from scheduler.settings import Settings
from scheduler.urls import scrubbed
from worker.artifacts import asked, in_short, opened

_YOUNG_S = 86_400.0
_DAY_S = 86_400.0
_PARTIAL = ".partial"  # of a checkpoint that was being written


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A file, or a folder with all that is in it; `path` as its file system has it, `url` for people."""

    what: str
    path: str
    bytes: int
    root: str  # the URL of the file system it lies on


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    leftovers: tuple[Leftover, ...]
    unknown: tuple[Leftover, ...]  # checkpoints of jobs that this store does not have; never removed here


def find_leftovers(store: Store, settings: Settings, *, days: float) -> Found:
    """All that may go, the largest first; logs and splits once they are `days` old. Only looks."""
    jobs = {job.key: job for job in store.jobs()}
    found = [*_checkpoints(store, settings, jobs)]
    local = [*_logs(store, settings, jobs.values(), days), *_splits(settings, jobs.values(), days)]
    known = [one for one in found if one.what != _UNKNOWN]
    return Found(
        leftovers=tuple(sorted((*known, *local), key=lambda one: (-one.bytes, one.path))),
        unknown=tuple(one for one in found if one.what == _UNKNOWN),
    )


def remove(leftovers: Iterable[Leftover]) -> Iterator[str]:
    """Remove them; gives a line for each that could not be. One that has gone already is none of them."""
    for one in leftovers:
        files, _ = opened(one.root)
        try:
            with suppress(FileNotFoundError):
                files.rm(one.path, recursive=one.what in _FOLDERS)
        except Exception as error:  # each file system has errors of its own; the others may still go
            yield f"{one.path} stays: {scrubbed(in_short(error), one.root)}"


_DONE = "checkpoints of a job that is done"
_EMPTY = "empty folder of a job"
_CUT_OFF = "checkpoint that was cut off"
_UNKNOWN = "checkpoints of a job that this store does not have"
_FOLDERS = (_DONE, _EMPTY)


def _checkpoints(store: Store, settings: Settings, jobs: Mapping[str, Job]) -> Iterator[Leftover]:
    root = f"{settings.artifacts}/checkpoints"
    files, folder = opened(root)
    files.invalidate_cache()
    try:
        entries = asked(root, lambda: files.ls(folder, detail=True))
    except FileNotFoundError:
        return
    # a link leads elsewhere: what is there is not ours
    folders = {Path(str(e["name"])).name: e for e in entries if e["type"] == "directory" and not e.get("islink")}
    done = store.done_with([*folders])
    for key, entry in sorted(folders.items()):
        inside = asked(root, lambda entry=entry: files.find(entry["name"], detail=True))  # type: ignore[misc]
        what = _UNKNOWN if key not in jobs else _DONE if key in done else ""
        if not inside and key in jobs and jobs[key].state not in WAITING:
            what = _EMPTY
        if what == _UNKNOWN or (what and _old([entry, *inside.values()], _YOUNG_S)):
            size = sum(int(one["size"]) for one in inside.values())
            yield Leftover(what=what, path=str(entry["name"]), bytes=size, root=root)
        elif key in jobs and jobs[key].state in _ENDED:
            yield from _cut_off(inside, root)


_ENDED = frozenset(JobState) - WAITING


def _cut_off(inside: Mapping[str, Mapping[str, Any]], root: str) -> Iterator[Leftover]:
    """A retry goes on from whole checkpoints alone."""
    for name, one in inside.items():
        if name.endswith(_PARTIAL) and _old([one], _YOUNG_S):
            yield Leftover(what=_CUT_OFF, path=str(name), bytes=int(one["size"]), root=root)


def _old(entries: Iterable[Mapping[str, Any]], seconds: float) -> bool:
    """Whether none has changed for so long; a file that does not tell when it did counts as new."""
    return all(_changed_at(one) < time.time() - seconds for one in entries)


def _changed_at(entry: Mapping[str, Any]) -> float:
    for name in ("mtime", "LastModified", "last_modified", "updated"):
        value = entry.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return 0.0 if entry.get("type") == "directory" else float("inf")  # object stores have no folders of their own


def _logs(store: Store, settings: Settings, jobs: Iterable[Job], days: float) -> Iterator[Leftover]:
    """Of jobs that are done; the log of one that failed says why."""
    for attempts in store.attempts(job.id for job in jobs if job.state is JobState.DONE).values():
        for attempt in attempts:
            path = Path(attempt.log)
            if attempt.log and path.parent == settings.logs:  # another host's are its own
                yield from _file("log of a job that is done", path, days)


def _splits(settings: Settings, jobs: Iterable[Job], days: float) -> Iterator[Leftover]:
    """Which images train and which validate, kept to save seconds; not while a job may be about to read one."""
    if any(job.state in WAITING for job in jobs):
        return
    for path in sorted(settings.cache.glob("split-*.npz")):
        yield from _file("split of a data set", path, days)


def _file(what: str, path: Path, days: float) -> Iterator[Leftover]:
    try:
        status = path.lstat()
    except OSError:
        return
    if path.is_file() and not path.is_symlink() and status.st_mtime < time.time() - days * _DAY_S:
        yield Leftover(what=what, path=str(path), bytes=status.st_size, root=f"file://{path.parent}")
