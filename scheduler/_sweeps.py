"""Sweeps of a suite file: many points from one variant, by a grid, a list or at random."""

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from db.errors import ConfigError
from scheduler._conditions import check_names, conditions, matches, values_of
from scheduler._draws import Drawn, draw, drawn_fields
from scheduler._suite_configs import Variant, config_of, merged, nested
from scheduler._suite_file import LONGEST_TITLE, MOST_POINTS, Origin, RandomTable, SuiteFile, SweepTable, once, title_of
from scheduler._wording import counted, field_words, point_name, point_title, value_title

_NAME_THEM = 'name the points: list = [{ name = "short", ... }]'
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=,x()+-]{0,199}")
_MOST_DRAWS = 1000  # for one point, of which each was left out or is another point
_KINDS = ("grid", "list", "random")


@dataclass(frozen=True, slots=True)
class _Point:
    name: str
    title: str
    changes: Mapping[str, Any]


def add_sweeps(
    where: Origin, file: SuiteFile, variants: dict[str, Variant]
) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """Each sweep's title, base and points by label, and notices; the points become variants too.

    A random sweep has `drawn` as well, what each point has of each field. Raises ConfigError.
    """
    sweeps: dict[str, dict[str, Any]] = {}
    notices: list[str] = []
    for name, sweep in file.sweeps.items():
        if name in file.variants:
            raise ConfigError(f"{where}: {where.place(f'sweeps.{name}')} has the name of a variant", fix=_ANOTHER)
        found = _Sweep(where, name, sweep, file)
        points = found.points()
        for point in points:
            if point.label in variants:
                what = "is a variant's name" if point.label in file.variants else "is the name of two points"
                raise ConfigError(f"{where}: {found.place}: {point.label} {what}", fix=_NAME_THEM)
            variants[point.label] = point
        titles = {point.label: point.title for point in points}
        sweeps[name] = {"title": sweep.title or name, "base": sweep.base, "points": titles}
        sweeps[name] |= {"drawn": found.drawn} if found.drawn else {}
        notices += found.notices
    return sweeps, tuple(notices)


_ANOTHER = "give it another name"


