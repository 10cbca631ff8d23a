"""Suites: a TOML file that names variants and sweeps becomes labelled configs, checked once, here."""

import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from db.errors import ConfigError, NotFoundError
from models import ARGUMENTS
from scheduler.config import Config

BUILT_IN = ("report",)
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.=,x()-]*$", max_length=100)]


_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=,x()+-]{0,199}")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SuiteHead(_Table):
    name: Name
    title: str = ""
    dataset: str = "cifar100-20"


class SweepTable(_Table):
    """Either `grid`: each field with its values, all combinations; or `list`: the fields of each point."""

    base: str
    title: str = ""
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    points: list[dict[str, Any]] = Field(default_factory=list, alias="list")


class ReportTable(_Table):
    name: Name
    kind: Literal["training", "results", "tuning"]
    title: str = ""
    variants: list[str] = Field(default_factory=list)
    columns: list[Literal["test_accuracy", "test_loss", "parameters"]] = Field(default_factory=list)
    sweep: str | None = None


class ReportFigure(_Table):
    name: Name
    kind: Literal[
        "class_distribution",
        "samples",
        "history",
        "metrics",
        "histories",
        "augmentation",
        "tuning",
        "complexity",
        "accuracy",
        "confusion",
    ]
    title: str = ""
    variants: list[str] = Field(default_factory=list)
    sweeps: list[str] = Field(default_factory=list)


class ReferenceTable(_Table):
    source: str
    variants: dict[str, dict[str, float]]


class SuiteFile(_Table):
    """The file as it is written; what its configs hold is checked by `Config`."""

    suite: SuiteHead
    defaults: dict[str, Any] = Field(default_factory=dict)
    variants: dict[Name, dict[str, Any]] = Field(min_length=1)
    sweeps: dict[Name, SweepTable] = Field(default_factory=dict)
    tables: list[ReportTable] = Field(default_factory=list)
    figures: list[ReportFigure] = Field(default_factory=list)
    reference: ReferenceTable | None = None


class Variant(_Table):
    label: str
    title: str
    config: Config


class Suite(_Table):
    """A checked suite: its variants and sweep points by label, in the file's order, and its text as it was read."""

    name: str
    title: str
    dataset: str
    text: str
    variants: dict[str, Variant]
    sweeps: dict[str, dict[str, Any]]
    tables: list[dict[str, Any]]
    figures: list[dict[str, Any]]
    reference: dict[str, Any]

    def select(self, names: Iterable[str]) -> list[str]:
        """Labels for names of variants, sweep points or whole sweeps, in the suite's order. Raises ConfigError."""
        wanted: set[str] = set()
        for name in names:
            if name not in self.variants and name not in self.sweeps:
                raise ConfigError(
                    f"the suite {self.name!r} has no variant {name!r}",
                    fix=f"choose among {', '.join((*self.variants, *self.sweeps))}",
                )
            wanted.update([name] if name in self.variants else self.sweeps[name]["points"])
        return [label for label in self.variants if label in wanted]


def load_suite(source: str = "report") -> Suite:
    """A built-in suite by name, or one from a file. Raises ConfigError naming file, place and allowed values."""
    where, text = _read(source)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not valid TOML: {error}", fix="mend that line") from error
    try:
        file = SuiteFile.model_validate(raw)
    except ValidationError as error:
        raise _config_error(where, "", error) from error
    variants = _variants(where, file)
    sweeps: dict[str, dict[str, Any]] = {}
    for name, sweep in file.sweeps.items():
        points = _points(where, name, sweep, file)
        for point in points:
            if point.label in variants:
                raise ConfigError(f"{where}: [sweeps.{name}] has two points named {point.label}", fix="give them names")
            variants[point.label] = point
        titles = {point.label: point.title for point in points}
        sweeps[name] = {"title": sweep.title or name, "base": sweep.base, "points": titles}
    _check_mentions(where, file, variants, sweeps)
    return Suite(
        name=file.suite.name,
        title=file.suite.title or file.suite.name,
        dataset=file.suite.dataset,
        text=text,
        variants=variants,
        sweeps=sweeps,
        tables=[table.model_dump() for table in file.tables] or _default_tables(file, sweeps),
        figures=[figure.model_dump() for figure in file.figures] or _default_figures(file, sweeps),
        reference=file.reference.model_dump() if file.reference else {},
    )


