"""Cuts the training rows into parts for teachers: the teacher of a part has learnt nothing that tells its answers."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from shared.task.folds import alike, labelled_queries, labels_of, seed_of
from shared.task.near_duplicates import group_near


def cut_parts(queries: pl.DataFrame, misconceptions: pl.DataFrame, parts: int, seed: str) -> dict[str, int]:
    """The part, from 0 on, of each labelled training row: that of its misconception, or of the first of several.

    Misconceptions of the same words are in one part. The parts have as many of them, give or take one.
    """
    rows, first = labelled_queries(queries, "train"), alike(misconceptions)
    ids = sorted({first[id_] for id_ in rows["misconception_id"]})
    order = np.random.default_rng(seed_of(seed, "parts")).permutation(len(ids)).tolist()
    part_of = {ids[place]: number % parts for number, place in enumerate(order)}
    return {query_id: part_of[first[id_]] for query_id, id_ in rows.select("query_id", "misconception_id").iter_rows()}


def leave_out(
    queries: pl.DataFrame, misconceptions: pl.DataFrame, part_of: Mapping[str, int], part: int, similar: float
) -> tuple[pl.DataFrame, set[int]]:
    """(the training rows that the teacher of `part` may learn from, the misconceptions that it must not read).

    The latter are the right answers of the part's rows and all others with the same words. A row with one of them is
    left out, and so is every row of a question of the part, or of one `similar` to it (shared/task/near_duplicates.py).
    """
    train, first = queries.filter(pl.col("fold") == "train"), alike(misconceptions)
    own = [query_id for query_id, number in part_of.items() if number == part]
    answers = labels_of(train).with_columns(words=pl.col("misconception_id").replace_strict(first))
    words = set(answers.filter(pl.col("query_id").is_in(own))["words"])
    carriers = set(answers.filter(pl.col("words").is_in(sorted(words)))["query_id"]) | set(own)
    near = _groups_of(train, similar)
    blocked = {near[row["question_id"]] for row in train.iter_rows(named=True) if row["query_id"] in set(own)}
    kept = [
        query_id not in carriers and near[question] not in blocked
        for query_id, question in train.select("query_id", "question_id").iter_rows()
    ]
    return train.filter(pl.Series(kept, dtype=pl.Boolean)), {id_ for id_ in first if first[id_] in words}


def _groups_of(rows: pl.DataFrame, similar: float) -> dict[int, int]:
    """Every question's id -> a number that it has in common with the questions near to it."""
    texts = rows["question"].unique().sort()
    place = {text: number for number, text in enumerate(texts)}
    own = rows.select("question_id", "question").unique().sort("question_id", "question")
    linked = [[place[text] for text in part] for part in own.group_by("question_id").agg("question")["question"]]
    groups = group_near(texts, similar, [(one[0], other) for one in linked for other in one[1:]])
    return {question_id: groups[place[text]] for question_id, text in own.iter_rows()}
