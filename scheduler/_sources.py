"""Where a setting was given, without pydantic: a shell's completion cannot wait for that."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

Origin: TypeAlias = Literal["flag", "environment", "bench.toml", "default"]

_PREFIX = "bench_"
_OF_TESTS = "test_"


def toml_of(flags: Mapping[str, Any]) -> Path:
    """The bench.toml of the home in force, which need not be there."""
    home = flags.get("home") or os.environ.get("BENCH_HOME") or ".bench"
    return Path(os.path.expanduser(home)) / "bench.toml"  # noqa: PTH111 - one that it cannot expand is named later


def given(name: str, *, flags: Mapping[str, Any], file: Mapping[str, Any]) -> tuple[Any, Origin]:
    """The setting's value as it was given, and by whom: the first that names it. An empty one means the default."""
    environment = {key.lower().removeprefix(_PREFIX): value for key, value in os.environ.items() if _is_ours(key)}
    sources: tuple[tuple[Origin, Mapping[str, Any]], ...]
    sources = (("flag", flags), ("environment", environment), ("bench.toml", file))
    for origin, values in sources:
        if name in values:
            return (values[name], origin) if values[name] != "" else (None, "default")
    return None, "default"


def unknown_variables(known: set[str]) -> list[str]:
    """Variables that begin like settings and are none."""
    names = {key: key.lower().removeprefix(_PREFIX) for key in os.environ if _is_ours(key)}
    return sorted(key for key, name in names.items() if name not in known and not name.startswith(_OF_TESTS))


def _is_ours(variable: str) -> bool:
    return variable.lower().startswith(_PREFIX)
