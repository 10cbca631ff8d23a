"""What a suite claims, checked against its variants."""

from collections.abc import Mapping, Sequence

from db.errors import ConfigError
from db.statements import FORMS, parse_statement
from scheduler._suite_file import Origin
from scheduler.config import Config


def checked_claims(where: Origin, claims: Sequence[str], configs: Mapping[str, Config]) -> tuple[str, ...]:
    """Each as it is kept, its variants being there. Raises ConfigError."""
    found: list[str] = []
    for number, text in enumerate(claims, start=1):
        place = f"{where}: claims {number}"
        try:
            statement = parse_statement(text)
        except ValueError as error:
            raise ConfigError(f"{place}: {error}", fix=f"write {FORMS}, with spaces between the words") from error
        for label in filter(None, (statement.ours, statement.theirs)):
            if label not in configs:
                raise ConfigError(f"{place}: no variant {label!r}", fix=f"choose among {', '.join(configs)}")
        both = [configs[label].canonical() for label in (statement.ours, statement.theirs) if label]
        if len(both) == 2 and both[0] == both[1]:
            same = f"{statement.ours} and {statement.theirs} are the same config"
            raise ConfigError(f"{place}: {same}", fix="compare two that differ")
        if statement.text in found:
            raise ConfigError(f"{place}: {statement.text!r} is there twice", fix="leave one of them out")
        found.append(statement.text)
    return tuple(found)
