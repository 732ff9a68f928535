"""Finds the first value of a table that no stage writes: infinite, out of its range, or of another row's query."""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

FOLDS = ("train", "valid", "test")


class Defect(NamedTuple):
    """A row (from 0), a column, and what is wrong with the value there."""

    row: int
    column: str
    what: str


def find_defect(table: pl.DataFrame, ranked: str) -> Defect | None:
    """The first defect of `table`, None where there is none.

    `ranked` says of the ranks: "all" are there, 1 to n for each query; "some" are, each once for a query; "" neither.
    """
    return next(_defects(table, ranked), None)


def _defects(table: pl.DataFrame, ranked: str) -> Iterator[Defect]:
    for column, kind in table.schema.items():
        if kind.is_float():
            yield from _where(table, column, pl.col(column).is_finite().not_(), "a score is a finite number")
    for column in {"misconception_id", "question_id"} & set(table.columns):
        yield from _where(table, column, pl.col(column) < 0, "an id is 0 or more")
    if "rank" in table.columns:
        yield from _where(table, "rank", pl.col("rank") < 1, "1 is the best rank")
    if "fold" in table.columns:
        yield from _where(table, "fold", pl.col("fold").is_in(("", *FOLDS)).not_(), f"there are {', '.join(FOLDS)}")
    if {"query_id", "question_id"} <= set(table.columns):
        own = pl.col("query_id").str.starts_with(pl.col("question_id").cast(pl.String) + "_")
        yield from _where(table, "query_id", own.not_(), "it is of another question than the row")
    if ranked:
        yield from _where(table, "rank", _is_again(), "the query has that rank twice")
    if ranked == "all":
        most = pl.len().over("query_id")
        yield from _where(table, "rank", pl.col("rank") > most, "a rank before it is missing")


def _is_again() -> pl.Expr:
    return pl.col("rank").is_not_null() & pl.struct("query_id", "rank").is_duplicated()


def _where(table: pl.DataFrame, column: str, wrong: pl.Expr, what: str) -> Iterator[Defect]:
    rows = table.select(wrong.fill_null(False).alias("wrong"))["wrong"].arg_true()
    if len(rows):
        yield Defect(rows[0], column, f"{table[column][rows[0]]!r} cannot be: {what}")
