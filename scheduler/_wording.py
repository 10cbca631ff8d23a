"""What pydantic found wrong, in bench's words: the message says what is there, the fix what would be allowed.

The allowed values are read off pydantic's own JSON schemas, so that they cannot differ from what is checked.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

Schema = Mapping[str, Any]
Path = Sequence[str | int]

_PLAIN = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}
_RANGE = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "above"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "below"),
)
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_TABLES = ("model_type", "dict_type", "dataclass_type")
_SHOWN = 60  # letters of a wrong value
NAME_FIX = "a name begins with a letter or digit and has up to 100 letters, digits and any of _ . = , ( ) -"


def explained(error: ErrorDetails, schema: Schema, *, path: Path) -> tuple[str, str]:
    """Message and fix for the first of pydantic's errors; `path` leads to its place within `schema`."""
    message = "not a table" if error["type"] in _TABLES else error["msg"].removeprefix("Value error, ")
    message = message.removeprefix("Input ")
    name = next(
        (f"each of {step}" if step != path[-1] else step for step in reversed(path) if isinstance(step, str)), ""
    )
    if error["type"] in _UNKNOWN:
        return "no such field", _instead_of(name, fields(schema, path[:-1]))
    if error["type"] == "union_tag_invalid":
        message = f"no such {name.removeprefix('each of ')} (it is {error['ctx']['tag']!r})"
    elif error["type"] == "union_tag_not_found":
        message = "has no name"
    if path and path[-1] == "[key]":
        return "not a name", NAME_FIX
    own = error.get("ctx", {}).get("fix")
    words = takes(schema, path)
    fix = own or (f"{name} takes {words}" if words else f"correct {name}")
    if error["type"] == "missing":
        return "is missing", fix
    if error["type"] == "too_short" and not error.get("input"):
        return "is empty", fix
    return f"{message}{shown(error.get('input'))}", fix


def _instead_of(name: str, known: Sequence[str]) -> str:
    if name == "claims":  # what follows a table's head in TOML is that table's, never the file's own
        return "write claims at the file's top, above [suite]"
    if close := difflib.get_close_matches(name, known):
        return f"did you mean {' or '.join(close)}?"
    return f"choose among {', '.join(known)}" if known else f"remove {name}"


def shown(value: Any) -> str:
    """A wrong value, for the end of a message; nothing for a whole table."""
    if not isinstance(value, str | int | float | bool | list):
        return ""
    text = repr(value)
    return f" (it is {text if len(text) <= _SHOWN else text[:_SHOWN] + '...'})"


def takes(schema: Schema, path: Path) -> str:
    """What the place takes, for example `a whole number, at least 1`; empty where anything may stand."""
    found = _at(schema, schema, path)
    return _words(found, schema) if found else ""


def fields(schema: Schema, path: Path) -> list[str]:
    """The fields that a table may have."""
    found = _at(schema, schema, path)
    return list(found.get("properties", {})) if found else []


def _at(part: Schema, root: Schema, path: Path) -> Schema | None:
    part = _resolved(part, root)
    if not path:
        return part
    step, rest = path[0], path[1:]
    if "discriminator" in part:
        chosen = part["discriminator"]["mapping"].get(step)
        return _at({"$ref": chosen}, root, rest) if chosen else part
    below = _item(part, step) if isinstance(step, int) else part.get("properties", {}).get(step)
    if below is None and isinstance(step, str):
        patterns = list(part.get("patternProperties", {}).values())
        below = patterns[0] if patterns else part.get("additionalProperties")
    return _at(below, root, rest) if isinstance(below, Mapping) else None


def _item(part: Schema, number: int) -> Any:
    """Of a list, whose places may each take something else."""
    places = part.get("prefixItems", [])
    return places[number] if number < len(places) else part.get("items")


def _resolved(part: Schema, root: Schema) -> Schema:
    """References followed, and of `X or nothing` the X."""
    while "$ref" in part or "anyOf" in part:
        if "$ref" in part:
            part = root["$defs"][part["$ref"].rpartition("/")[2]]
        else:
            part = next(one for one in part["anyOf"] if one.get("type") != "null")
    return part


def _words(part: Schema, root: Schema) -> str:
    part = _resolved(part, root)
    if "enum" in part or "const" in part:
        return f"one of {', '.join(map(str, part.get('enum') or [part['const']]))}"
    if "discriminator" in part:
        return f"one of {', '.join(part['discriminator']['mapping'])}"
    kind = part.get("type")
    if places := part.get("prefixItems"):
        return f"a list of {len(places)}: {'; '.join(_words(one, root) for one in places)}"
    if kind == "array":
        each = _words(part.get("items", {}), root)
        return f"a list, each of it {each}" if each else "a list"
    if kind == "object":
        return f"a table with {', '.join(part['properties'])}" if part.get("properties") else "a table"
    if "pattern" in part:
        return f"a name: {NAME_FIX.removeprefix('a name ')}"
    limits = [f"{words} {part[key]}" for key, words in _RANGE if key in part]
    return ", ".join([_PLAIN.get(str(kind), ""), *([" and ".join(limits)] if limits else [])])


def counted(number: int, word: str) -> str:
    """`1 point`, `2 points`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def point_name(changes: Mapping[str, Any]) -> str:
    """The fields of a sweep's point as its name has them; of a single one the value alone."""
    if len(changes) == 1:
        return ",".join(_field_word(field, value) for field, value in changes.items())
    return ",".join(f"{word}={_field_word(field, changes[field])}" for field, word in field_words(changes).items())


def _field_word(field: str, value: Any) -> str:
    """Of a network in a file or package its name alone: a point's name has no `:` and no `/`."""
    return _word(value).rpartition(":")[2] if field == "model" else _word(value)


def point_title(changes: Mapping[str, Any]) -> str:
    """The same as a title."""
    if len(changes) == 1:
        return ", ".join(value_title(value) for value in changes.values())
    return ", ".join(f"{word} {value_title(changes[field])}" for field, word in field_words(changes).items())


def field_words(fields: Iterable[str]) -> dict[str, str]:
    """Each field's name for people: of `arguments.NAME` the last part, unless another field has that name."""
    words = {field: field.rpartition(".")[2] for field in fields}
    return {field: word if [*words.values()].count(word) == 1 else field for field, word in words.items()}


def value_title(value: Any) -> str:
    """A value in titles and tables: `(32, 64)`, `(flip, crop with padding 2)`, `none` for an empty list."""
    if isinstance(value, dict):
        given = [f"{name} {value_title(one)}" for name, one in value.items() if name != "name"]
        return " with ".join(filter(None, (str(value.get("name", "")), " ".join(given))))
    if isinstance(value, list):
        return f"({', '.join(map(value_title, value))})" if value else "none"
    return str(value)


def _word(value: Any) -> str:
    return "x".join(map(_word, value)) if isinstance(value, list) else str(value)
