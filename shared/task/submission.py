"""Writes submission.csv, checks one, and scores one against known answers."""

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path

import polars as pl

from shared.task.csv_records import shorten
from shared.task.current import TASK
from shared.task.metrics import find_ranks, score_queries
from shared.task.task import Metric, SubmissionForm

ID_DIGITS = 18  # which fit an Int64


Known = Set[int] | Mapping[str, int]  # the ids that there are, or the id of each name that files have for one


def known_of(misconceptions: pl.DataFrame) -> Known:
    """What a submission may name: the ids of the catalogue, or the names that its files have for them."""
    if "item" in misconceptions.columns:
        return dict(misconceptions.select("item", "misconception_id").iter_rows())
    return set(misconceptions["misconception_id"])


def names_of(misconceptions: pl.DataFrame) -> dict[int, str] | None:
    """What the files call each id of the catalogue; None where it is their own."""
    if "item" not in misconceptions.columns:
        return None
    return dict(misconceptions.select("misconception_id", "item").iter_rows())


def submission_rows(
    ranked: pl.DataFrame,
    query_ids: pl.Series,
    form: SubmissionForm | None = None,
    names: Mapping[int, str] | None = None,
) -> pl.DataFrame:
    """The rows of a submission for these queries, in their order: the first `form.depth` of each in `ranked`.

    `names` are what the files call the ids, where these are not their own names.
    """
    form = form or TASK.submission
    name = pl.col("misconception_id")
    name = name.cast(pl.String) if names is None else name.replace_strict(names, return_dtype=pl.String)
    best = ranked.filter(pl.col("rank") <= form.depth).sort("query_id", "rank")
    assert not best.select("query_id", "misconception_id").is_duplicated().any(), "a misconception is ranked twice"
    joined = (
        best.group_by("query_id", maintain_order=True)
        .agg(name)
        .with_columns(pl.col("misconception_id").list.join(form.separator))
    )
    rows = query_ids.to_frame("query_id").join(joined, on="query_id", how="left", maintain_order="left")
    if rows["misconception_id"].has_nulls():
        query_id = rows.filter(pl.col("misconception_id").is_null())["query_id"][0]
        raise ValueError(f"query {query_id} has no candidate: the ranked table is not of this {TASK.files.test}")
    return rows.rename(dict(zip(("query_id", "misconception_id"), form.columns, strict=True)))


def check_submission(path: Path, query_ids: Iterable[str], known: Known, form: SubmissionForm | None = None) -> int:
    """The number of rows of a valid submission that has these queries in this order; read a row at a time.

    Raises ValueError for any other file. Valid: 1 to `form.depth` ids in each row, all in `known`, none twice.
    """
    count, form = 0, form or TASK.submission
    for row, query_id in itertools.zip_longest(_rows(path, form), query_ids):
        if row is None or row[0] != query_id:
            raise ValueError(f"{path}, row {count + 1}: {str(row)[:200]} stands where query {query_id} should")
        _read_row(path, *row, known, form)
        count += 1
    return count


def read_submission(path: Path, test: pl.DataFrame, known: Known, form: SubmissionForm | None = None) -> pl.DataFrame:
    """The rows (query_id, misconception_id, rank) of a submission. Raises ValueError unless it is valid for `test`.

    Valid: every query of `test` once and no other, 1 to `form.depth` ids in each, all in `known`, none twice.
    """
    form = form or TASK.submission
    table = _read_columns(path, form)
    wanted, given = set(test["query_id"]), table[form.columns[0]].to_list()
    if wanted ^ set(given) or len(given) != len(wanted):
        odd = sorted(map(str, wanted ^ set(given)))[:1] or "one twice"
        raise ValueError(
            f"{path} has {len(given)} rows for {len(wanted)} {TASK.rows} of {TASK.files.test}; "
            f"missing, unknown or doubled: {str(odd)[:80]}"
        )
    rows = [_read_row(path, *row, known, form) for row in table.iter_rows()]
    return pl.DataFrame(
        [(query_id, id_, place) for query_id, ids in rows for place, id_ in enumerate(ids, 1)],
        schema={"query_id": pl.String, "misconception_id": pl.Int64, "rank": pl.Int64},
        orient="row",
    )


