"""Reads what a person decided about suspect labels and double entries; a mistake is one sentence with its line."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from training.analysis.label_audit.duplicates import groups_of

CHANGE, KEEP, TOGETHER = "change", "keep", "same"


@dataclass(frozen=True)
class Decisions:
    """{(query, label): its right entry} of labels that are to change, and {entry: the one that stands for it}."""

    labels: dict[tuple[str, int], int]
    same: dict[int, int]


def read_decisions(labels: Path, duplicates: Path, column: str, numbers: Mapping[str, int] | None = None) -> Decisions:
    """The decisions in `column` of both files. Raises ValueError for one that cannot be.

    Of a label: change (the suggestion is right), the id of the right entry, or keep. Of a pair of entries: same or
    keep. Nothing filled in means keep. `numbers` are those of the entries by their ids, where these are words.
    """
    changed: dict[tuple[str, int], int] = {}
    for number, row in enumerate(_rows(labels, ("query_id", "label", "suggestion", column)), 2):
        said = row[column].strip()
        entry = _number(row["suggestion"] if said.lower() == CHANGE else said, numbers)
        if entry is not None and (label := _number(row["label"], numbers)) is not None:
            changed[row["query_id"], label] = entry
        elif said.lower() not in ("", KEEP):
            raise ValueError(f"{labels}, record {number}: {said!r} is none of {CHANGE}, {KEEP} and the id of an entry")
    pairs = []
    for number, row in enumerate(_rows(duplicates, ("entry", "other", column)), 2):
        said = row[column].strip().lower()
        if said == TOGETHER:
            pairs.append((_number(row["entry"], numbers), _number(row["other"], numbers)))
        elif said not in ("", KEEP):
            raise ValueError(f"{duplicates}, record {number}: {said!r} is neither {TOGETHER} nor {KEEP}")
    return Decisions(changed, groups_of(pl.DataFrame(pairs, schema=["entry", "other"], orient="row")))


def _number(name: str, numbers: Mapping[str, int] | None) -> int | None:
    """The number of the entry that people call so; None where there is none."""
    if numbers is not None:
        return numbers.get(name)
    return int(name) if name.isdecimal() else None


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    if not path.is_file():
        raise ValueError(f"{path} does not exist: `just audit-labels` writes it")
    try:
        table = pl.read_csv(path, infer_schema=False).fill_null("")
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{path} cannot be read as CSV: {str(error).splitlines()[0]}") from None
    if missing := [name for name in columns if name not in table.columns]:
        raise ValueError(f"{path} has no column {missing[0]}: keep the columns that it was written with")
    return table.select(columns).rows(named=True)
