"""The code of a job's own network: from the store, checked against its sum, or of an installed package."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from db.errors import TrainingError
from db.records import NetworkSize
from db.store import Store
from models import OwnCode, describe, installed_version, is_installed
from scheduler.config import network_key, picture_of

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


def sizes_of(store: Store, configs: Iterable[Mapping[str, Any]]) -> dict[str, NetworkSize]:
    """How large the networks of waiting jobs are, by `network_key`; without those that this version does not know.

    Networks that are not bench's were measured by whoever submitted them. Nothing of them is run here: one that takes
    its process along would do so before its job is claimed, again and again, and no other job would ever be.
    """
    by_key = {network_key(config): config for config in configs}
    found = store.network_sizes([key for key, config in by_key.items() if config.get("code")])
    for key, config in by_key.items():
        if not config.get("code"):
            with suppress(ValueError):
                # how many classes it has hardly changes what is asked for
                size = describe(config["model"], classes=20, arguments=config["arguments"], **picture_of(config))
                found[key] = NetworkSize(parameters=size.parameters, flops=size.flops, activations=size.activations)
    return found
