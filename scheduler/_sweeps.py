"""Sweeps of a suite file: many points from one variant, by a grid or a list."""

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from db.errors import ConfigError
from scheduler._suite_configs import Variant, config_of, merged, nested
from scheduler._suite_file import Origin, SuiteFile, SweepTable, title_of
from scheduler._wording import point_title, point_word

_NAME_THEM = 'name the points: list = [{ name = "short", ... }]'
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=,x()+-]{0,199}")
_MOST_POINTS = 10_000  # of one sweep


def add_sweeps(where: Origin, file: SuiteFile, variants: dict[str, Variant]) -> dict[str, dict[str, Any]]:
    """Each sweep's title, base and points by label; the points become variants too."""
    sweeps: dict[str, dict[str, Any]] = {}
    for name, sweep in file.sweeps.items():
        if name in file.variants:
            raise ConfigError(f"{where}: [sweeps.{name}] has the name of a variant", fix="give it another name")
        points = _points(where, name, sweep, file)
        for point in points:
            if point.label in variants:
                what = "is a variant's name" if point.label in file.variants else "is the name of two points"
                raise ConfigError(f"{where}: [sweeps.{name}]: {point.label} {what}", fix=_NAME_THEM)
            variants[point.label] = point
        titles = {point.label: point.title for point in points}
        sweeps[name] = {"title": sweep.title or name, "base": sweep.base, "points": titles}
    return sweeps


def _points(where: Origin, name: str, sweep: SweepTable, file: SuiteFile) -> list[Variant]:
    place = f"[sweeps.{name}]"
    if sweep.base not in file.variants:
        raise ConfigError(
            f"{where}: {place} base: no variant {sweep.base!r}", fix=f"choose one of {', '.join(file.variants)}"
        )
    if bool(sweep.grid) == bool(sweep.points):
        raise ConfigError(f"{where}: {place} needs either `grid` or `list`", fix="give one of them")
    base = {key: value for key, value in file.variants[sweep.base].items() if key != "title"}
    found = []
    for point_name, title, changes in _named_points(where, place, sweep):
        label = f"{name}={point_name}"
        if not _LABEL.fullmatch(label):
            long = f"{where}: {place} {point_name[:60]!r} makes a name that is too long or has unusual letters"
            raise ConfigError(long, fix=_NAME_THEM)
        config = config_of(where, f"{place} {point_name}", file, merged(base, nested(changes, where, place)))
        found.append(Variant(label=label, title=title, config=config))
    return found


def _named_points(where: Origin, place: str, sweep: SweepTable) -> Iterable[tuple[str, str, dict[str, Any]]]:
    if sweep.grid:
        yield from _grid(where, place, sweep.grid)
    for number, point in enumerate(sweep.points, start=1):
        changes = dict(point)
        name = title_of(where, f"{place} list {number} name", changes.pop("name", str(number)))
        yield name, title_of(where, f"{place} list {number} title", changes.pop("title", name)), changes


def _grid(where: Origin, place: str, grid: Mapping[str, list[Any]]) -> Iterable[tuple[str, str, dict[str, Any]]]:
    points = 1
    for field, values in grid.items():
        points *= len(values)
        if not values:
            raise ConfigError(f"{where}: {place} grid: {field} has no values", fix="list at least one")
    if points > _MOST_POINTS:
        raise ConfigError(f"{where}: {place} grid: {points:,} points", fix=f"list fewer: at most {_MOST_POINTS:,}")
    for combination in itertools.product(*grid.values()):
        changes = dict(zip(grid, combination, strict=True))
        single = len(changes) == 1
        name = ",".join(_word(f, v) if single else f"{f.rpartition('.')[2]}={_word(f, v)}" for f, v in changes.items())
        title = ", ".join(
            point_title(v) if single else f"{f.rpartition('.')[2]} {point_title(v)}" for f, v in changes.items()
        )
        yield name, title, changes


def _word(field: str, value: Any) -> str:
    """Of a network in a file or package its name alone: a point's name has no `:` and no `/`."""
    return point_word(value).rpartition(":")[2] if field == "model" else point_word(value)
