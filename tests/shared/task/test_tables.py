"""Guards tables.py: a table that breaks its schema is neither read nor written."""

import math

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
)


@pytest.fixture
def candidates():
    return pl.DataFrame(
        [("1_A", 10, 1, 0.9), ("1_A", 11, 2, 0.8), ("1_B", 10, 1, 0.7)], schema=CANDIDATES.schema, orient="row"
    )


def test_a_table_comes_back_as_it_was_written(queries, misconceptions, tmp_path):
    for frame, table in ((queries, QUERIES), (misconceptions, MISCONCEPTIONS)):
        table.write(frame, tmp_path / "prepare")
        assert table.read(tmp_path / "prepare").equals(frame)
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

IMPOSSIBLE = {  # name: (row, column, value, what the message says of it)
    "a score that is no number": (1, "retrieval_score", math.nan, "row 1, column retrieval_score: nan cannot be"),
    "an infinite score": (2, "retrieval_score", -math.inf, "row 2, column retrieval_score: -inf cannot be"),
    "rank 0": (0, "rank", 0, "row 0, column rank: 0 cannot be: 1 is the best"),
    "a negative rank": (2, "rank", -3, "row 2, column rank: -3 cannot be"),
    "no first rank": (0, "rank", 3, "row 0, column rank: 3 cannot be: no rank 1 stands before it"),
    "equal ranks": (1, "rank", 1, "row 0, column rank: 1 cannot be: the query has that rank twice"),
    "a negative id": (1, "misconception_id", -1, "row 1, column misconception_id: -1 cannot be"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_value_that_cannot_be_is_refused_with_its_row_column_and_value(candidates, name, tmp_path):
    row, column, value, words = IMPOSSIBLE[name]
    values = candidates[column].to_list()
    values[row] = value
    spoilt = candidates.with_columns(pl.Series(column, values, candidates.schema[column]))
    spoilt.write_parquet(tmp_path / "candidates.parquet")
    with pytest.raises(ValueError, match=rf"candidates.parquet, {words}"):
        CANDIDATES.read(tmp_path)
    with pytest.raises(ValueError, match=words):
        CANDIDATES.write(spoilt, tmp_path)


def test_a_fold_that_there_is_not_and_a_query_of_another_question_are_refused(queries, tmp_path):
    with pytest.raises(ValueError, match="row 0, column fold: 'validation' cannot be"):
        QUERIES.write(queries.with_columns(fold=pl.lit("validation")), tmp_path)
    with pytest.raises(ValueError, match="row 0, column fold: '' cannot be: there are train, valid, test"):
        QUERIES.write(queries.with_columns(fold=pl.lit("")), tmp_path)
    with pytest.raises(ValueError, match="row 0, column query_id: '1_A' cannot be: it is of another question"):
        QUERIES.write(queries.with_columns(pl.col("question_id") + 10), tmp_path)


def test_candidates_may_leave_ranks_out_for_some_of_evaluate_come_from_far_behind(candidates, tmp_path):
    gap = candidates.with_columns(rank=pl.Series([1, 3, 1]))
    CANDIDATES.write(gap, tmp_path)
    RANKED.write(gap.with_columns(rerank_score=pl.lit(0.5, pl.Float32)), tmp_path)


def test_groups_may_leave_ranks_out_but_not_have_one_twice(candidates, tmp_path):
    groups = candidates.with_columns(rank=pl.Series([5, 9, 1]), is_positive=pl.lit(False))
    GROUPS.write(groups, tmp_path)
    with pytest.raises(ValueError, match="that rank twice"):
        GROUPS.write(groups.with_columns(rank=pl.Series([5, 5, 1])), tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(40) + b"PAR1", b"\xff" * 64])
def test_a_damaged_file_is_a_sentence_with_its_name(content, tmp_path):
    (tmp_path / "candidates.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=r"candidates.parquet is damaged \(.*\): delete"):
        CANDIDATES.read(tmp_path)


@pytest.mark.parametrize("name", BREAKS)
def test_what_breaks_the_schema_is_refused_on_reading(candidates, name, tmp_path):
    spoil, words = BREAKS[name]
    spoil(candidates).write_parquet(tmp_path / "candidates.parquet")
    with pytest.raises(ValueError, match=words):
        CANDIDATES.read(tmp_path)


@pytest.mark.parametrize("name", ["a column has another type", "a value is null", "a key stands there twice"])
def test_what_breaks_the_schema_is_not_written_and_the_old_file_stays(candidates, name, tmp_path):
    path = tmp_path / "candidates.parquet"
    CANDIDATES.write(candidates, tmp_path)
    before = path.read_bytes()
    spoil, words = BREAKS[name]
    with pytest.raises(ValueError, match=words):
        CANDIDATES.write(spoil(candidates), tmp_path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["candidates.parquet"]


def test_a_missing_table_says_which_stage_writes_it(tmp_path):
    with pytest.raises(ValueError, match="run the stage that writes prepare/ first"):
        QUERIES.read(tmp_path / "prepare")


def test_only_what_may_be_unknown_may_be_null(queries, candidates, tmp_path):
    groups = candidates.with_columns(
        is_positive=pl.lit(True), rank=pl.lit(None, pl.Int64), retrieval_score=pl.lit(None, pl.Float32)
    )
    GROUPS.write(groups, tmp_path)  # a positive that was not retrieved
    TAUGHT.write(groups.with_columns(teacher_score=pl.lit(0.5, pl.Float32)), tmp_path)
    RANKED.write(candidates.with_columns(rerank_score=pl.lit(None, pl.Float32)), tmp_path)  # below the depth
    with pytest.raises(ValueError, match="teacher_score is null"):
        TAUGHT.write(groups.with_columns(teacher_score=pl.lit(None, pl.Float32)), tmp_path)
    fold = pl.when(pl.col("query_id") != "3_D").then("fold")
    with pytest.raises(ValueError, match="row 5: fold is null"):
        QUERIES.write(queries.with_columns(fold=fold), tmp_path)


def test_a_query_stands_once_whatever_its_label_is(queries, tmp_path):
    twice = pl.concat([queries, queries.head(1).with_columns(misconception_id=pl.lit(50, pl.Int64))])
    with pytest.raises(ValueError, match=r"row 0: \('1_A',\) stands there twice"):
        QUERIES.write(twice, tmp_path)


def test_a_rank_stands_once_for_each_ranking_of_each_pool_and_may_be_unknown(tmp_path):
    rows = [(pool, name, "1_A", 1, 10, True, None) for pool in ("labelled", "catalogue") for name in ("bm25", "miner")]
    ranks = pl.DataFrame(rows, schema=RANKS.schema, orient="row")
    RANKS.write(ranks, tmp_path)
    assert RANKS.read(tmp_path).equals(ranks)
    with pytest.raises(ValueError, match="stands there twice"):
        RANKS.write(pl.concat([ranks, ranks[:1]]), tmp_path)
    first = ranks.with_columns(rank=pl.lit(1, pl.Int64))
    RANKS.write(first, tmp_path)
    other = first[:1].with_columns(misconception_id=pl.lit(11, pl.Int64))  # both cannot be the first
    with pytest.raises(ValueError, match="row 0, column rank: 1 cannot be: the query has that rank twice"):
        RANKS.write(pl.concat([first, other]), tmp_path)
    with pytest.raises(ValueError, match="seen is null"):
        RANKS.write(ranks.with_columns(seen=pl.lit(None, pl.Boolean)), tmp_path)
