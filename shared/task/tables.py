"""Declares every table that passes between two stages once: its columns, its key and what may be null.

Long format throughout; ids are keys, text never is: two misconceptions of the competition have the same words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from shared.artifacts.files import replacing
from shared.artifacts.verified import check_file

FOLDS = ("train", "valid", "test")


@dataclass(frozen=True)
class Table:
    """A table between two stages: its file's name, its columns, the key of a row, and the columns that may be empty."""

    name: str
    schema: dict[str, type[pl.DataType] | pl.DataType]
    key: tuple[str, ...]
    nullable: tuple[str, ...] = ()
    ranked: str = ""  # each once for a query: "first", 1 is there; "some"; "": a rank may come again
    composed: bool = False  # whether a query_id is "QuestionId_Option"

    def path(self, folder: Path) -> Path:
        """Where the table lies in the folder of the stage that writes it."""
        return folder / f"{self.name}.parquet"

    def read(self, folder: Path) -> pl.DataFrame:
        """The table in `folder`. Raises ValueError when it is missing or breaks its declaration."""
        path = self.path(folder)
        if not path.is_file():
            raise ValueError(f"{path} does not exist: run the stage that writes {folder.name}/ first")
        check_file(path)
        try:
            table = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{path} is damaged ({reason}): delete {folder} and run its stage again") from None
        self.check(table, str(path))
        return table

    def write(self, table: pl.DataFrame, folder: Path) -> None:
        """Write `table`, its columns in the declared order, so that the file holds all of it or does not change."""
        path, table = self.path(folder), table.select(*self.schema)
        self.check(table, str(path))
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            table.write_parquet(partial)

    def check(self, table: pl.DataFrame, where: str) -> None:
        """Raise ValueError unless `table` has the declared columns and types, unique keys, and values that can be."""
        if dict(table.schema) != self.schema:
            raise ValueError(
                f"{where} has columns {dict(table.schema)}, expected {self.schema}: delete it and run its stage again"
            )
        for column in self.schema:
            if column not in self.nullable and table[column].has_nulls():
                row = table[column].is_null().arg_true()[0]
                raise ValueError(f"{where}, row {row}: {column} is null: delete the file and run its stage again")
        if (twice := (keys := table.select(self.key)).is_duplicated().arg_true()).len():
            raise ValueError(f"{where}, row {twice[0]}: {keys.row(twice[0])} stands there twice")
        if defect := next(_defects(self, table), None):
            place = f"{where}, row {defect.row}, column {defect.column}"
            raise ValueError(f"{place}: {defect.what}; delete it and run its stage again")


class _Defect(NamedTuple):
    """A row (from 0), a column, and what is wrong with the value there."""

    row: int
    column: str
    what: str


def _defects(declared: Table, table: pl.DataFrame) -> Iterator[_Defect]:
    """Values of `table` that no stage writes: infinite, out of their range, or of another row's query."""
    for column, kind in table.schema.items():
        if kind.is_float():
            yield from _where(table, column, pl.col(column).is_finite().not_(), "a score is a finite number")
    for column in {"misconception_id", "question_id"} & set(table.columns):
        yield from _where(table, column, pl.col(column) < 0, "an id is 0 or more")
    if "rank" in table.columns:
        yield from _where(table, "rank", pl.col("rank") < 1, "1 is the best rank")
    if "fold" in table.columns:
        yield from _where(table, "fold", _has_fold(table).not_(), f"there are {', '.join(FOLDS)}")
    if declared.composed:
        own = pl.col("query_id").str.starts_with(pl.col("question_id").cast(pl.String) + "_")
        yield from _where(table, "query_id", own.not_(), "it is of another question than the row")
    if declared.ranked:
        yield from _where(table, "rank", _is_again(declared.key), "the query has that rank twice")
    if declared.ranked == "first":
        first = pl.col("rank").min().over("query_id")
        yield from _where(table, "rank", first > 1, "no rank 1 stands before it")


def _has_fold(table: pl.DataFrame) -> pl.Expr:
    entry = pl.col("kind") == "description" if "kind" in table.columns else pl.lit(False)  # it belongs to no fold
    return pl.col("fold").is_in(FOLDS) | (entry & (pl.col("fold") == ""))


def _is_again(key: tuple[str, ...]) -> pl.Expr:
    ranking = [column for column in key if column != "misconception_id"]  # what one ranking is of
    return pl.col("rank").is_not_null() & pl.struct(*ranking, "rank").is_duplicated()


def _where(table: pl.DataFrame, column: str, wrong: pl.Expr, what: str) -> Iterator[_Defect]:
    rows = table.select(wrong.fill_null(False).alias("wrong"))["wrong"].arg_true()
    if len(rows):
        yield _Defect(rows[0], column, f"{table[column][rows[0]]!r} cannot be: {what}")


