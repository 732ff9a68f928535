"""Reads and writes every table that passes between two stages, and refuses one that breaks its schema."""

from pathlib import Path

import polars as pl

from shared.artifacts.files import replacing

# Long format throughout; ids are keys, text never is: two misconceptions of the competition have the same words.
QUERIES = {
    "query_id": pl.String,  # "QuestionId_Option", e.g. "17_B"
    "question_id": pl.Int64,
    "construct": pl.String,
    "subject": pl.String,
    "question": pl.String,
    "correct": pl.String,
    "wrong": pl.String,
    "misconception_id": pl.Int64,  # null where nobody labelled the option
    "fold": pl.String,  # "train", "valid" or "test"
}
MISCONCEPTIONS = {"misconception_id": pl.Int64, "text": pl.String}
CANDIDATES = {
    "query_id": pl.String,
    "misconception_id": pl.Int64,
    "rank": pl.Int64,  # 1 is the best
    "retrieval_score": pl.Float32,
}
GROUPS = {**CANDIDATES, "is_positive": pl.Boolean}  # a positive that was not retrieved has a null rank
TAUGHT = {**GROUPS, "teacher_score": pl.Float32}
RANKED = {**CANDIDATES, "rerank_score": pl.Float32}  # null where it was not scored
POOLS = ("labelled", "catalogue")  # what competes: misconceptions that some row of train.csv carries, or all of them
RANKS = {  # where the right answer of every validation query stands, in every ranking of every pool
    "pool": pl.String,
    "ranking": pl.String,  # "popularity", "bm25", "untrained", "miner", "retrieved", "reranked"
    "query_id": pl.String,
    "question_id": pl.Int64,
    "misconception_id": pl.Int64,
    "seen": pl.Boolean,  # whether a training query carries the misconception
    "rank": pl.Int64,  # null where it is not among the candidates
}

KEYS = {"pool", "ranking", "query_id", "misconception_id"}
NULLABLE = {  # the only columns that may be empty
    "queries": {"misconception_id"},
    "groups": {"rank", "retrieval_score"},
    "ranked": {"rerank_score"},
    "ranks": {"rank"},
}


def read_table(path: Path, schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    """The Parquet table at `path`. Raises ValueError when a column is missing, extra, of another type or null."""
    if not path.is_file():
        raise ValueError(f"{path} does not exist: run the stage that writes {path.parent.name}/ first")
    table = pl.read_parquet(path)
    check_table(table, schema, str(path))
    return table


def write_table(table: pl.DataFrame, path: Path, schema: dict[str, type[pl.DataType]]) -> None:
    """Write `table` (columns in the schema's order) so that `path` holds all of it or does not change."""
    table = table.select(*schema)
    check_table(table, schema, str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        table.write_parquet(partial)


def check_table(table: pl.DataFrame, schema: dict[str, type[pl.DataType]], name: str) -> None:
    """Raise ValueError unless `table` has exactly the schema's columns and types, unique keys, and no stray null."""
    if dict(table.schema) != schema:
        raise ValueError(
            f"{name} has columns {dict(table.schema)}, expected {schema}: delete it and run its stage again"
        )
    for column in schema:
        if table[column].has_nulls() and not _may_be_null(column, schema):
            row = table[column].is_null().arg_true()[0]
            raise ValueError(f"{name}, row {row}: {column} is null: delete the file and run its stage again")
    keys = ["query_id"] if schema == QUERIES else [column for column in schema if column in KEYS]
    if (twice := table.select(keys).is_duplicated().arg_true()).len():
        raise ValueError(f"{name}, row {twice[0]}: {table.select(keys).row(twice[0])} stands there twice")


def _may_be_null(column: str, schema: dict[str, type[pl.DataType]]) -> bool:
    if "pool" in schema:
        return column in NULLABLE["ranks"]
    kind = "queries" if "question" in schema else "groups" if "is_positive" in schema else "ranked"
    return column in NULLABLE[kind]
