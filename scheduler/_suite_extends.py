"""A suite that extends another: its tables laid over the other's, and what of the other's then still speaks."""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from db.errors import ConfigError
from db.statements import parse_statement
from scheduler._own_code import from_folder
from scheduler._suite_configs import TABLES, Variant, merged
from scheduler._suite_file import COLUMNS, OF_VARIANTS, Origin, SuiteFile
from scheduler._suite_layout import default_figures, default_tables
from scheduler._toml import as_toml
from scheduler.datasets import has_columns

MOST_BASES = 5  # suites that one stands on
Tables = Mapping[str, Any]  # a suite file as it was read


def laid_over(where: Origin, own: Tables, under: Origin, base: Tables) -> tuple[dict[str, Any], Origin]:
    """`own` on `base`, and where that comes from; tables, figures, claims and printed values are `own`'s alone.

    Raises ConfigError for what cannot be left out.
    """
    without = own["suite"].get("without", [])
    _check_without(where, without, own, base)
    head = {key: value for key, value in own["suite"].items() if key not in ("extends", "without")}
    stays = ("title", *(COLUMNS if "dataset" in head and not has_columns(str(head["dataset"])) else ()))
    head |= {key: value for key, value in base["suite"].items() if key not in (*stays, *head)}
    whole: dict[str, Any] = {"suite": head, "defaults": _laid(base.get("defaults", {}), own.get("defaults", {}))}
    owners = {owner: whole["defaults"][owner] for owner in TABLES.values() if owner in whole["defaults"]}
    inherited: dict[str, str] = {}
    for kind in ("variants", "sweeps"):
        over = own.get(kind, {})
        kept = {name: table for name, table in base.get(kind, {}).items() if name not in without}
        if kind == "variants":
            over = {name: _variant(kept[name], one, owners) if name in kept else one for name, one in over.items()}
        whole[kind] = kept | over
        inherited |= {f"{kind}.{name}": under.name for name in kept if name not in over}
    whole |= {kind: own[kind] for kind in ("tables", "figures", "reference", "claims") if own.get(kind)}
    names = {table: under.inherited.get(table, name) for table, name in inherited.items()}
    return whole, Origin(where.name, where.folder, names)


def _laid(under: Tables, over: Tables) -> dict[str, Any]:
    return {key: value for key, value in merged(under, over).items() if not (key in TABLES and value == {})}


def _variant(under: Tables, over: Tables, owners: Tables) -> dict[str, Any]:
    """Field by field; `owners`: the network and the optimizer that both are of when they name none."""
    laid = _laid({**owners, **under}, over)
    return {key: value for key, value in laid.items() if key not in owners or key in under or key in over}


def _check_without(where: Origin, without: Iterable[str], own: Tables, base: Tables) -> None:
    known = [*base.get("variants", {}), *base.get("sweeps", {})]
    for name in without:
        if name not in known:
            close = difflib.get_close_matches(name, known)
            fix = f"did you mean {' or '.join(close)}?" if close else f"choose among {', '.join(known)}"
            raise ConfigError(f"{where}: [suite] without: no variant or sweep {name!r} to leave out", fix=fix)
    gone = {name for name in without if name in base["variants"] and name not in own.get("variants", {})}
    if len(gone) == len(base["variants"]) and not own.get("variants"):
        every = ", ".join(base["variants"])
        raise ConfigError(
            f"{where}: [suite] without: it leaves out every variant there is, {every}",
            fix="keep one of them, or write a [variants.NAME] of its own",
        )
    kept = {name: one for name, one in base.get("sweeps", {}).items() if name not in (*without, *own.get("sweeps", {}))}
    left = [name for name, sweep in kept.items() if sweep["base"] in gone]
    if left:
        what = f"{kept[left[0]]['base']} is the base of {', '.join(left)}"
        names = ", ".join(f'"{name}"' for name in left)
        raise ConfigError(f"{where}: [suite] without: {what}", fix=f"leave out {names} as well")


