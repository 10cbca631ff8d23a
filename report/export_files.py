"""Exported rows as CSV, JSON or Parquet, written row by row."""

import csv
import json
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from db.errors import ConfigError
from report.export import Exported, Kind, Row

SCHEMA = 1
"""Raised whenever a column goes or changes its meaning; a new one may come at the end."""
_GROUP = 10_000  # rows of a Parquet file that are in memory together


def write_csv(found: Exported, out: TextIO) -> None:
    """A head and a line for each row: None is empty, true and false are words, moments ISO 8601."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(column.name for column in found.columns)
    for row in found.rows:
        writer.writerow([_word(value) for value in row])


def _word(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else value


def write_json(found: Exported, out: TextIO) -> None:
    """One object, a line for each row; a number that JSON has no word for, an infinite loss say, is null."""
    head = {"schema": SCHEMA, "what": found.what, "columns": [column.name for column in found.columns]}
    out.write(json.dumps(head)[:-1] + ', "rows": [')
    separator = "\n"
    for row in found.rows:
        values = {column.name: _plain(value) for column, value in zip(found.columns, row, strict=True)}
        out.write(separator + json.dumps(values, allow_nan=False))
        separator = ",\n"
    out.write("\n]}\n")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, datetime) else value


def write_parquet(found: Exported, path: Path) -> None:
    """Typed columns, moments in microseconds of UTC. Raises ConfigError where pyarrow is not installed."""
    arrow, parquet = _pyarrow()
    kinds = {
        Kind.WHOLE: arrow.int64(),
        Kind.NUMBER: arrow.float64(),
        Kind.FLAG: arrow.bool_(),
        Kind.TEXT: arrow.string(),
        Kind.MOMENT: arrow.timestamp("us", tz="UTC"),
    }
    schema = arrow.schema([(column.name, kinds[column.kind]) for column in found.columns])
    schema = schema.with_metadata({"bench_schema": str(SCHEMA), "bench_what": found.what})
    with parquet.ParquetWriter(path, schema) as writer:
        for group in _groups(found.rows):
            arrays = [
                arrow.array(values, type=field.type)
                for values, field in zip(zip(*group, strict=True), schema, strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def check_parquet() -> None:
    """Raises ConfigError now rather than after hours of reading."""
    _pyarrow()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        fix = "`pip install 'bench[parquet]'`, or `pip install pyarrow`; csv and json need nothing more"
        raise ConfigError("a Parquet file needs pyarrow, which is not installed", fix=fix) from error
    return pyarrow, parquet


def _groups(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    while group := list(islice(rows, _GROUP)):
        yield group


TEXT_FORMATS: dict[str, Callable[[Exported, TextIO], None]] = {"csv": write_csv, "json": write_json}
FORMATS = (*TEXT_FORMATS, "parquet")