def _read(source: str) -> tuple[str, str]:
    if source in BUILT_IN:
        return f"suite {source!r}", resources.files("scheduler").joinpath(f"suites/{source}.toml").read_text("utf-8")
    path = Path(source)
    try:
        return str(path), path.read_text("utf-8")
    except FileNotFoundError as error:
        fix = f"name a TOML file, or a built-in suite: {', '.join(BUILT_IN)}"
        raise NotFoundError(f"there is no suite file {source}", fix=fix) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the suite file {source}: {error}", fix="name a TOML file in UTF-8") from error


def _variants(where: str, file: SuiteFile) -> dict[str, Variant]:
    found = {}
    for label, given in file.variants.items():
        own = dict(given)
        title = str(own.pop("title", label))
        config = _config(where, f"[variants.{label}]", {"dataset": file.suite.dataset}, file.defaults, own)
        found[label] = Variant(label=label, title=title, config=config)
    return found


def _points(where: str, name: str, sweep: SweepTable, file: SuiteFile) -> list[Variant]:
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
        values = _changed(base, changes, where, place)
        config = _config(where, f"{place} {point_name}", {"dataset": file.suite.dataset}, file.defaults, values)
        label = f"{name}={point_name}"
        if not _LABEL.fullmatch(label):
            long = (
                f"{where}: {place} {point_name[:60]!r} makes a name that is too long or has other letters than a name's"
            )
            raise ConfigError(long, fix='name the points: list = [{ name = "short", ... }]')
        found.append(Variant(label=label, title=title, config=config))
    return found


def _named_points(where: str, place: str, sweep: SweepTable) -> Iterable[tuple[str, str, dict[str, Any]]]:
    if sweep.grid:
        for field, values in sweep.grid.items():
            if not values:
                raise ConfigError(f"{where}: {place} grid: {field} has no values", fix="list at least one")
        for combination in itertools.product(*sweep.grid.values()):
            changes = dict(zip(sweep.grid, combination, strict=True))
            single = len(changes) == 1
            name = ",".join(_word(v) if single else f"{f.rpartition('.')[2]}={_word(v)}" for f, v in changes.items())
            title = ", ".join(
                _shown(v) if single else f"{f.rpartition('.')[2]} {_shown(v)}" for f, v in changes.items()
            )
            yield name, title, changes
    for number, point in enumerate(sweep.points, start=1):
        changes = dict(point)
        name = str(changes.pop("name", number))
        yield name, str(changes.pop("title", name)), changes


def _word(value: Any) -> str:
    return "x".join(map(_word, value)) if isinstance(value, list) else str(value)


def _shown(value: Any) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, list) else str(value)


def _changed(base: Mapping[str, Any], changes: Mapping[str, Any], where: str, place: str) -> dict[str, Any]:
    values = {key: dict(value) if isinstance(value, dict) else value for key, value in base.items()}
    for field, value in changes.items():
        outer, dot, inner = field.partition(".")
        if not dot:
            values[field] = value
        elif outer == "arguments" and "." not in inner:
            values["arguments"] = {**values.get("arguments", {}), inner: value}
        else:
            raise ConfigError(f"{where}: {place}: no field {field!r}", fix="name a config field or arguments.NAME")
    return values


def _config(where: str, place: str, *layers: Mapping[str, Any]) -> Config:
    values: dict[str, Any] = {}
    for layer in layers:
        values |= layer
    try:
        return Config.parse(values)
    except ValidationError as error:
        raise _config_error(where, place, error, model=str(values.get("model", "small_cnn"))) from error


