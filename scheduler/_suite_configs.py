"""A suite file's tables of fields, laid over each other, become configs."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from db.errors import ConfigError
from models import ARGUMENTS
from scheduler._suite_file import OF_THE_DATA, Origin, Strict, SuiteFile
from scheduler._wording import explained
from scheduler.config import Config


class Variant(Strict):
    label: str
    title: str
    config: Config


def nested(changes: Mapping[str, Any], where: Origin, place: str) -> dict[str, Any]:
    """A point's fields as a table of a variant has them: `arguments.NAME` becomes a key of `arguments`."""
    values: dict[str, Any] = {}
    for field, value in changes.items():
        outer, dot, inner = field.partition(".")
        if not dot:
            values = merged(values, {field: value})
        elif outer == "arguments" and "." not in inner:
            values = merged(values, {"arguments": {inner: value}})
        else:
            raise ConfigError(f"{where}: {place}: no field {field!r}", fix="name a config field or arguments.NAME")
    return values


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
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


def config_of(where: Origin, place: str, file: SuiteFile, own: Mapping[str, Any]) -> Config:
    for which, given in (("[defaults]", file.defaults), (place, own)):
        if "dataset" in given:
            message = f"{where}: {which} dataset: a suite has one data set"
            raise ConfigError(message, fix="name it in [suite], and write another suite for another data set")
        for field in OF_THE_DATA:
            if field in given:
                message = (
                    f"{where}: {which} {field}: a suite has one, as its variants are compared on the same pictures"
                )
                raise ConfigError(message, fix="set it in [suite], and write another suite for another one")
    values = merged({**{field: getattr(file.suite, field) for field in OF_THE_DATA}, **file.defaults}, own)
    try:
        return Config.parse(values)
    except ValidationError as error:
        raise _config_error(where, place, file, own, error, model=_network(values)) from error


def _config_error(
    where: Origin, place: str, file: SuiteFile, own: Mapping[str, Any], error: ValidationError, *, model: Any
) -> ConfigError:
    first = error.errors()[0]
    path = list(first["loc"])
    if _is_default(path, file.defaults, own):
        place = "[defaults]"
    schema = Config.model_json_schema()
    for name in OF_THE_DATA:
        del schema["properties"][name]  # which belongs into [suite]
    inner = path
    if path[0] == "arguments" and model in ARGUMENTS:
        schema, inner = TypeAdapter(ARGUMENTS[model]).json_schema(), path[1:]
    message, fix = explained(first, schema, path=inner)
    if message == "no such field" and len(path) == 1 and place != "[defaults]":
        fix += ", title"
    elif path == ["arguments"] and first["type"] != "vanishing":
        fix = f"{model} takes the arguments {', '.join(schema['properties'])}"
    field = ".".join(str(part + 1) if isinstance(part, int) else part for part in path)
    return ConfigError(f"{where}: {place} {field}: {message}", fix=fix)


def _is_default(path: Sequence[str | int], defaults: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether what is wrong there came from [defaults]; of `arguments` each key has a place of its own."""
    if list(path[:1]) == ["arguments"] and isinstance(own.get("arguments"), dict) and len(path) > 1:
        defaults, own, path = defaults.get("arguments", {}), own["arguments"], path[1:]
    return path[0] in defaults and path[0] not in own
