"""A first suite: commented and small, ready to run on the digits, or on data and networks of the user's own."""

import json
import os
import re
import shlex
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from db.errors import ConfigError
from models import MODEL_NAMES
from scheduler.datasets import DIGITS, FILE, FOLDER
from scheduler.suite import load_suite

_SMALL = """[variants.{label}]
title = "Baseline"                    # a small network of bench, something to beat
model = "small_cnn"
arguments = { conv_depths = [16, 32], hidden_units = 64, batch_norm = true }
"""
_OWN = """[variants.{label}]
title = "{label}"
model = {model}
# arguments = { NAME = VALUE }        # keyword arguments of it
"""


def write_starter(path: Path, *, dataset: str | None = None, models: Sequence[str] = ()) -> None:
    """Write it to `path`, named like the file; with a data set or networks a suite of these.

    Relative paths in both count from where we are. Raises ConfigError where something is already, where nothing can be
    written, or for what is no data set or no network; then nothing stays behind.
    """
    text = _of_ones_own(path, dataset or DIGITS, models) if dataset or models else _template("starter")
    text = text.replace("{name}", _name_of(path)).replace("{file}", _on_a_line(path))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already", fix="name another file: `bench init FILE`") from error
    except OSError as error:
        fix = "name a file in a folder that you may write to"
        raise ConfigError(f"cannot write {path}: {error.strerror}", fix=fix) from error
    try:
        load_suite(str(path))
    except Exception:
        path.unlink()
        raise


def _template(name: str) -> str:
    return resources.files("scheduler").joinpath(f"suites/{name}.toml").read_text("utf-8")


def _of_ones_own(path: Path, dataset: str, models: Sequence[str]) -> str:
    tables: dict[str, str] = {}
    for model in models:
        label = _label(model.rpartition(":")[2], tables)
        tables[label] = _OWN.replace("{label}", label).replace("{model}", json.dumps(_from(path, model)))
    label = _label("baseline", tables)
    tables[label] = _SMALL.replace("{label}", label)
    first, last = next(iter(tables)), [*tables][-1]
    kind = next((kind for kind in (FOLDER, FILE) if dataset.startswith(kind)), "")
    named = kind + _from(path, dataset.removeprefix(kind)) if kind else dataset
    found = _template("own").replace("{dataset}", json.dumps(named)).replace("{variants}", "\n".join(tables.values()))
    return found.replace("{first}", first).replace("{last}", last)


def _label(word: str, taken: dict[str, str]) -> str:
    """A variant's name that none has yet, and that stands after a dot without quotation marks."""
    base = re.sub(r"[^A-Za-z0-9_-]+", "", word).lstrip("_-")[:90] or "network"
    return next(name for name in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)


def _from(path: Path, given: str) -> str:
    """A relative path, counted from the suite's folder; other words as they are."""
    place, colon, name = given.rpartition(":") if ".py:" in given else (given, "", "")
    if given in MODEL_NAMES or (":" in given and not colon) or Path(place).is_absolute() or place.startswith("~"):
        return given
    return f"{os.path.relpath(place, path.parent)}{colon}{name}"


def _name_of(path: Path) -> str:
    """The file's name as a suite's name: its letters that a name may have."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "", path.stem).lstrip("_.-")[:100] or "mine"


def _on_a_line(path: Path) -> str:
    """As a shell takes it; a name with control codes, which no comment can hold, is left for the user to type."""
    return shlex.quote(str(path)) if str(path).isprintable() else "FILE"
