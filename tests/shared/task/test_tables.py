"""Guards tables.py: a table that breaks its schema is neither read nor written."""

import polars as pl
import pytest

from shared.task.tables import (
    CANDIDATES,
    GROUPS,
    MISCONCEPTIONS,
    QUERIES,
    RANKED,
    RANKS,
    TAUGHT,
    read_table,
    write_table,
)


@pytest.fixture
def candidates():
    return pl.DataFrame(
        [("1_A", 10, 1, 0.9), ("1_A", 11, 2, 0.8), ("1_B", 10, 1, 0.7)], schema=CANDIDATES, orient="row"
    )


def test_a_table_comes_back_as_it_was_written(queries, misconceptions, tmp_path):
    for name, table, schema in (("queries", queries, QUERIES), ("misconceptions", misconceptions, MISCONCEPTIONS)):
        write_table(table, tmp_path / "prepare" / f"{name}.parquet", schema)
        assert read_table(tmp_path / "prepare" / f"{name}.parquet", schema).equals(table)
    assert sorted(path.name for path in (tmp_path / "prepare").iterdir()) == [
        "misconceptions.parquet",
        "queries.parquet",
    ]


BREAKS = {
    "a column is missing": (lambda table: table.drop("rank"), "has columns"),
    "a column is extra": (lambda table: table.with_columns(note=pl.lit("")), "has columns"),
    "a column has another type": (lambda table: table.cast({"rank": pl.Int32}), "has columns"),
    "a value is null": (lambda table: table.with_columns(rank=pl.Series([1, None, 1])), "row 1: rank is null"),
    "a key stands there twice": (lambda table: table[[0, 1, 1]], r"row 1: \('1_A', 11\) stands there twice"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_breaks_the_schema_is_refused_on_reading(candidates, name, tmp_path):
    spoil, words = BREAKS[name]
    spoil(candidates).write_parquet(tmp_path / "candidates.parquet")
    with pytest.raises(ValueError, match=words):
        read_table(tmp_path / "candidates.parquet", CANDIDATES)


@pytest.mark.parametrize("name", ["a column has another type", "a value is null", "a key stands there twice"])
def test_what_breaks_the_schema_is_not_written_and_the_old_file_stays(candidates, name, tmp_path):
    path = tmp_path / "candidates.parquet"
    write_table(candidates, path, CANDIDATES)
    before = path.read_bytes()
    spoil, words = BREAKS[name]
    with pytest.raises(ValueError, match=words):
        write_table(spoil(candidates), path, CANDIDATES)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["candidates.parquet"]


def test_a_missing_table_says_which_stage_writes_it(tmp_path):
    with pytest.raises(ValueError, match="run the stage that writes prepare/ first"):
        read_table(tmp_path / "prepare" / "queries.parquet", QUERIES)


def test_only_what_may_be_unknown_may_be_null(queries, candidates, tmp_path):
    path = tmp_path / "table.parquet"
    groups = candidates.with_columns(
        is_positive=pl.lit(True), rank=pl.lit(None, pl.Int64), retrieval_score=pl.lit(None, pl.Float32)
    )
    write_table(groups, path, GROUPS)  # a positive that was not retrieved
    write_table(groups.with_columns(teacher_score=pl.lit(0.5, pl.Float32)), path, TAUGHT)
    write_table(candidates.with_columns(rerank_score=pl.lit(None, pl.Float32)), path, RANKED)  # below the depth
    with pytest.raises(ValueError, match="teacher_score is null"):
        write_table(groups.with_columns(teacher_score=pl.lit(None, pl.Float32)), path, TAUGHT)
    fold = pl.when(pl.col("query_id") != "3_D").then("fold")
    with pytest.raises(ValueError, match="row 5: fold is null"):
        write_table(queries.with_columns(fold=fold), path, QUERIES)


def test_a_query_stands_once_whatever_its_label_is(queries, tmp_path):
    twice = pl.concat([queries, queries.head(1).with_columns(misconception_id=pl.lit(50, pl.Int64))])
    with pytest.raises(ValueError, match=r"row 0: \('1_A',\) stands there twice"):
        write_table(twice, tmp_path / "queries.parquet", QUERIES)


def test_a_rank_stands_once_for_each_ranking_of_each_pool_and_may_be_unknown(tmp_path):
    rows = [(pool, name, "1_A", 1, 10, True, None) for pool in ("labelled", "catalogue") for name in ("bm25", "miner")]
    ranks = pl.DataFrame(rows, schema=RANKS, orient="row")
    write_table(ranks, tmp_path / "ranks.parquet", RANKS)
    assert read_table(tmp_path / "ranks.parquet", RANKS).equals(ranks)
    with pytest.raises(ValueError, match="stands there twice"):
        write_table(pl.concat([ranks, ranks[:1]]), tmp_path / "ranks.parquet", RANKS)
    with pytest.raises(ValueError, match="seen is null"):
        write_table(ranks.with_columns(seen=pl.lit(None, pl.Boolean)), tmp_path / "ranks.parquet", RANKS)
