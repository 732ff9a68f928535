"""Puts what a language model wrote beside the queries and the misconceptions that it wrote about."""

import polars as pl

from shared.prompts.query import DESCRIPTION, RATIONALES
from shared.task.tables import DESCRIPTIONS


def with_rationales(queries: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """`queries` with a column for each kind of rationale in `texts` (table TEXTS), null where there is none."""
    for kind in RATIONALES["both"]:
        part = texts.filter(pl.col("kind") == kind, pl.col("clean") != "").select(query_id="key", **{kind: "clean"})
        if (texts["kind"] == kind).any():
            queries = queries.join(part, on="query_id", how="left", maintain_order="left")
    return queries


def descriptions_of(texts: pl.DataFrame) -> pl.DataFrame:
    """The table DESCRIPTIONS of `texts` (table TEXTS); a misconception without a text has the empty one."""
    part = texts.filter(pl.col("kind") == DESCRIPTION)
    return part.select(misconception_id=pl.col("key").cast(pl.Int64), description="clean").select(*DESCRIPTIONS.schema)


def with_descriptions(misconceptions: pl.DataFrame, descriptions: pl.DataFrame) -> pl.DataFrame:
    """`misconceptions` with the column of `descriptions` (table DESCRIPTIONS), null where there is none."""
    return misconceptions.join(descriptions, on="misconception_id", how="left", maintain_order="left")