def layout_of(
    own: Tables, base: Tables, file: SuiteFile, labels: Iterable[str], sweeps: Mapping[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """Tables and figures: its own, else the base's with what is left of them, and one for what is new."""
    found: dict[str, list[dict[str, Any]]] = {}
    new = {name for name in own.get("variants", {}) if name not in base["variants"]}
    new_sweeps = {name: sweeps[name] for name in own.get("sweeps", {})}
    for kind, usual in (("tables", default_tables), ("figures", default_figures)):
        if own.get(kind):
            found[kind] = own[kind]
            continue
        kept = [left for one in base.get(kind, []) if (left := _left(one, {*labels}, {*sweeps}))]
        named = {one["name"].lower() for one in kept}
        more = (
            [one for one in usual(file, new_sweeps) if _is_for_new(one, new=bool(new), sweeps=new_sweeps)]
            if kept
            else []
        )
        found[kind] = kept + [_named_apart(one, named) for one in more]
    return {kind: of for kind, of in found.items() if of}


def _left(one: Tables, labels: set[str], sweeps: set[str]) -> dict[str, Any] | None:
    """A table or figure of what is still there, None where nothing is."""
    left = dict(one)
    if "variants" in one:
        left["variants"] = [label for label in one["variants"] if label in labels]
    if "sweeps" in one:
        left["sweeps"] = [name for name in one["sweeps"] if name in sweeps]
    if one["kind"] == "tuning":
        return left if left.get("sweeps") or left.get("sweep") in sweeps else None
    return left if left.get("variants") or one["kind"] not in OF_VARIANTS else None


def _is_for_new(one: Tables, *, new: bool, sweeps: Mapping[str, Any]) -> bool:
    if one["kind"] == "tuning":
        return bool(sweeps)
    return new and one["kind"] in ("results", "accuracy")


def _named_apart(one: Tables, taken: set[str]) -> dict[str, Any]:
    names = [one["name"], *(f"{one['name']}_{number}" for number in range(2, len(taken) + 3))]
    name = next(name for name in names if name.lower() not in taken)
    return {key: value for key, value in {**one, "name": name}.items() if value}


def claims_left(claims: Iterable[str], variants: Mapping[str, Variant]) -> list[str]:
    """The base's claims that speak of variants which are there, and which differ."""
    found = []
    for text in claims:
        said = parse_statement(text)
        named = [label for label in (said.ours, said.theirs) if label]
        configs = [variants[label].config.canonical() for label in named if label in variants]
        if len(configs) == len(named) and not (len(configs) == 2 and configs[0] == configs[1]):
            found.append(text)
    return found


def printed_left(
    printed: Mapping[str, Any], before: Mapping[str, Variant], now: Mapping[str, Variant]
) -> tuple[dict[str, Any], list[str]]:
    """The base's printed values for variants whose configs are what they were; and the labels of all others."""
    same = {
        label: values
        for label, values in printed.items()
        if label in now and now[label].config.canonical() == before[label].config.canonical()
    }
    return same, [label for label in printed if label in now and label not in same]


def with_absolute_paths(tables: Tables, folder: Path) -> dict[str, Any]:
    """Networks of code in its folder named from the root, so that another file in another folder may take them over."""
    return {
        kind: _absolute(of, folder) if kind in ("defaults", "variants", "sweeps") else of for kind, of in tables.items()
    }


def _absolute(value: Any, folder: Path, *, model: bool = False) -> Any:
    if isinstance(value, Mapping):
        return {key: _absolute(one, folder, model=key == "model") for key, one in value.items()}
    if isinstance(value, list):
        return [_absolute(one, folder, model=model) for one in value]
    if not (model and isinstance(value, str)):
        return value
    name = value.removeprefix("!=").lstrip()  # of a condition
    return value.removesuffix(name) + from_folder(name, folder)


def path_from(folder: Path, given: str) -> Path:
    """A path of a suite file, which counts from its folder; `~` is somebody's home where there is one."""
    return folder / os.path.expanduser(given)  # noqa: PTH111  # pathlib's raises where there is none


def text_of(whole: Tables, base: str, own_text: str) -> str:
    """The whole suite as one file, which needs no other; what was written follows as a comment."""
    written = "".join(f"#{' ' if line else ''}{line}\n" for line in own_text.splitlines())
    under = " ".join(base.split())
    first, last = f"# The whole suite, with what {under} has laid under it.", "# As it was written:\n#"
    return f"{first}\n\n{as_toml(whole)}\n{last}\n{written}"
