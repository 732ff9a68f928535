"""Splits the labelled queries: whole misconceptions are held out, with every question that carries one.

A query has one right answer or several, with a grade where the task has grades.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
import polars as pl

from shared.task.near_duplicates import group_near, words_alone, words_of


def seed_of(*names: object) -> int:
    """A 64-bit seed made from names, the same on every machine."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, names)).encode()).digest()[:8], "big")


def hold_out_misconceptions(
    queries: pl.DataFrame, misconceptions: pl.DataFrame, share: float, seed: str, similar: float
) -> pl.DataFrame:
    """`queries` with `fold` set: "valid" for every question with a held-out misconception, and those near such a one.

    A quarter of the labelled misconceptions makes about 74 % of the validation pairs unseen, as in the hidden test.
    Questions whose texts are `similar` (shared/task/near_duplicates.py) stay together.
    """
    held_out = draw_misconceptions(queries, misconceptions, share, seed)
    carriers = labels_of(queries).filter(pl.col("misconception_id").is_in(sorted(held_out)))["query_id"]
    return _set_folds(queries, set(queries.filter(pl.col("query_id").is_in(carriers.implode()))["question"]), similar)


def hold_out_questions(queries: pl.DataFrame, share: float, seed: str, similar: float) -> pl.DataFrame:
    """`queries` with `fold` set: "valid" for `share` of the groups of `similar` questions, whatever they carry."""
    texts = queries["question"].unique().sort()
    firsts = texts[_groups_of(queries, texts, similar)].unique()
    return _set_folds(queries, set(_draw(firsts, share, seed, "questions")), similar)


def draw_misconceptions(queries: pl.DataFrame, misconceptions: pl.DataFrame, share: float, seed: str) -> set[int]:
    """`share` of the misconceptions that `queries` carry, drawn by the seed, and every other one of the same words."""
    drawn = set(_draw(labels_of(queries)["misconception_id"], share, seed, "misconceptions"))
    words = {id_: words_of(text) for id_, text in misconceptions.select("misconception_id", "text").iter_rows()}
    held_out = {words[id_] for id_ in drawn}
    return {id_ for id_ in words if words[id_] in held_out}


def alike(misconceptions: pl.DataFrame) -> dict[int, int]:
    """Every misconception's id -> the lowest id of those with the same words: case and punctuation do not count."""
    first: dict[tuple[str, ...], int] = {}
    rows = sorted(misconceptions.select("misconception_id", "text").iter_rows())
    return {id_: first.setdefault(words_alone(text) or (text,), id_) for id_, text in rows}


def labelled_queries(queries: pl.DataFrame, fold: str) -> pl.DataFrame:
    """The rows of `queries` in that fold ("train" or "valid") that somebody labelled, in their order."""
    return queries.filter(pl.col("fold") == fold).drop_nulls("misconception_id")


def labels_of(queries: pl.DataFrame) -> pl.DataFrame:
    """query_id, question_id, misconception_id[, grade]: a row for each right answer of `queries`, in their order.

    A task whose queries have one right answer has it in misconception_id, null where nobody labelled the query, and no
    grades. A task that a file defines has the lists `right` and `grades` beside it.
    """
    ids = ("query_id", "question_id")
    if "right" not in queries.columns:
        kept = (*ids, "misconception_id", *(["grade"] if "grade" in queries.columns else []))
        return queries.drop_nulls("misconception_id").select(kept)
    rows = queries.select(*ids, misconception_id="right", grade="grades")
    return rows.explode("misconception_id", "grade").drop_nulls("misconception_id")


def right_ids(row: Mapping[str, object]) -> frozenset[int]:
    """The right answers of a row of the queries table; none where nobody labelled it."""
    if (several := row.get("right")) is not None:
        return frozenset(several)
    return frozenset() if row["misconception_id"] is None else frozenset([row["misconception_id"]])


def seen_ids(queries: pl.DataFrame) -> set[int]:
    """Misconceptions that a training query carries."""
    return set(labels_of(labelled_queries(queries, "train"))["misconception_id"].to_list())


def sibling_answers(queries: pl.DataFrame, misconceptions: pl.DataFrame) -> pl.DataFrame:
    """query_id and misconception_id: what is right for another wrong answer of the question, and wrong for this one.

    Of the labelled training rows of `queries`. A row's own misconception is none of them, nor one of the same words.
    """
    rows = labelled_queries(queries, "train").select("query_id", "question_id", "misconception_id")
    rows = rows.with_columns(words=pl.col("misconception_id").replace(alike(misconceptions)))
    pairs = rows.join(rows, on="question_id", suffix="_sibling")
    pairs = pairs.filter(pl.col("words") != pl.col("words_sibling"))
    pairs = pairs.select("query_id", misconception_id="misconception_id_sibling")
    return pairs.unique().sort("query_id", "misconception_id")


def _draw(values: pl.Series, share: float, seed: str, name: str) -> list:
    """`share` of the different `values`, drawn by the seed."""
    unique = values.unique().sort()
    order = np.random.default_rng(seed_of(seed, name)).permutation(len(unique))
    return unique[order[: round(share * len(unique))].tolist()].to_list()


def _set_folds(queries: pl.DataFrame, valid: set[str], similar: float) -> pl.DataFrame:
    """`fold` is "valid" for the questions whose text is in `valid` or in a group of near texts with one that is."""
    texts = queries["question"].unique().sort()
    groups = _groups_of(queries, texts, similar)
    hit = {group for text, group in zip(texts, groups, strict=True) if text in valid}
    near = [text for text, group in zip(texts, groups, strict=True) if group in hit]
    is_valid = pl.col("question").is_in(near)
    return queries.with_columns(pl.when(is_valid).then(pl.lit("valid")).otherwise(pl.lit("train")).alias("fold"))


def _groups_of(queries: pl.DataFrame, texts: pl.Series, similar: float) -> list[int]:
    """For every text the first place of its group: near texts are in one, and so are those of one question."""
    own = queries.select("question_id", "question").unique().sort("question_id", "question")
    place = {text: number for number, text in enumerate(texts)}
    linked = [[place[text] for text in texts] for texts in own.group_by("question_id").agg("question")["question"]]
    return group_near(texts, similar, [(group[0], other) for group in linked for other in group[1:]])
