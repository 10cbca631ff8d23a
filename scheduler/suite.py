"""Suites: a TOML file that names variants and sweeps becomes labelled configs, checked once, here."""

import difflib
import hashlib
import itertools
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from db.errors import ConfigError, NotFoundError
from models import ARGUMENTS
from scheduler._suite_claims import checked_claims
from scheduler._suite_file import OF_VARIANTS, ReportFigure, ReportTable, Strict, SuiteFile, SweepTable, title_of
from scheduler._wording import explained, point_title, point_word, shown
from scheduler.config import Config
from scheduler.datasets import normalise

BUILT_IN = ("report",)
OWN_TABLES = (
    *("cost", "attempts_without_result", "printed_values", "pairs", "claims", "quality"),
    *("time_to_accuracy", "stability"),
)
"""Tables that every report has of its own; a suite's may not have their names, which are file names too."""

_NAME_THEM = 'name the points: list = [{ name = "short", ... }]'
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=,x()+-]{0,199}")
_MOST_POINTS = 10_000  # of one sweep
_DEEPEST = 20  # tables and lists within each other
_LARGEST = 2**63  # TOML's whole numbers have 64 bits


class Variant(Strict):
    label: str
    title: str
    config: Config


class Suite(Strict):
    """A checked suite: its variants and sweep points by label, in the file's order, and its text as it was read."""

    name: str
    title: str
    dataset: str
    seeds: tuple[int, ...]
    text: str
    variants: dict[str, Variant]
    sweeps: dict[str, dict[str, Any]]
    tables: list[dict[str, Any]]
    figures: list[dict[str, Any]]
    reference: dict[str, Any]
    claims: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()  # what was left out of it, and why

    def select(self, names: Iterable[str]) -> list[str]:
        """Labels for names of variants, sweep points or whole sweeps, in the suite's order. Raises ConfigError."""
        wanted: set[str] = set()
        for name in names:
            if name not in self.variants and name not in self.sweeps:
                raise ConfigError(f"the suite {self.name!r} has no variant {name!r}", fix=self._did_you_mean(name))
            wanted.update([name] if name in self.variants else self.sweeps[name]["points"])
        return [label for label in self.variants if label in wanted]

    def _did_you_mean(self, name: str) -> str:
        known = [*self.variants, *self.sweeps]
        close = difflib.get_close_matches(name, known)
        return f"did you mean {' or '.join(close)}?" if close else f"choose among {', '.join(known)}"


def load_suite(source: str = "report") -> Suite:
    """A built-in suite by name, or one from a file. Raises ConfigError naming file, place and allowed values."""
    where, text = _read(source)
    file = _checked(where, text)
    variants = _variants(where, file)
    sweeps = _add_sweeps(where, file, variants)
    _check_layout(where, file)
    _check_mentions(where, file, variants, sweeps)
    reference, notices = _reference(where, file, variants)
    return Suite(
        name=file.suite.name,
        title=file.suite.title or file.suite.name,
        dataset=file.suite.dataset,
        seeds=tuple(file.suite.seeds),
        text=text,
        variants=variants,
        sweeps=sweeps,
        tables=[table.model_dump() for table in file.tables] or _default_tables(file, sweeps),
        figures=[figure.model_dump() for figure in file.figures] or _default_figures(file, sweeps),
        reference=reference,
        claims=checked_claims(where, file.claims, {label: one.config for label, one in variants.items()}),
        notices=notices,
    )


