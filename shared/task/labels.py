"""Says which answers of a query are right: one or several, with a grade where the task has grades."""

from collections.abc import Mapping

import polars as pl


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
