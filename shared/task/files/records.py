"""Reads the rows of a CSV, TSV, JSONL or Parquet file as strings, strictly; a defect is one sentence with its place."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from shared.task.csv_records import MAX_FIELD, Record, check_bytes, defect, read_records, shorten

SEVERAL = "\x1f"  # between the values of a list, in a field


def read_rows(path: Path, columns: Sequence[str], again: str, *, cut: bool = False) -> Iterator[Record]:
    """Every row of the file at `path`, one at a time, with at least these columns; a number becomes its digits.

    Raises CompetitionError for a file that is missing, empty, or not what its name's end says, and for a row without
    one of the columns. `again` says how to get the file anew. A field that is too long is an error too, or, with `cut`,
    is cut.
    """
    end = path.suffix.lower()
    if end in (".csv", ".tsv"):
        yield from read_records(path, columns, again, cut=cut, others=True)
        return
    lines = end in (".jsonl", ".ndjson")
    check_bytes(path, again, text=lines)
    rows = _json_rows(path) if lines else _parquet_rows(path, columns, again)
    record = None
    for line, row in rows:
        record = Record(path, line, {name: _field(path, line, name, row, cut) for name in columns})
        yield record
    if record is None:
        raise defect(path, f"there are no rows; {again}")


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with open(path, encoding="utf-8-sig") as file:
        for line, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except (ValueError, RecursionError) as error:
                reason = getattr(error, "msg", "brackets in brackets without an end")
                raise defect(path, f"the line is no JSON ({reason}); write one object on each line", line) from None
            if not isinstance(row, dict):
                raise defect(path, f"{shorten(text.strip())} is no JSON object; write one on each line", line)
            yield line, row


def _parquet_rows(path: Path, columns: Sequence[str], again: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        names = list(pl.read_parquet_schema(path))
        table = pl.read_parquet(path, columns=[name for name in dict.fromkeys(columns) if name in names])
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise defect(path, f"this is no Parquet file ({reason[:100]}); {again}") from None
    for name in columns:
        if name not in names:
            raise defect(path, f"column {name} is missing; the file has {shorten(', '.join(names))}")
    yield from enumerate(table.iter_rows(named=True), 1)


def _field(path: Path, line: int, name: str, row: dict[str, Any], cut: bool) -> str:
    if name not in row:
        raise defect(path, f"there is no {name}; the row has {shorten(', '.join(row))}", line, name)
    value = row[name]
    parts = [_text(path, line, name, part) for part in (value if isinstance(value, list) else [value])]
    text = SEVERAL.join(parts)
    if len(text) > MAX_FIELD and not cut:
        what = f"{shorten(text)} has {len(text):,} characters and the limit is {MAX_FIELD:,}; shorten it"
        raise defect(path, what, line, name)
    return text[:MAX_FIELD]


def _text(path: Path, line: int, name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise defect(path, f"{shorten(str(value))} is no text and no number; write one of them", line, name)