def protocol_of(variants: Mapping[str, Variant], labels: Iterable[str]) -> str:
    """Digest of the configs of these labels: printed values stand beside ours only while it is the file's own."""
    text = json.dumps({label: variants[label].config.canonical() for label in labels}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(source: str) -> tuple[str, str]:
    if source in BUILT_IN:
        return f"suite {source!r}", resources.files("scheduler").joinpath(f"suites/{source}.toml").read_text("utf-8")
    path = Path(source)
    try:
        return str(path), path.read_text("utf-8-sig")  # some editors begin a file with a mark
    except FileNotFoundError as error:
        fix = f"name a TOML file, or a built-in suite: {', '.join(BUILT_IN)}"
        raise NotFoundError(f"there is no suite file {source}", fix=fix) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the suite file {source}: {error}", fix="name a TOML file in UTF-8") from error


def _checked(where: str, text: str) -> SuiteFile:
    try:
        raw = tomllib.loads(text)
        _check_values(where, raw)
        file = SuiteFile.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        message, fix = explained(first, SuiteFile.model_json_schema(), path=first["loc"])
        raise ConfigError(f"{where}: {_place(first['loc'])}: {message}", fix=fix) from error
    except RecursionError as error:
        raise ConfigError(f"{where}: too many lists within each other", fix="write it flatter") from error
    except ValueError as error:  # tomllib's own error is one; a number of thousands of digits is a plain one
        raise ConfigError(f"{where}: not valid TOML: {error}", fix="mend that line") from error
    repeated = [seed for number, seed in enumerate(file.suite.seeds) if seed in file.suite.seeds[:number]]
    if repeated:
        raise ConfigError(f"{where}: [suite] seeds: {repeated[0]} twice", fix="name each seed once")
    _check_dataset(where, file.suite.dataset)
    arguments = file.defaults.get("arguments", {})
    if not isinstance(arguments, dict):
        message = f"{where}: [defaults] arguments: not a table{shown(arguments)}"
        raise ConfigError(message, fix="write arguments = { NAME = VALUE }")
    return file


def _check_values(where: str, value: Any, path: tuple[str | int, ...] = ()) -> None:
    """Raises ConfigError for what no field takes and what later steps could not show."""
    if len(path) > _DEEPEST:
        raise ConfigError(f"{where}: {_place(path[:2])}: too many lists within each other", fix="write it flatter")
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        raise ConfigError(f"{where}: {_place(path)}: a whole number of more than 64 bits", fix="give a smaller one")
    below: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        below = value.items()
    elif isinstance(value, list):
        below = enumerate(value)
    for step, inner in below:
        _check_values(where, inner, (*path, step))


def _place(path: Sequence[str | int]) -> str:
    """Where in the file: `[sweeps.width] base`, `[[figures]] 2 kind`."""
    words = [str(part + 1) if isinstance(part, int) else part for part in path if part != "[key]"]
    if len(path) > 1 and isinstance(path[1], int):
        return " ".join([f"[[{words[0]}]]", *words[1:]])
    return f"[{'.'.join(words[:-1])}] {words[-1]}" if len(words) > 1 else f"[{'.'.join(words)}]"


def _check_dataset(where: str, dataset: str) -> None:
    try:
        normalise(dataset)
    except ConfigError as error:
        raise ConfigError(f"{where}: [suite] dataset: {error}", fix=error.fix) from error


def _variants(where: str, file: SuiteFile) -> dict[str, Variant]:
    found = {}
    for label, given in file.variants.items():
        own = dict(given)
        title = title_of(where, f"[variants.{label}] title", own.pop("title", label))
        config = _config(where, f"[variants.{label}]", file, own)
        found[label] = Variant(label=label, title=title, config=config)
    return found


def _add_sweeps(where: str, file: SuiteFile, variants: dict[str, Variant]) -> dict[str, dict[str, Any]]:
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
        label = f"{name}={point_name}"
        if not _LABEL.fullmatch(label):
            long = f"{where}: {place} {point_name[:60]!r} makes a name that is too long or has unusual letters"
            raise ConfigError(long, fix=_NAME_THEM)
        config = _config(where, f"{place} {point_name}", file, _merged(base, _nested(changes, where, place)))
        found.append(Variant(label=label, title=title, config=config))
    return found


def _named_points(where: str, place: str, sweep: SweepTable) -> Iterable[tuple[str, str, dict[str, Any]]]:
    if sweep.grid:
        yield from _grid(where, place, sweep.grid)
    for number, point in enumerate(sweep.points, start=1):
        changes = dict(point)
        name = title_of(where, f"{place} list {number} name", changes.pop("name", str(number)))
        yield name, title_of(where, f"{place} list {number} title", changes.pop("title", name)), changes


def _grid(where: str, place: str, grid: Mapping[str, list[Any]]) -> Iterable[tuple[str, str, dict[str, Any]]]:
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
        name = ",".join(
            point_word(v) if single else f"{f.rpartition('.')[2]}={point_word(v)}" for f, v in changes.items()
        )
        title = ", ".join(
            point_title(v) if single else f"{f.rpartition('.')[2]} {point_title(v)}" for f, v in changes.items()
        )
        yield name, title, changes


def _nested(changes: Mapping[str, Any], where: str, place: str) -> dict[str, Any]:
    """A point's fields as a table of a variant has them: `arguments.NAME` becomes a key of `arguments`."""
    values: dict[str, Any] = {}
    for field, value in changes.items():
        outer, dot, inner = field.partition(".")
        if not dot:
            values = _merged(values, {field: value})
        elif outer == "arguments" and "." not in inner:
            values = _merged(values, {"arguments": {inner: value}})
        else:
            raise ConfigError(f"{where}: {place}: no field {field!r}", fix="name a config field or arguments.NAME")
    return values


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `under`: field by field, `arguments` key by key while both are of the same network."""
    values = {**under, **over}
    below, above = under.get("arguments", {}), over.get("arguments", {})
    if over.get("model", _network(under)) != _network(under):
        values["arguments"] = above
    elif isinstance(below, dict) and isinstance(above, dict):
        values["arguments"] = below | above
    return values


def _network(values: Mapping[str, Any]) -> Any:
    return values.get("model", Config.model_fields["model"].default)


def _config(where: str, place: str, file: SuiteFile, own: Mapping[str, Any]) -> Config:
    for which, given in (("[defaults]", file.defaults), (place, own)):
        if "dataset" in given:  # one report compares results on the same data
            message = f"{where}: {which} dataset: a suite has one data set"
            raise ConfigError(message, fix="name it in [suite], and write another suite for another data set")
    values = _merged({"dataset": file.suite.dataset, **file.defaults}, own)
    try:
        return Config.parse(values)
    except ValidationError as error:
        raise _config_error(where, place, file, own, error, model=_network(values)) from error


def _config_error(
    where: str, place: str, file: SuiteFile, own: Mapping[str, Any], error: ValidationError, *, model: Any
) -> ConfigError:
    first = error.errors()[0]
    path = list(first["loc"])
    if _is_default(path, file.defaults, own):
        place = "[defaults]"
    schema = Config.model_json_schema()
    del schema["properties"]["dataset"]  # which belongs into [suite]
    inner = path
    if path[0] == "arguments" and model in ARGUMENTS:
        schema, inner = TypeAdapter(ARGUMENTS[model]).json_schema(), path[1:]
    message, fix = explained(first, schema, path=inner)
    if message == "no such field" and len(path) == 1 and place != "[defaults]":
        fix += ", title"
    elif path == ["arguments"]:
        fix = f"{model} takes the arguments {', '.join(schema['properties'])}"
    field = ".".join(str(part + 1) if isinstance(part, int) else part for part in path)
    return ConfigError(f"{where}: {place} {field}: {message}", fix=fix)


def _is_default(path: Sequence[str | int], defaults: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether what is wrong there came from [defaults]; of `arguments` each key has a place of its own."""
    if list(path[:1]) == ["arguments"] and isinstance(own.get("arguments"), dict) and len(path) > 1:
        defaults, own, path = defaults.get("arguments", {}), own["arguments"], path[1:]
    return path[0] in defaults and path[0] not in own


def _check_layout(where: str, file: SuiteFile) -> None:
    """Each table and figure has a name of its own, a file's later, and says what it shows."""
    for kind, given in (("tables", file.tables), ("figures", file.figures)):
        taken = set(OWN_TABLES if kind == "tables" else ())
        for one in given:
            place = f"{where}: [[{kind}]] {one.name}"
            if one.name.lower() in taken:
                raise ConfigError(f"{place}: another one has this name", fix="give it another name")
            taken.add(one.name.lower())
            if one.kind in OF_VARIANTS and not one.variants:
                raise ConfigError(f"{place}: shows no variant", fix=f"give variants, of {', '.join(file.variants)}")
            if isinstance(one, ReportFigure) and one.kind == "tuning" and not one.sweeps:
                fix = f"give sweeps, of {', '.join(file.sweeps) or '(none)'}"
                raise ConfigError(f"{place}: shows no sweep", fix=fix)


def _reference(where: str, file: SuiteFile, variants: Mapping[str, Variant]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The printed values, or none and a notice when they are of another protocol than the file now holds."""
    if file.reference is None:
        return {}, ()
    protocol = protocol_of(variants, file.reference.variants)
    if file.reference.protocol == protocol:
        return file.reference.model_dump(exclude_none=True), ()
    given = f"is of protocol {file.reference.protocol!r}" if file.reference.protocol else "names no protocol"
    notice = f"{where}: [reference] {given}, these configs are {protocol!r}: its values stay out of the report. "
    return {}, (notice + f'If they were printed for exactly these configs, write: protocol = "{protocol}"',)


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
