"""A suite file's tables of fields, laid over each other, become configs."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from db.errors import ConfigError
from models import ARGUMENTS, is_own
from scheduler._own_code import own_code
from scheduler._suite_file import OF_THE_DATA, Origin, Strict, SuiteFile
from scheduler._wording import explained
from scheduler.config import Config
from scheduler.optimizers import OPTIMIZERS

TABLES = {"arguments": "model", "optimizer_arguments": "optimizer"}
"""Tables within a config, each with the field that says whose values they are."""


class Variant(Strict):
    """`seeds`: those of its own, none for the suite's."""

    label: str
    title: str
    config: Config
    seeds: tuple[int, ...] = ()


def flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """`arguments.NAME` for what is written in a table within the config; the other fields as they are."""
    found: dict[str, Any] = {}
    for field, value in table.items():
        inner = value if field in TABLES and isinstance(value, Mapping) else None
        found |= {field: value} if inner is None else {f"{field}.{name}": one for name, one in inner.items()}
    return found


def nested(changes: Mapping[str, Any], where: Origin, place: str) -> dict[str, Any]:
    """A point's fields as a table of a variant has them: `arguments.NAME` becomes a key of `arguments`, and so on."""
    values: dict[str, Any] = {}
    for field, value in changes.items():
        outer, dot, inner = field.partition(".")
        if not dot:
            values = merged(values, {field: value})
        elif outer in TABLES and "." not in inner:
            values = merged(values, {outer: {inner: value}})
        else:
            fix = f"name a config field or {', '.join(f'{table}.NAME' for table in TABLES)}"
            raise ConfigError(f"{where}: {place}: no field {field!r}", fix=fix)
    return values


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `under`: field by field, tables key by key while both are of the same network or optimizer."""
    values = {**under, **over}
    for table, owner in TABLES.items():
        below, above = under.get(table, {}), over.get(table, {})
        if _named(over, owner, default=_named(under, owner)) != _named(under, owner):
            values[table] = above
        elif isinstance(below, dict) and isinstance(above, dict) and (below or above):
            values[table] = below | above
    return values


def _named(values: Mapping[str, Any], owner: str, *, default: Any = None) -> Any:
    """The network, or the optimizer, whatever its case."""
    name = values.get(owner, default or Config.model_fields[owner].default)
    return name.lower() if owner == "optimizer" and isinstance(name, str) else name


def config_of(where: Origin, place: str, file: SuiteFile, own: Mapping[str, Any]) -> Config:
    for which, given in (("[defaults]", file.defaults), (place, own)):
        _check_whose(f"{where}: {which}", given)
    values = merged({**{field: getattr(file.suite, field) for field in OF_THE_DATA}, **file.defaults}, own)
    try:
        return Config.parse(values | _code(where, "[defaults]" if "model" not in own else place, values.get("model")))
    except ValidationError as error:
        raise _config_error(where, place, file, own, error, values) from error


def _check_whose(place: str, given: Mapping[str, Any]) -> None:
    """Raises ConfigError for fields of a config that are none of a variant's."""
    if "dataset" in given:
        fix = "name it in [suite], and write another suite for another data set"
        raise ConfigError(f"{place} dataset: a suite has one data set", fix=fix)
    if "code" in given:
        fix = 'remove it, and name the network\'s file: model = "nets.py:MyNet"'
        raise ConfigError(f"{place} code: no field of a suite, bench finds it out itself", fix=fix)
    for field in OF_THE_DATA:
        if field in given:
            message = f"{place} {field}: a suite has one, as its variants are compared on the same pictures"
            raise ConfigError(message, fix="set it in [suite], and write another suite for another one")


def _code(where: Origin, place: str, model: Any) -> dict[str, str]:
    """What a config says of a network that is not bench's."""
    if not isinstance(model, str) or not is_own(model):
        return {}
    if model not in where.networks:
        try:
            where.networks[model] = own_code(model, where.folder)
        except ConfigError as error:
            raise ConfigError(f"{where}: {place} model: {error}", fix=error.fix) from error
    name, code = where.networks[model]
    return {"model": name, "code": code.name}


def _config_error(
    where: Origin,
    place: str,
    file: SuiteFile,
    own: Mapping[str, Any],
    error: ValidationError,
    values: Mapping[str, Any],
) -> ConfigError:
    first = error.errors()[0]
    path = list(first["loc"])
    if _is_default(path, file.defaults, own):
        place = "[defaults]"
    schema = Config.model_json_schema()
    for name in (*OF_THE_DATA, "code"):  # of which the first belong into [suite], the last into no suite
        del schema["properties"][name]
    inner, owner = path, str(_named(values, TABLES.get(str(path[0]), "model")))
    if (table := _schema_of(str(path[0]), owner)) is not None:
        schema, inner = table, path[1:]
    message, fix = explained(first, schema, path=inner)
    if fix.startswith("choose among") and len(path) == 1 and place != "[defaults]":
        fix += ", title, seeds"
    elif table is not None and not inner and not first.get("ctx", {}).get("fix"):
        fix = f"{owner} takes the arguments {', '.join(schema['properties'])}"
    elif path == ["arguments"] and is_own(owner):
        fix = "write arguments = { NAME = VALUE }"
    field = ".".join(str(part + 1) if isinstance(part, int) else part for part in path)
    return ConfigError(f"{where}: {place} {field}: {message}", fix=fix)


def _schema_of(table: str, owner: str) -> dict[str, Any] | None:
    """What a table within a config may hold; None for another field, or where nobody knows whose it is."""
    if table == "arguments" and owner in ARGUMENTS:
        return TypeAdapter(ARGUMENTS[owner]).json_schema()
    if table == "optimizer_arguments" and owner in OPTIMIZERS:
        return OPTIMIZERS[owner].arguments.model_json_schema()
    return None


def _is_default(path: Sequence[str | int], defaults: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether what is wrong there came from [defaults]; of a table within a config each key has a place of its own."""
    table = path[0]
    if table in TABLES and isinstance(own.get(str(table)), dict) and len(path) > 1:
        defaults, own, path = defaults.get(str(table), {}), own[str(table)], path[1:]
    return path[0] in defaults and path[0] not in own
