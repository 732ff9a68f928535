"""Splits the labelled queries: whole misconceptions are held out, with every question that carries one."""

import hashlib

import numpy as np
import polars as pl


def seed_of(*names: object) -> int:
    """A 64-bit seed made from names, the same on every machine."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, names)).encode()).digest()[:8], "big")


def hold_out_misconceptions(queries: pl.DataFrame, share: float, seed: str) -> pl.DataFrame:
    """`queries` with `fold` set: "valid" for every question with a held-out misconception or a text of such a question.

    `share` of the labelled misconceptions are held out. A quarter makes about 74 % of the validation pairs unseen, as
    in the hidden test. Questions with the same text stay together.
    """
    held_out = _draw(queries["misconception_id"].drop_nulls(), share, seed, "misconceptions")
    carries = pl.col("misconception_id").is_in(held_out).fill_null(False)
    return _set_folds(queries, queries.filter(carries)["question"])


def hold_out_questions(queries: pl.DataFrame, share: float, seed: str) -> pl.DataFrame:
    """`queries` with `fold` set: "valid" for `share` of the question texts, whatever misconceptions they carry."""
    return _set_folds(queries, pl.Series(_draw(queries["question"], share, seed, "questions"), dtype=pl.String))


def seen_ids(queries: pl.DataFrame) -> set[int]:
    """Misconceptions that a training query carries."""
    return set(queries.filter(pl.col("fold") == "train")["misconception_id"].drop_nulls().to_list())


def _draw(values: pl.Series, share: float, seed: str, name: str) -> list:
    """`share` of the different `values`, drawn by the seed."""
    unique = values.unique().sort()
    order = np.random.default_rng(seed_of(seed, name)).permutation(len(unique))
    return unique[order[: round(share * len(unique))].tolist()].to_list()


def _set_folds(queries: pl.DataFrame, valid_texts: pl.Series) -> pl.DataFrame:
    is_valid = pl.col("question").is_in(valid_texts.unique().implode())
    return queries.with_columns(pl.when(is_valid).then(pl.lit("valid")).otherwise(pl.lit("train")).alias("fold"))
