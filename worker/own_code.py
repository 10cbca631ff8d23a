"""The code of a job's own network: from the store, checked against its sum, or of an installed package."""

from collections.abc import Mapping
from typing import Any

from db.errors import TrainingError
from db.store import Store
from models import Description, OwnCode, describe, installed_version, is_installed
from scheduler.config import picture_of

_read: dict[str, OwnCode] = {}  # by their sums, which are checked


def find_code(store: Store, config: Mapping[str, Any], *, allowed: bool) -> OwnCode | None:
    """None for bench's own networks. Runs nothing of it.

    Raises TrainingError with cause `code` where this worker has not the code that was submitted, or is not `allowed`
    to run it.
    """
    name, network = config.get("code"), config["model"]
    if name is None:
        return None
    if not allowed:
        what = f"this worker runs no networks but bench's own, and not {network}"
        raise TrainingError(
            what, fix="retry the job where workers run them, or start this one with BENCH_OWN_CODE=true"
        )
    if is_installed(name):
        _check_version(network, name)
        return OwnCode(name)
    if name not in _read:
        _read[name] = _from_store(store, network, name)
    return _read[name]


def _check_version(network: str, code: str) -> None:
    distribution, _, wanted = code.partition("==")
    here = installed_version(distribution)
    if here != wanted:
        what = f"{network} was submitted with {code}, this worker has {here or 'none'}"
        raise TrainingError(what, fix=f"install {code} on this worker and retry the job, or submit again from here")


def _from_store(store: Store, network: str, name: str) -> OwnCode:
    content = store.source(name)
    if content is not None and (found := OwnCode(name, content)).is_whole():
        return found
    what = f"the store has {'no code' if content is None else 'other code'} for {network} than was submitted"
    raise TrainingError(what, fix="submit the suite again from where its files are, then retry the job")


def describe_queued(store: Store, config: Mapping[str, Any], *, allowed: bool) -> Description | None:
    """The network of a job that waits; its number of classes is left open, it hardly changes what is asked for.

    None for one that this worker does not know, may not run, or whose code fails: the job will say so.
    """
    try:
        own = find_code(store, config, allowed=allowed)
        return describe(
            config["model"], classes=20, arguments=config["arguments"], own=own, exact=False, **picture_of(config)
        )
    except (TrainingError, ValueError):
        return None