def score_submission(submission: pl.DataFrame, labels: pl.DataFrame, metric: Metric | None = None) -> float:
    """The metric of a submission over the queries of `labels` (query_id, question_id, misconception_id)."""
    return score_queries(find_ranks(labels, submission), metric).mean()


def _read_row(path: Path, query_id: str, text: str | None, known: Known, form: SubmissionForm) -> tuple[str, list[int]]:
    parts = _split(text or "", form)
    ids = [id_ for part in parts if (id_ := _id_of(part, known)) is not None]
    if not len(ids) == len(parts) == len(set(ids)) or not 1 <= len(ids) <= form.depth:
        between = "spaces" if form.separator == " " else f"{form.separator!r}"
        what = f"1 to {form.depth} different known misconception ids separated by {between}"
        raise ValueError(f"{path}, row {query_id[:40]}: {shorten(text)} is not {what}")
    return query_id, ids


def _split(text: str, form: SubmissionForm) -> list[str]:
    return text.split() if form.separator == " " else [part.strip() for part in text.split(form.separator)]


def _id_of(part: str, known: Known) -> int | None:
    """The id that `part` of a field names, None where it names none."""
    if isinstance(known, Mapping):
        return known.get(part)
    plain = part.isascii() and part.isdigit() and len(part) <= ID_DIGITS
    return int(part) if plain and int(part) in known else None


def read_right(path: Path, test: pl.DataFrame, known: Known, form: SubmissionForm | None = None) -> pl.DataFrame:
    """query_id, question_id, misconception_id: the right answers of `test` from a CSV of a submission's columns.

    One or several stand in a field. Queries without any are left out. Raises ValueError as `read_labels`, and for a
    name that the catalogue does not have.
    """
    form = form or TASK.submission
    labels = _read_columns(path, form)
    _check_given(path, labels[form.columns[0]], test)
    rows = [
        (query_id, _read_row(path, query_id, text, known, form)[1]) for query_id, text in labels.iter_rows() if text
    ]
    schema = {"query_id": pl.String, "misconception_id": pl.List(pl.Int64)}
    right = pl.DataFrame(rows, schema=schema, orient="row").explode("misconception_id")
    return test.select("query_id", "question_id").join(right, on="query_id", how="inner", maintain_order="left")


def read_labels(path: Path, test: pl.DataFrame, form: SubmissionForm | None = None) -> pl.DataFrame:
    """`test` with the right ids from a CSV of a submission's columns, one id a row; queries without one left out.

    Raises ValueError for a query that comes twice, and where no query of `test` is labelled.
    """
    form = form or TASK.submission
    labels = _read_columns(path, form)
    given, right = (labels[column] for column in form.columns)
    _check_given(path, given, test)
    ids = right.cast(pl.Int64, strict=False)
    if ids.has_nulls():
        row = ids.is_null().arg_true()[0]
        raise ValueError(f"{path}, row {given[row][:40]}: {shorten(right[row])} is not one misconception id")
    renamed = pl.DataFrame({"query_id": given, "misconception_id": ids})
    return test.drop("misconception_id").join(renamed, on="query_id", how="inner").select(test.columns)


def _check_given(path: Path, given: pl.Series, test: pl.DataFrame) -> None:
    if len(twice := given.filter(given.is_duplicated())):
        raise ValueError(f"{path} has the row {twice[0][:40]} twice: leave one of them")
    if not given.is_in(test["query_id"].implode()).any():
        raise ValueError(f"{path} labels no row of {TASK.files.test}: it belongs to other questions")


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