QUERIES = Table(
    "queries",
    {
        "query_id": pl.String,  # "QuestionId_Option", e.g. "17_B"
        "question_id": pl.Int64,
        "construct": pl.String,
        "subject": pl.String,
        "question": pl.String,
        "correct": pl.String,
        "wrong": pl.String,
        "misconception_id": pl.Int64,  # null where nobody labelled the option
        "fold": pl.String,  # "train", "valid" or "test"
    },
    key=("query_id",),
    nullable=("misconception_id",),
    composed=True,
)
MISCONCEPTIONS = Table("misconceptions", {"misconception_id": pl.Int64, "text": pl.String}, key=("misconception_id",))
TEXTS = Table(  # what a language model wrote about the queries and the misconceptions
    "texts",
    {
        "kind": pl.String,  # "short", "cot" (a chain of thought) or "description"
        "key": pl.String,  # the query_id, or the misconception_id in decimal
        "raw": pl.String,
        "clean": pl.String,  # "" where nothing was written, or nothing of it could be used
        "tokens": pl.Int64,
        "finish_reason": pl.String,  # "stop", "length", "failed" or "replayed"
        "flags": pl.String,  # what the cleaner found, with a space between two
        "model": pl.String,
        "revision": pl.String,
        "prompt_digest": pl.String,
        "sampling_digest": pl.String,
        "seed": pl.Int64,
        "saw_label": pl.Boolean,
        "shots": pl.String,  # query ids, with a space between two
        "fold": pl.String,  # that of the query; "" for a description
        "seconds": pl.Float32,
    },
    key=("kind", "key"),
)
LESSONS = Table(  # what each student of a teacher learnt from
    "lessons",
    {"student": pl.String, "query_id": pl.String, "question_id": pl.Int64},
    key=("student", "query_id"),
)
DESCRIPTIONS = Table(  # travels with a model that reads them
    "descriptions", {"misconception_id": pl.Int64, "description": pl.String}, key=("misconception_id",)
)

PAIR = ["query_id", "misconception_id"]
CANDIDATES = Table(
    "candidates",
    {
        "query_id": pl.String,
        "misconception_id": pl.Int64,
        "rank": pl.Int64,  # 1 is the best
        "retrieval_score": pl.Float32,
    },
    key=tuple(PAIR),
    ranked="first",  # evaluate keeps some from far behind, that nobody labelled
)
GROUPS = Table(
    "groups",
    {**CANDIDATES.schema, "is_positive": pl.Boolean},
    key=tuple(PAIR),
    nullable=("rank", "retrieval_score"),  # of a positive that was not retrieved
    ranked="some",
)
TAUGHT = Table("taught", {**GROUPS.schema, "teacher_score": pl.Float32}, GROUPS.key, GROUPS.nullable, GROUPS.ranked)
RANKED = Table(
    "ranked",
    {**CANDIDATES.schema, "rerank_score": pl.Float32},
    key=tuple(PAIR),
    nullable=("rerank_score",),  # of a candidate that was not scored
    ranked="first",
)
POOLS = ("labelled", "catalogue")  # what competes: misconceptions that some row of train.csv carries, or all of them
RANKS = Table(  # where each right answer of every validation query stands, in every ranking of every pool
    "ranks",
    {
        "pool": pl.String,
        "ranking": pl.String,  # "popularity", "bm25", "untrained", "miner", "retrieved", "reranked"
        "query_id": pl.String,
        "question_id": pl.Int64,
        "misconception_id": pl.Int64,
        "seen": pl.Boolean,  # whether a training query carries the misconception
        "rank": pl.Int64,  # null where it is not among the candidates
    },
    key=("pool", "ranking", *PAIR),
    nullable=("rank",),
    composed=True,
    ranked="some",
)
SIBLINGS = Table(  # how alike the lists of a question's labelled wrong answers are, and what right answers make of that
    "siblings",
    {
        "pool": pl.String,
        "ranking": pl.String,  # as in RANKS, or "labels": the right answers themselves
        "question_id": pl.Int64,
        "same_first": pl.Boolean,  # whether all of the question's lists begin with the same id
        "shared": pl.Float64,  # ids among the first K of both lists, mean over the pairs of siblings
        "tau": pl.Float64,  # Kendall's tau-a of these ids' order, mean over the pairs that share two or more
        "own": pl.Float64,  # the metric of the right answers where they stand in their own lists
        "swapped": pl.Float64,  # where they stand in the lists of the siblings that have another right answer
        "hidden": pl.Float64,  # where they stand in the list of the question without its wrong answer
    },
    key=("pool", "ranking", "question_id"),
    nullable=("tau", "own", "swapped", "hidden"),
)

# Of a task that a file defines (shared/task/files/task.py), in place of QUERIES, MISCONCEPTIONS and RANKS.
FILE_QUERIES = Table(
    "queries",
    {
        "query_id": pl.String,
        "question_id": pl.Int64,  # what must stay in one fold has one number
        "question": pl.String,  # what is compared to find near duplicates
        "context": pl.String,  # what popularity is counted in, "" where it is counted everywhere
        "text": pl.String,  # what models read
        "misconception_id": pl.Int64,  # the first of `right`, null where nobody labelled the query
        "right": pl.List(pl.Int64),  # all right answers, the highest grade first
        "grades": pl.List(pl.Int64),  # of these, 1 or more
        "fold": pl.String,
    },
    key=("query_id",),
    nullable=("misconception_id",),
)
FILE_MISCONCEPTIONS = Table(
    "misconceptions",
    {**MISCONCEPTIONS.schema, "item": pl.String},  # the id that the files and the submission have
    key=("misconception_id",),
)
FILE_RANKS = Table("ranks", {**RANKS.schema, "grade": pl.Int64}, RANKS.key, RANKS.nullable)
