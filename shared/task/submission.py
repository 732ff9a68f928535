"""Writes submission.csv, checks one, and scores one against known answers."""

import csv
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from shared.task.csv_records import shorten
from shared.task.current import TASK
from shared.task.metrics import find_ranks, score_queries
from shared.task.task import Metric, SubmissionForm

ID_DIGITS = 18  # which fit an Int64


def submission_rows(ranked: pl.DataFrame, query_ids: pl.Series, form: SubmissionForm = TASK.submission) -> pl.DataFrame:
    """The rows of a submission for these queries, in their order: the first `form.depth` of each in `ranked`."""
    best = ranked.filter(pl.col("rank") <= form.depth).sort("query_id", "rank")
    assert not best.select("query_id", "misconception_id").is_duplicated().any(), "a misconception is ranked twice"
    joined = (
        best.group_by("query_id", maintain_order=True)
        .agg(pl.col("misconception_id").cast(pl.String))
        .with_columns(pl.col("misconception_id").list.join(" "))
    )
    rows = query_ids.to_frame("query_id").join(joined, on="query_id", how="left", maintain_order="left")
    if rows["misconception_id"].has_nulls():
        query_id = rows.filter(pl.col("misconception_id").is_null())["query_id"][0]
        raise ValueError(f"query {query_id} has no candidate: the ranked table is not of this {TASK.files.test}")
    return rows.rename(dict(zip(("query_id", "misconception_id"), form.columns, strict=True)))


def check_submission(
    path: Path, query_ids: Iterable[str], known: set[int], form: SubmissionForm = TASK.submission
) -> int:
    """The number of rows of a valid submission that has these queries in this order; read a row at a time.

    Raises ValueError for any other file. Valid: 1 to `form.depth` ids in each row, all in `known`, none twice.
    """
    count = 0
    for row, query_id in itertools.zip_longest(_rows(path, form), query_ids):
        if row is None or row[0] != query_id:
            raise ValueError(f"{path}, row {count + 1}: {str(row)[:200]} stands where query {query_id} should")
        _read_row(path, *row, known, form)
        count += 1
    return count


def read_submission(
    path: Path, test: pl.DataFrame, known: set[int], form: SubmissionForm = TASK.submission
) -> pl.DataFrame:
    """The rows (query_id, misconception_id, rank) of a submission. Raises ValueError unless it is valid for `test`.

    Valid: every query of `test` once and no other, 1 to `form.depth` ids in each, all in `known`, none twice.
    """
    table = _read_columns(path, form)
    wanted, given = set(test["query_id"]), table[form.columns[0]].to_list()
    if wanted ^ set(given) or len(given) != len(wanted):
        odd = sorted(map(str, wanted ^ set(given)))[:1] or "one twice"
        raise ValueError(
            f"{path} has {len(given)} rows for {len(wanted)} wrong options of {TASK.files.test}; "
            f"missing, unknown or doubled: {str(odd)[:80]}"
        )
    rows = [_read_row(path, *row, known, form) for row in table.iter_rows()]
    return pl.DataFrame(
        [(query_id, id_, place) for query_id, ids in rows for place, id_ in enumerate(ids, 1)],
        schema={"query_id": pl.String, "misconception_id": pl.Int64, "rank": pl.Int64},
        orient="row",
    )


def score_submission(submission: pl.DataFrame, labels: pl.DataFrame, metric: Metric = TASK.metric) -> float:
    """The metric of a submission over the queries of `labels` (query_id, question_id, misconception_id)."""
    return score_queries(find_ranks(labels, submission), metric).mean()


def _read_row(
    path: Path, query_id: str, text: str | None, known: set[int], form: SubmissionForm
) -> tuple[str, list[int]]:
    parts = (text or "").split()
    ids = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) <= ID_DIGITS]
    whole = len(ids) == len(parts) == len(set(ids)) and known.issuperset(ids)
    if not whole or not 1 <= len(ids) <= form.depth:
        what = f"1 to {form.depth} different known misconception ids separated by spaces"
        raise ValueError(f"{path}, row {query_id[:40]}: {shorten(text)} is not {what}")
    return query_id, ids


def read_labels(path: Path, test: pl.DataFrame, form: SubmissionForm = TASK.submission) -> pl.DataFrame:
    """`test` with the right ids from a CSV of a submission's columns, one id a row; queries without one left out.

    Raises ValueError for a query that comes twice, and where no query of `test` is labelled.
    """
    labels = _read_columns(path, form)
    given, right = (labels[column] for column in form.columns)
    if len(twice := given.filter(given.is_duplicated())):
        raise ValueError(f"{path} has the row {twice[0][:40]} twice: leave one of them")
    if not given.is_in(test["query_id"].implode()).any():
        raise ValueError(f"{path} labels no row of {TASK.files.test}: it belongs to other questions")
    ids = right.cast(pl.Int64, strict=False)
    if ids.has_nulls():
        row = ids.is_null().arg_true()[0]
        raise ValueError(f"{path}, row {given[row][:40]}: {shorten(right[row])} is not one misconception id")
    renamed = pl.DataFrame({"query_id": given, "misconception_id": ids})
    return test.drop("misconception_id").join(renamed, on="query_id", how="inner").select(test.columns)


def _read_columns(path: Path, form: SubmissionForm) -> pl.DataFrame:
    return pl.DataFrame(list(_rows(path, form)), schema=dict.fromkeys(form.columns, pl.String), orient="row")


def _rows(path: Path, form: SubmissionForm) -> Iterator[list[str]]:
    """Both fields of every row below the header; a blank line is none.

    Raises ValueError, with the line, for a file that is no such CSV.
    """
    if not path.is_file():
        raise ValueError(f"{path} is no file of a submission")
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file, strict=True)
        try:
            _check_header(path, next(rows, []), form)
            yield from (_whole(path, rows.line_num, row, form) for row in rows if row)
        except (csv.Error, UnicodeDecodeError) as error:  # a quote that nobody closes, a field without an end
            raise ValueError(f"{path}, line {rows.line_num}, is no CSV of a submission: {error}") from None


def _check_header(path: Path, header: list[str], form: SubmissionForm) -> None:
    if tuple(header) != form.columns:
        raise ValueError(f"{path} has columns {str(header)[:200]}, expected {list(form.columns)}")


def _whole(path: Path, line: int, row: list[str], form: SubmissionForm) -> list[str]:
    if len(row) != len(form.columns):
        what = f"{len(row)} fields, expected {len(form.columns)}: ids stand in one field with spaces between them"
        raise ValueError(f"{path}, line {line}: {what}")
    return row
