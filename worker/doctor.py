"""What bench needs here, looked at one by one: nothing is made or changed, and none that fails stops the others."""

import importlib.util
import os
import platform
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from db import open_store, shared_disk
from db.errors import BenchError, NoStoreError
from db.records import JobState
from scheduler.settings import Settings, unknown_variables
from scheduler.urls import scrubbed, shown
from worker.artifacts import asked, in_short, local_folder, opened
from worker.card_check import CARD_FIX, cuda_error
from worker.devices import auto_slots, card_memory, driver, visible_cards
from worker.environment import versions
from worker.host import host_memory

_GIB = 2**30
_SCARCE, _TOO_LITTLE = 2 * _GIB, _GIB // 10  # bytes free; checkpoints and report of the built-in suite fit into 2 GiB
_CLOCK_S = 2.0  # of several hosts: by so much the moments of their logs may differ before anybody wonders
_PATIENCE_S = 20.0  # for one check: a server that is cut off may never answer


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check has found; `fix` mends a warning or an error."""

    check: str
    level: Level
    message: str
    fix: str = ""


_Found = Iterator[tuple[Level, str, str]]  # level, message, fix


def examine(load: Callable[[], Settings]) -> Iterator[Finding]:
    """Every check in turn; without settings, which `load` may refuse, those of the machine alone."""
    yield from _guarded("versions", _versions)
    yield from _guarded("device", _device)
    try:
        settings = load()
    except BenchError as error:
        yield Finding(check="settings", level=Level.ERROR, message=str(error), fix=error.fix)
        return
    yield from _guarded("settings", _variables)
    for name, check in _CHECKS:
        yield from _guarded(name, lambda check=check: check(settings), secret=_urls(settings))  # type: ignore[misc]


def _urls(settings: Settings) -> tuple[str, ...]:
    return settings.database, settings.broker, settings.artifacts


def _guarded(name: str, check: Callable[[], _Found], *, secret: tuple[str, ...] = ()) -> list[Finding]:
    """What the check finds within its time; whatever it raises is a finding too, without the secrets of these URLs."""
    found: list[Finding] = []

    def look() -> None:
        try:
            for level, message, fix in check():
                found.append(Finding(check=name, level=level, message=message, fix=fix))
        except BenchError as error:
            found.append(Finding(check=name, level=Level.ERROR, message=str(error), fix=error.fix))
        except Exception as error:  # a bug, or an error of another library, costs this check alone
            said = in_short(error)
            for url in secret:
                said = scrubbed(said, url)
            found.append(Finding(check=name, level=Level.ERROR, message=f"cannot be looked at: {said}", fix=_REPORT))

    thread = threading.Thread(target=look, name=f"doctor-{name}", daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    if thread.is_alive():
        message = f"no answer within {_PATIENCE_S:g} s"
        return [Finding(check=name, level=Level.ERROR, message=message, fix="see whether its host can be reached")]
    return found


_REPORT = "if the message does not help, report it with the output of `bench doctor --json`"


def _versions() -> _Found:
    known = versions()
    text = ", ".join(f"{name} {version}" for name, version in known.items() if version)
    yield Level.OK, f"{text}; Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}", ""
    for name, version in known.items():
        if version is None:
            yield Level.ERROR, f"{name} is not installed", f"`pip install {name}`"


def _device() -> _Found:
    cards, version = visible_cards(), driver()
    if cards:
        yield from _cards(cards, version)
        return
    free = host_memory().free_mib / 1024
    slots = auto_slots("cpu")
    if version is None:
        why = "NVIDIA's driver does not answer"
    elif "CUDA_VISIBLE_DEVICES" in os.environ:
        why = "CUDA_VISIBLE_DEVICES leaves none"
    else:
        why = "its driver shows none, or one in MIG mode without instances"
    yield Level.OK, f"no card ({why}); trains on the CPU: {slots} at once, {free:.1f} GiB of memory free", ""


def _cards(cards: list[str], version: str | None) -> _Found:
    built_for = _cuda_of_torch()
    if built_for is None:
        fix = "install a PyTorch for CUDA (pytorch.org, Get started), or give `bench worker --device cpu`"
        yield Level.ERROR, f"this PyTorch is built for CPUs, and so cannot use the machine's cards: {len(cards)}", fix
        return
    import torch

    if not torch.cuda.is_available():
        fix = "update the driver, or install a PyTorch for an older CUDA; until then `bench worker --device cpu`"
        yield Level.ERROR, f"PyTorch for CUDA {built_for} cannot use the cards of driver {version}", fix
        return
    for card in cards:
        memory = card_memory(card)
        room = f"{memory.free_mib:,.0f} of {memory.total_mib:,.0f} MiB free" if memory else "memory unknown"
        yield Level.OK, f"card {card}: {room}; driver {version}, PyTorch for CUDA {built_for}", ""
    for index in range(torch.cuda.device_count()):
        if said := cuda_error(index):
            yield Level.ERROR, f"CUDA cannot compute on device {index} of these: {said}", CARD_FIX


def _cuda_of_torch() -> str | None:
    """What PyTorch was built for, from its own file: to load it takes seconds."""
    torch = importlib.util.find_spec("torch")
    places = torch.submodule_search_locations if torch else None
    if not places:
        return None
    spec = importlib.util.spec_from_file_location("torch_version", Path(places[0]) / "version.py")
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, "cuda", None)


def _variables() -> _Found:
    unknown = unknown_variables()
    if unknown:
        fix = "`bench config show` lists the settings; correct the name or unset it"
        yield Level.WARNING, f"no settings of bench: {', '.join(unknown)}", fix
    else:
        yield Level.OK, "in order; `bench config show` says where each comes from", ""


def _home(settings: Settings) -> _Found:
    yield from _folder(settings.folder, fix="set BENCH_HOME to a folder of yours", scarce=True)
    kind = shared_disk(settings.folder)
    if kind:
        fix = "set BENCH_HOME to a folder on a local disk; BENCH_ARTIFACTS_URL may name a shared one"
        yield Level.WARNING, f"{settings.folder} is on a network disk ({kind}): each host needs its own", fix


def _data(settings: Settings) -> _Found:
    fix = "set BENCH_DATA_DIR to a folder of yours, unless all data sets lie there already"
    yield from _folder(settings.data, fix=fix, level=Level.WARNING, scarce=True)


def _artifacts(settings: Settings) -> _Found:
    local = local_folder(settings.artifacts)
    if local is not None:
        yield from _folder(local.absolute(), fix="set BENCH_ARTIFACTS_URL to a folder of yours", scarce=True)
        return
    files, folder = opened(settings.artifacts)
    with suppress(FileNotFoundError):  # then it is made with the first checkpoint
        asked(settings.artifacts, lambda: files.ls(folder, detail=False))
    place = shown(settings.artifacts)
    yield Level.OK, f"{place} answers; whether it may be written to, only a checkpoint shows", ""


def _folder(folder: Path, *, fix: str, level: Level = Level.ERROR, scarce: bool = False) -> _Found:
    """Whether it can be written to, or made, and what room its disk has."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        yield Level.ERROR, f"{there} is not a folder", fix
        return
    if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        yield level, f"{there} cannot be written to", fix
        return
    state = "" if there == folder else " (made when it is needed)"
    free = shutil.disk_usage(there).free
    if scarce and free < _SCARCE:
        room = Level.ERROR if free < _TOO_LITTLE else Level.WARNING
        yield room, f"{folder}: its disk has only {free / _GIB:.1f} GiB free", "make room; `bench gc` says what may go"
        return
    yield Level.OK, f"{folder}{state}: can be written to, {free / _GIB:,.0f} GiB free", ""


