"""The rows of `bench export` as values, and as frames where pandas is."""

import json
from typing import TYPE_CHECKING, Any

from bench._looking import number, opened, settings
from bench._records import Asked, Overrides
from db.errors import ConfigError

if TYPE_CHECKING:
    import pandas

_JSON = {"config", "environment", "best_confusion", "last_confusion"}


def rows(what: str, submission: Asked, given: Overrides) -> list[dict[str, Any]]:
    from report.export import exported, jobs_of
    from scheduler.config import with_whole_configs

    with opened(settings(submission, given)) as store, store.one_moment():
        found = exported(store, what, jobs=with_whole_configs(jobs_of(store, number(submission))))
        names = [column.name for column in found.columns]
        told = [dict(zip(names, row, strict=True)) for row in found.rows]
    for row in told:
        row |= {name: json.loads(row[name]) for name in _JSON & row.keys() if row[name] is not None}
    return told


def frame(what: str, submission: Asked, given: Overrides) -> "pandas.DataFrame":
    from report.export import COLUMNS

    try:
        import pandas
    except ImportError as error:
        plain = {"jobs": "results", "epochs": "history"}[what]
        fix = f"`pip install 'bench[frames]'`, or `pip install pandas`; bench.{plain}() gives the same rows without it"
        raise ConfigError("a frame needs pandas, which is not installed", fix=fix) from error
    found = rows(what, submission, given)
    return pandas.DataFrame(found, columns=[column.name for column in COLUMNS[what]])
