"""Looks at a file of any form: which columns it has, and what stands in them."""

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from shared.task.csv_records import CompetitionError
from shared.task.files.records import read_rows

LOOKED_AT = 5000  # rows of a file


@dataclass(frozen=True)
class Look:
    """A file of the folder, as far as it was looked at."""

    name: str
    columns: dict[str, list[str]]  # the values of each

    def unique(self, column: str) -> bool:
        values = self.columns[column]
        return all(values) and len(set(values)) == len(values)

    def length(self, column: str) -> float:
        return sum(map(len, self.columns[column])) / max(len(self.columns[column]), 1)


def look_at(path: Path, folder: Path) -> Look:
    """The file at `path` in `folder`. Raises CompetitionError, a ValueError of one line, where it cannot be read."""
    name = path.relative_to(folder).as_posix()
    columns = _columns(path)
    values: dict[str, list[str]] = {column: [] for column in columns}
    for number, record in enumerate(read_rows(path, columns, f"it is in {folder}")):
        if number == LOOKED_AT:
            break
        for column in columns:
            values[column].append(record.fields[column].strip())
    return Look(name, values)


def _columns(path: Path) -> list[str]:
    """The names of the columns of a file; of JSONL, those of its first line."""
    if path.suffix == ".parquet":
        try:
            return list(pl.read_parquet_schema(path))
        except (pl.exceptions.PolarsError, OSError):
            raise CompetitionError(f"{path}: this is no Parquet file") from None
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        first = file.readline()
    if path.suffix == ".jsonl":
        try:
            row = json.loads(first)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise CompetitionError(f"{path}, line 1: write one JSON object on each line")
        return list(row)
    mark = max(",\t;|", key=first.count)
    return [column.strip().strip('"') for column in first.rstrip("\r\n").split(mark)]