class _Sweep:
    """One sweep on its way to points.

    `notices`: what its conditions and its budget did that nobody may have meant. `drawn`: of random points, the value
    of each field as text.
    """

    def __init__(self, where: Origin, name: str, sweep: SweepTable, file: SuiteFile) -> None:
        self.where, self.name, self.sweep, self.file = where, name, sweep, file
        self.place = where.place(f"sweeps.{name}")
        self.notices: list[str] = []
        self.drawn: dict[str, dict[str, str]] = {}
        if sweep.base not in file.variants:
            fix = f"choose one of {', '.join(file.variants)}"
            raise self._error(f"base: no variant {sweep.base!r}", fix)
        given = [kind for kind, of in zip(_KINDS, (sweep.grid, sweep.points, sweep.random), strict=True) if of]
        if len(given) != 1:
            what = f"it has {' and '.join(given)}" if given else "it has none"
            raise self._error(f"needs one of `grid`, `list` and `random`: {what}", "give one of them")
        base = {key: value for key, value in file.variants[sweep.base].items() if key not in ("title", "seeds")}
        self._base = merged(base, nested(sweep.changes, where, f"{self.place} set"))
        self._seeds = once(where, self.place, sweep.seeds or ())
        self._conditions = conditions(where, self.place, sweep.leave_out)
        self._matched = [0 for _ in self._conditions]
        self._fields: dict[str, None] = {}
        self._asked = 0  # points that the conditions were asked about

    def points(self) -> list[Variant]:
        """The points that are taken, in order."""
        found = self._drawn(self.sweep.random) if self.sweep.random else self._written()
        check_names(self.where, self.place, self._conditions, self._fields)
        for number, times in enumerate(self._matched, start=1):
            if not times:
                what = "matches none of the draws" if self.sweep.random else "leaves nothing out"
                self.notices.append(f"{self.where}: {self.place} leave_out {number} {what}")
        if not found:
            raise self._error(self._what_left_nothing(), "leave out less")
        return found

    def _what_left_nothing(self) -> str:
        """Conditions are all that takes points away: the one that took them all, where there is one."""
        points = self._asked
        alone = next((number for number, times in enumerate(self._matched, start=1) if times == points), None)
        if alone is None:
            return f"leave_out: its conditions together match all of its {points:,} points, nothing is left"
        matched = "its only point" if points == 1 else f"all of its {points:,} points"
        return f"leave_out {alone} matches {matched}, nothing is left"

    def _written(self) -> list[Variant]:
        """Of a grid or a list: all but those that are left out, and the budget has room for all of them."""
        named = self._grid(self.sweep.grid) if self.sweep.grid else self._listed()
        found = [self._variant(point) for point in named if not self._is_left_out(point.changes)]
        epochs = sum(map(self._epochs, found))
        if self.sweep.budget and epochs > self.sweep.budget.epochs:
            seeds = len(self._seeds or self.file.suite.seeds)
            what = f"budget: {counted(len(found), 'point')} with {counted(seeds, 'seed')} are {epochs:,} epochs"
            fix = f"list fewer points, seeds or epochs, or write budget = {{ epochs = {epochs} }}"
            raise self._error(f"{what}, more than {self.sweep.budget.epochs:,}", fix)
        return found

    def _drawn(self, table: RandomTable) -> list[Variant]:
        """Points one after another, each other than all before it, so that a sweep that grows keeps those it has."""
        if table.points is None and self.sweep.budget is None:
            raise self._error("random: no number of points", "write points = 20, or budget = { epochs = 2000 }")
        fields = drawn_fields(self.where, f"{self.place} random", table.fields)
        found: list[Variant] = []
        taken: set[str] = set()
        spent = 0
        for number in range(1, (table.points or MOST_POINTS) + 1):
            changes = self._new_draw(fields, (table.seed, number), taken)
            if changes is None:
                self._say_exhausted(number - 1, table.points)
                break
            variant = self._variant(_Point(str(number), _numbered(number, point_title(changes)), changes))
            spent += self._epochs(variant)
            if self.sweep.budget and spent > self.sweep.budget.epochs:
                self._say_spent(len(found), table.points, epochs=spent, budget=self.sweep.budget.epochs)
                break
            found.append(variant)
            self.drawn[variant.label] = {
                word: value_title(changes[field]) for field, word in field_words(changes).items()
            }
        return found

    def _new_draw(self, fields: Mapping[str, Drawn], of: tuple[int, int], taken: set[str]) -> dict[str, Any] | None:
        """A draw that no point has and that is not left out; None when there seems to be no more."""
        for attempt in range(_MOST_DRAWS):
            changes = draw(fields, seed=of[0], point=of[1], attempt=attempt)
            text = json.dumps(changes, sort_keys=True, default=str)
            if text not in taken and not self._is_left_out(changes):
                taken.add(text)
                return changes
        return None

    def _say_exhausted(self, points: int, asked: int | None) -> None:
        what = f"{_MOST_DRAWS:,} draws were left out or equal to earlier points"
        if not points:
            raise self._error(f"random: the first {what}", "leave out less")
        if asked:
            fix = f"write points = {points}, or draw from more values"
            raise self._error(f"random: after {counted(points, 'point')} {what}, and {asked:,} were asked for", fix)
        self.notices.append(f"{self.where}: {self.place} random: {counted(points, 'point')}; after them {what}")

    def _say_spent(self, points: int, asked: int | None, *, epochs: int, budget: int) -> None:
        if not points:
            fix = f"write at least budget = {{ epochs = {epochs} }}"
            raise self._error(f"budget: the first point takes {epochs:,} epochs, more than {budget:,}", fix)
        if asked:
            what = f"budget: {points:,} of {asked:,} points are within {budget:,} epochs"
            self.notices.append(f"{self.where}: {self.place} {what}")

    def _grid(self, grid: Mapping[str, list[Any]]) -> Iterable[_Point]:
        empty = [field for field, values in grid.items() if not values]
        if empty:
            raise self._error(f"grid: {empty[0]} has no values", "list at least one")
        points = math.prod(map(len, grid.values()))
        if points > MOST_POINTS:
            raise self._error(f"grid: {points:,} points", f"list fewer: at most {MOST_POINTS:,}")
        for combination in itertools.product(*grid.values()):
            changes = dict(zip(grid, combination, strict=True))
            yield _Point(point_name(changes), point_title(changes), changes)

    def _listed(self) -> Iterable[_Point]:
        for number, point in enumerate(self.sweep.points, start=1):
            changes = dict(point)
            name = title_of(self.where, f"{self.place} list {number} name", changes.pop("name", str(number)))
            title = title_of(self.where, f"{self.place} list {number} title", changes.pop("title", name))
            yield _Point(name, title, changes)

    def _merged(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        return merged(self._base, nested(changes, self.where, self.place))

    def _is_left_out(self, changes: Mapping[str, Any]) -> bool:
        if not self._conditions:
            return False
        values = values_of(merged(self.file.defaults, self._merged(changes)))
        self._fields |= dict.fromkeys(values)
        self._asked += 1
        found = [matches(one, values) for one in self._conditions]
        self._matched = [times + one for times, one in zip(self._matched, found, strict=True)]
        return any(found)

    def _variant(self, point: _Point) -> Variant:
        label = f"{self.name}={point.name}"
        if not _LABEL.fullmatch(label):
            raise self._error(f"{point.name[:60]!r} makes a name that is too long or has unusual letters", _NAME_THEM)
        config = config_of(self.where, f"{self.place} {point.name}", self.file, self._merged(point.changes))
        return Variant(label=label, title=point.title, config=config, seeds=self._seeds)

    def _epochs(self, point: Variant) -> int:
        """At most, over all of its seeds."""
        return point.config.epochs * len(point.seeds or self.file.suite.seeds)

    def _error(self, what: str, fix: str) -> ConfigError:
        return ConfigError(f"{self.where}: {self.place} {what}", fix=fix)


def _numbered(number: int, title: str) -> str:
    """Of a random point: its number, by which it is asked for, and what was drawn, as far as a title has room."""
    whole = f"{number} ({title})"
    return whole if len(whole) <= LONGEST_TITLE else f"{whole[: LONGEST_TITLE - 2]}…)"
