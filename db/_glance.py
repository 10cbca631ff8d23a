"""A quick look into a SQLite store, without SQLAlchemy: for a shell's completion, for which somebody waits."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote

_WAIT_S = 0.2
_MOST = 200

Named = list[tuple[str, str]]
"""Ids as text, each with some words about it."""


def glance_jobs(url: str, states: Iterable[str]) -> Named:
    """The newest jobs in these states; none where the store is on Postgres, not there, or does not answer at once."""
    wanted = sorted(states)
    marks = ", ".join("?" * len(wanted))
    query = f"SELECT id, label || ', seed ' || seed || ', ' || state FROM jobs WHERE state IN ({marks})"  # noqa: S608 - marks alone
    return _rows(url, query, wanted)


def glance_submissions(url: str) -> Named:
    """The newest submissions, likewise."""
    return _rows(url, "SELECT id, suite || ' on ' || dataset FROM submissions WHERE 1", [])


def _rows(url: str, query: str, values: list[str]) -> Named:
    scheme, _, rest = url.partition("///")
    if not scheme.startswith("sqlite"):
        return []
    path = quote(str(Path(unquote(rest.partition("?")[0])).absolute()))
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_WAIT_S)) as connection:
            rows = connection.execute(f"{query} ORDER BY id DESC LIMIT {_MOST}", values)
            return [(str(row[0]), str(row[1])) for row in rows]
    except sqlite3.Error:
        return []