def _config_error(where: str, place: str, error: ValidationError, *, model: str = "") -> ConfigError:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        allowed = _allowed(first["loc"], config=bool(place), model=model)
        return ConfigError(
            f"{where}: {place + ' ' if place else ''}{field}: no such field",
            fix=f"choose among {allowed}" if allowed else "",
        )
    given = first.get("input")
    shown = f" (it is {given!r})" if isinstance(given, str | int | float | bool | list) else ""
    return ConfigError(f"{where}: {place + ' ' if place else ''}{field}: {message}{shown}", fix=f"correct {field}")


def _allowed(path: tuple[int | str, ...], *, config: bool, model: str = "") -> str:
    if len(path) == 1:
        return ", ".join(Config.model_fields if config else SuiteFile.model_fields)
    tables: dict[str, type[BaseModel]] = {"suite": SuiteHead, "sweeps": SweepTable, "tables": ReportTable}
    tables |= {"figures": ReportFigure, "reference": ReferenceTable}
    if config and path[0] == "arguments":
        return ", ".join(field.name for field in fields(ARGUMENTS[model])) if model in ARGUMENTS else ""
    found = None if config else tables.get(str(path[0]))
    return ", ".join(field.alias or name for name, field in found.model_fields.items()) if found else "its fields"


def _check_mentions(
    where: str, file: SuiteFile, variants: Mapping[str, Variant], sweeps: Mapping[str, dict[str, Any]]
) -> None:
    mentions = [(f"[[tables]] {t.name}", label) for t in file.tables for label in t.variants]
    mentions += [(f"[[figures]] {f.name}", label) for f in file.figures for label in f.variants]
    mentions += [("[reference]", label) for label in (file.reference.variants if file.reference else ())]
    for place, label in mentions:
        if label not in variants:
            raise ConfigError(f"{where}: {place}: no variant {label!r}", fix=f"choose among {', '.join(variants)}")
    wanted = [(f"[[tables]] {t.name}", t.sweep or "") for t in file.tables if t.kind == "tuning"]
    wanted += [(f"[[figures]] {f.name}", name) for f in file.figures for name in f.sweeps]
    for place, name in wanted:
        if name not in sweeps:
            raise ConfigError(
                f"{where}: {place}: no sweep {name!r}", fix=f"choose among {', '.join(sweeps) or '(none)'}"
            )


def _default_tables(file: SuiteFile, sweeps: Mapping[str, Any]) -> list[dict[str, Any]]:
    columns: Any = ["test_accuracy", "test_loss", "parameters"]
    tables = [
        ReportTable(name="comparison", kind="results", title="All variants", variants=[*file.variants], columns=columns)
    ]
    tables += [
        ReportTable(name="training", kind="training", title="Training and validation", variants=[*file.variants])
    ]
    tables += [
        ReportTable(name=f"tuning_{name}", kind="tuning", title=f"Tuning: {sweep['title']}", sweep=name)
        for name, sweep in sweeps.items()
    ]
    return [table.model_dump() for table in tables]


def _default_figures(file: SuiteFile, sweeps: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = [*file.variants]
    figures = [
        ReportFigure(name="class_distribution", kind="class_distribution", title="Class distribution"),
        ReportFigure(name="sample_images", kind="samples", title="Sample images of each class"),
        ReportFigure(name="metrics", kind="metrics", title="Metrics of all variants", variants=names),
        ReportFigure(name="histories", kind="histories", title="Training histories", variants=names),
        ReportFigure(name="augmentation_examples", kind="augmentation", title="Examples of data augmentation"),
        ReportFigure(
            name="accuracy_and_complexity", kind="complexity", title="Accuracy and complexity", variants=names
        ),
        ReportFigure(name="test_accuracy", kind="accuracy", title="Test accuracy of all variants", variants=names),
        ReportFigure(name="confusion_matrices", kind="confusion", title="Confusion matrices", variants=names),
    ]
    if sweeps:
        figures.insert(5, ReportFigure(name="tuning", kind="tuning", title="Tuning experiments", sweeps=[*sweeps]))
    return [figure.model_dump() for figure in figures]
