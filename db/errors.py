"""The errors that bench raises on purpose; `cli.main` alone turns them into words and exit codes.

BenchError               1  a job failed, a gate failed
├── ConfigError          2  a flag, setting or suite file is wrong
├── DataError            2  a data set is missing, damaged or not what was submitted
├── NotFoundError        2  no such job, submission or file
├── StateError           1  the store says that this move is not allowed (any more)
│   └── LostError        1  the attempt is no longer ours: another one was opened, or it was cancelled
├── StoreError           3  the database cannot be reached
│   ├── NoStoreError     3  nothing was ever written there
│   └── SchemaError      3  another version of bench wrote it: waiting does not mend that
├── BrokerError          3  the broker cannot be reached
├── TimeLimitError       1  what was waited for had not happened in the time that somebody gave it
└── TrainingError        1  a training ended without a result; `cause` says why
"""

from typing import Any


class BenchError(Exception):
    """What happened is the message; the command or change that mends it is `fix`."""

    exit_code = 1

    def __init__(self, message: str = "", *, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix

    def __reduce__(self) -> tuple[Any, ...]:
        # the default would lose the keyword fields between processes
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(kind: type[BenchError], arguments: tuple[Any, ...], fields: dict[str, Any]) -> BenchError:
    error = kind(*arguments)
    error.__dict__.update(fields)
    return error


class ConfigError(BenchError):
    exit_code = 2


class DataError(BenchError):
    exit_code = 2


class NotFoundError(BenchError):
    exit_code = 2


class StateError(BenchError):
    pass


class LostError(StateError):
    pass


class StoreError(BenchError):
    exit_code = 3


class NoStoreError(StoreError):
    pass


def no_store(place: object) -> NoStoreError:
    return NoStoreError(f"there is no store at {place} yet", fix="run `bench submit` or `bench db upgrade`")


class SchemaError(StoreError):
    pass


class BrokerError(BenchError):
    exit_code = 3


class TimeLimitError(BenchError):
    pass


class TrainingError(BenchError):
    """`cause` is one of `db.records.Cause`."""

    def __init__(self, message: str = "", *, cause: str = "code", fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.cause = cause
