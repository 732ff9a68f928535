"""Writes submission.csv, checks one, and scores one against known answers."""

import csv
import itertools
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from shared.task.metrics import K, average_precision, find_ranks

COLUMNS = ("QuestionId_Answer", "MisconceptionId")


def submission_rows(ranked: pl.DataFrame, query_ids: pl.Series) -> pl.DataFrame:
    """The rows of a submission for these queries, in their order: the first 25 of each in `ranked`."""
    best = ranked.filter(pl.col("rank") <= K).sort("query_id", "rank")
    assert not best.select("query_id", "misconception_id").is_duplicated().any(), "a misconception is ranked twice"
    joined = (
        best.group_by("query_id", maintain_order=True)
        .agg(pl.col("misconception_id").cast(pl.String))
        .with_columns(pl.col("misconception_id").list.join(" "))
    )
    rows = query_ids.to_frame("query_id").join(joined, on="query_id", how="left", maintain_order="left")
    if rows["misconception_id"].has_nulls():
        query_id = rows.filter(pl.col("misconception_id").is_null())["query_id"][0]
        raise ValueError(f"query {query_id} has no candidate: the ranked table does not belong to this test.csv")
    return rows.rename(dict(zip(("query_id", "misconception_id"), COLUMNS, strict=True)))


def check_submission(path: Path, query_ids: Iterable[str], known: set[int]) -> int:
    """The number of rows of a valid submission that has these queries in this order; read a row at a time.

    Raises ValueError for any other file. Valid: 1 to 25 ids in each row, all of them in `known`, none twice.
    """
    count = 0
    with open(path, newline="") as file:
        rows = csv.reader(file, strict=True)
        if (header := tuple(next(rows, ()))) != COLUMNS:
            raise ValueError(f"{path} has columns {list(header)}, expected {list(COLUMNS)}")
        for row, query_id in itertools.zip_longest(rows, query_ids):
            if row is None or len(row) != 2 or row[0] != query_id:
                raise ValueError(f"{path}, row {count + 1}: {row} stands where query {query_id} should")
            _read_row(path, *row, known)
            count += 1
    return count


def read_submission(path: Path, test: pl.DataFrame, known: set[int]) -> pl.DataFrame:
    """The rows (query_id, misconception_id, rank) of a submission. Raises ValueError unless it is valid for `test`.

    Valid: every query of `test` once and no other, 1 to 25 ids in each, all of them in `known`, none twice.
    """
    table = _read_columns(path)
    wanted, given = set(test["query_id"]), table[COLUMNS[0]].to_list()
    if wanted ^ set(given) or len(given) != len(wanted):
        odd = sorted(map(str, wanted ^ set(given)))[:1] or "one twice"
        raise ValueError(
            f"{path} has {len(given)} rows for {len(wanted)} wrong options of test.csv; "
            f"missing, unknown or doubled: {odd}"
        )
    rows = [_read_row(path, *row, known) for row in table.iter_rows()]
    return pl.DataFrame(
        [(query_id, id_, place) for query_id, ids in rows for place, id_ in enumerate(ids, 1)],
        schema={"query_id": pl.String, "misconception_id": pl.Int64, "rank": pl.Int64},
        orient="row",
    )


def score_submission(submission: pl.DataFrame, labelled: pl.DataFrame) -> float:
    """MAP@25 of a submission over the queries of `labelled`."""
    return find_ranks(labelled, submission).select(average_precision(pl.col("rank")).mean()).item()


def _read_row(path: Path, query_id: str, text: str | None, known: set[int]) -> tuple[str, list[int]]:
    parts = (text or "").split()
    ids = [int(part) for part in parts if part.isascii() and part.isdigit()]
    if not 1 <= len(parts) <= K or len(ids) != len(parts) or len(set(ids)) != len(ids) or not known.issuperset(ids):
        raise ValueError(
            f"{path}, row {query_id}: {text!r} is not 1 to {K} different known misconception ids separated by spaces"
        )
    return query_id, ids


def read_labels(path: Path, test: pl.DataFrame) -> pl.DataFrame:
    """`test` with the right ids from a CSV of a submission's columns, one id a row; queries without one left out.

    Raises ValueError for a query that comes twice, and where no query of `test` is labelled.
    """
    labels = _read_columns(path)
    given = labels[COLUMNS[0]]
    if len(twice := given.filter(given.is_duplicated())):
        raise ValueError(f"{path} has the row {twice[0]} twice: leave one of them")
    if not given.is_in(test["query_id"].implode()).any():
        raise ValueError(f"{path} labels no row of test.csv: it belongs to other questions")
    ids = labels[COLUMNS[1]].cast(pl.Int64, strict=False)
    if ids.has_nulls():
        row = ids.is_null().arg_true()[0]
        raise ValueError(
            f"{path}, row {labels[COLUMNS[0]][row]}: {labels[COLUMNS[1]][row]!r} is not one misconception id"
        )
    renamed = pl.DataFrame({"query_id": labels[COLUMNS[0]], "misconception_id": ids})
    return test.drop("misconception_id").join(renamed, on="query_id", how="inner").select(test.columns)


def _read_columns(path: Path) -> pl.DataFrame:
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ValueError(f"{path} is no CSV file of a submission: {str(error).splitlines()[0]}") from None
    if tuple(table.columns) != COLUMNS:
        raise ValueError(f"{path} has columns {table.columns}, expected {list(COLUMNS)}")
    return table