def _store(settings: Settings) -> _Found:
    try:
        with closing(open_store(settings.database)) as store:
            waiting = store.counts()[JobState.QUEUED]
            workers = store.workers(seen_within_s=settings.lease_s)
            yield Level.OK, f"{store.name} answers, with this version's schema; workers heard of: {len(workers)}", ""
    except NoStoreError as error:
        sqlite = settings.database.startswith("sqlite")  # whose file the first command makes
        yield (Level.OK if sqlite else Level.WARNING), str(error), "" if sqlite else error.fix
        return
    if waiting and not workers:
        yield Level.WARNING, f"no worker was heard of, and jobs wait: {waiting}", "start `bench worker`"


def _clock(settings: Settings) -> _Found:
    try:
        with closing(open_store(settings.database)) as store:
            before, theirs, after = datetime.now(UTC), store.now(), datetime.now(UTC)
    except NoStoreError:
        yield Level.OK, "no store yet to compare with", ""
        return
    except BenchError:  # which the check of the store has told
        yield Level.WARNING, "not compared: the store cannot be read", "mend that first"
        return
    ahead_s = (theirs - (before + (after - before) / 2)).total_seconds()
    if abs(ahead_s) > _CLOCK_S:
        what = f"the store's clock is {abs(ahead_s):,.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
        yield Level.WARNING, f"{what}; leases go by the store's, logs by this one", "set both by NTP (timedatectl)"
    else:
        yield Level.OK, f"the store's and this machine's differ by {abs(ahead_s):.2f} s", ""


def _broker(settings: Settings) -> _Found:
    from scheduler.app import doorbells
    from scheduler.broker import find_server, is_up

    if settings.embedded_broker and not is_up(settings):
        server = find_server()
        if settings.socket.exists():
            fix = "run `bench down`; the next `bench submit` or `bench worker` starts it anew"
            yield Level.WARNING, "the embedded broker does not answer", fix
        else:
            yield Level.OK, f"embedded, not started yet; it will be {server}", ""
        return
    waiting = doorbells(settings).depth()
    messages = "" if waiting is None else f"; messages that wait: {waiting}"
    yield Level.OK, f"{shown(settings.broker)} answers{messages}", ""


_CHECKS: tuple[tuple[str, Callable[[Settings], _Found]], ...] = (
    ("home", _home),
    ("data", _data),
    ("artifacts", _artifacts),
    ("store", _store),
    ("clock", _clock),
    ("broker", _broker),
)
