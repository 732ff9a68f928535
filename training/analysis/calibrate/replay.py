"""Replays a finished evaluation under many calibrations at once: no model runs, only the saved scores are ordered anew.

R rows (validation queries of all draws), N candidates of each in the order of retrieval, P points (calibrations),
T right answers of the query that has most
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import polars as pl

from shared.task.current import TASK
from shared.task.folds import labelled_queries, labels_of
from shared.task.task import Metric


class Point(NamedTuple):
    """What is fitted, of inference.fusion.calibration.Calibration."""

    depth: int
    extra: int = 0
    blend: float = 0.0
    offset: float = 0.0


@dataclass(frozen=True)
class Rows:
    """Arrays of one or more draws. Behind a query's last candidate retrieval is -inf, and ids is -1."""

    draw: np.ndarray  # [R] number of the draw
    question: np.ndarray  # [R] question ids
    seen: np.ndarray  # [R] whether training rows of the draw carry all right misconceptions
    ids: np.ndarray  # [R, N] misconception ids
    retrieval: np.ndarray  # [R, N] float64
    rerank: np.ndarray  # [R, N] float64, nan where it was not scored
    never: np.ndarray  # [R, N] whether no training row of the draw carries the candidate
    targets: np.ndarray  # [R, T] columns of the right answers, -1 where one is absent, and behind the last
    grades: np.ndarray  # [R, T] of the right answers, absent ones too; 0 behind the last

    def take(self, keep: np.ndarray) -> "Rows":
        """The rows where `keep` [R] is true."""
        return Rows(*(getattr(self, field.name)[keep] for field in fields(self)))


def rows_of(draw: int, queries: pl.DataFrame, ranked: pl.DataFrame, pool: Sequence[int], seen: set[int]) -> Rows:
    """Rows of the labelled validation queries of one draw, of the candidates in `pool`.

    `ranked` has query_id, misconception_id, rank (in the order of retrieval), retrieval_score, rerank_score; `seen` are
    the ids of the draw's training rows.
    """
    labels = labels_of(labelled_queries(queries, "valid"))
    if "grade" not in labels.columns:
        labels = labels.with_columns(grade=pl.lit(1, pl.Int64))
    valid = labels.group_by("query_id", maintain_order=True).agg(
        pl.col("question_id").first(), "misconception_id", "grade"
    )
    valid = valid.with_row_index("row")
    inside = ranked.filter(pl.col("misconception_id").is_in(list(pool))).sort("query_id", "rank")
    placed = inside.with_columns(pl.int_range(pl.len()).over("query_id").alias("column")).join(
        valid.select("query_id", "row"), on="query_id", maintain_order="left"
    )
    shape = len(valid), placed["column"].max() + 1
    at = placed["row"].to_numpy(), placed["column"].to_numpy()

    def spread(column: str, empty: float, dtype: type) -> np.ndarray:
        table = np.full(shape, empty, dtype)
        table[at] = placed[column].to_numpy()
        return table

    ids = spread("misconception_id", -1, np.int64)
    return Rows(
        draw=np.full(len(valid), draw),
        question=valid["question_id"].to_numpy(),
        seen=np.array([seen.issuperset(answers) for answers in valid["misconception_id"]]),
        ids=ids,
        retrieval=spread("retrieval_score", -np.inf, np.float64),
        rerank=spread("rerank_score", np.nan, np.float64),
        never=(ids >= 0) & ~np.isin(ids, list(seen)),
        targets=_find_columns(ids, valid["misconception_id"].to_list()),
        grades=_side_by_side(valid["grade"].to_list()),
    )


def _side_by_side(grades: Sequence[Sequence[int]]) -> np.ndarray:
    """Grades [R, T] of the right answers; 0 behind a query's last."""
    table = np.zeros((len(grades), max(map(len, grades), default=0)), np.int64)
    for row, own in zip(table, grades, strict=True):
        row[: len(own)] = own
    return table


def _find_columns(ids: np.ndarray, answers: Sequence[Sequence[int]]) -> np.ndarray:
    """Columns [R, T] of the right answers in ids [R, N]; -1 where one is absent, and behind a query's last."""
    columns = np.full((len(ids), max(map(len, answers), default=0)), -1)
    for place in range(columns.shape[1]):
        wanted = np.array([own[place] if place < len(own) else -2 for own in answers])  # no id: ids are -1 and more
        right = ids == wanted[:, None]
        columns[:, place] = np.where(right.any(1), right.argmax(1), -1)
    return columns


def join_rows(parts: Sequence[Rows]) -> Rows:
    """The rows of several draws together; shorter lists, of candidates or of right answers, are filled up."""
    empty = {"ids": -1, "retrieval": -np.inf, "rerank": np.nan, "never": False, "targets": -1, "grades": 0}

    def join(name: str) -> np.ndarray:
        arrays = [getattr(part, name) for part in parts]
        if name in empty:
            width = max(array.shape[1] for array in arrays)
            gaps = [((0, 0), (0, width - array.shape[1])) for array in arrays]
            arrays = [np.pad(array, gap, constant_values=empty[name]) for array, gap in zip(arrays, gaps, strict=True)]
        return np.concatenate(arrays)

    return Rows(*(join(field.name) for field in fields(Rows)))


def replay(rows: Rows, points: Sequence[Point], tail_offset: float, metric: Metric | None = None) -> np.ndarray:
    """The metric's figures [P, R] as if predict had applied each point with this tail offset."""
    ranks = [_replay_target(rows, target, points, tail_offset) for target in rows.targets.T]
    return _figures(rows, ranks, metric)


def replay_retrieval(rows: Rows, tail_offsets: Sequence[float], metric: Metric | None = None) -> np.ndarray:
    """The metric's figures [P, R] of retrieval alone under each tail offset."""
    ranks = [
        np.stack([1 + _ahead(rows, target, rows.retrieval + offset * rows.never).sum(1) for offset in tail_offsets])
        for target in rows.targets.T
    ]
    return _figures(rows, ranks, metric)


def _figures(rows: Rows, ranks: Sequence[np.ndarray], metric: Metric | None) -> np.ndarray:
    """From ranks [P, R] of each target, which mean nothing where the target is absent; a point at a time."""
    figures, metric = np.empty(ranks[0].shape), metric or TASK.metric
    for number in range(len(figures)):
        places = np.stack([rank[number] for rank in ranks], axis=-1)
        known = np.where(rows.targets >= 0, places, np.inf)
        figures[number] = metric.of_ranks(known, rows.grades, metric.depth)
    return figures


def _replay_target(rows: Rows, target: np.ndarray, points: Sequence[Point], tail_offset: float) -> np.ndarray:
    """Ranks [P, R] of the candidates in the columns `target` [R].

    A candidate's final score does not depend on which others are reranked. So each pair of blend and offset is computed
    once, and its running counts give the rank at every depth.
    """
    shapes = {
        shape: _Shape(rows, target, *shape, tail_offset) for shape in dict.fromkeys(point[:2] for point in points)
    }
    ranks, groups = np.empty((len(points), len(target)), np.int64), {}
    for number, point in enumerate(points):
        groups.setdefault(point[2:], []).append(number)
    known = np.where(np.isfinite(rows.retrieval), rows.retrieval, 0.0)
    for (blend, offset), numbers in groups.items():
        ahead = _ahead(rows, target, rows.rerank + blend * known + offset * rows.never)
        counts = _running(ahead), _running(ahead & rows.never)
        for number in numbers:
            ranks[number] = shapes[points[number][:2]].rank(*counts)
    return ranks


class _Shape:
    """Which candidates one depth and one number of extra ones choose, whatever their scores are."""

    def __init__(self, rows: Rows, target: np.ndarray, depth: int, extra: int, tail_offset: float):
        self.depth = depth = min(depth, rows.ids.shape[1])
        place = np.arange(rows.ids.shape[1])
        behind = rows.never & (place >= depth)
        extras = behind & (np.cumsum(behind, axis=1) <= extra)
        chosen = extras | ((rows.ids >= 0) & (place < depth))
        assert not np.isnan(rows.rerank[chosen]).any(), "a chosen candidate has no score"
        self.last = np.where(extras.any(1), extras.shape[1] - 1 - extras[:, ::-1].argmax(1), depth - 1)[:, None]
        self.inside = np.take_along_axis(chosen, np.maximum(target, 0)[:, None], 1)[:, 0]
        ahead = _ahead(rows, target, rows.retrieval + tail_offset * rows.never)
        self.outside = 1 + chosen.sum(1) + (ahead & ~chosen).sum(1)

    def rank(self, ahead: np.ndarray, never: np.ndarray) -> np.ndarray:
        """Rank [R] of the target, from `_running` counts of what is ahead of it, never-labelled or any."""
        extras = np.take_along_axis(never, self.last + 1, 1)[:, 0] - never[:, self.depth]
        return np.where(self.inside, 1 + ahead[:, self.depth] + extras, self.outside)


def _running(values: np.ndarray) -> np.ndarray:
    """How many of `values` [R, N] are true in the first 0, 1, ... N columns."""
    counts = np.zeros((len(values), values.shape[1] + 1), np.int16)
    np.cumsum(values, axis=1, out=counts[:, 1:])
    return counts


def _ahead(rows: Rows, target: np.ndarray, value: np.ndarray) -> np.ndarray:
    """[R, N]: whether a candidate stands before the target by `value`, or by the lower id where they are equal."""
    column = np.maximum(target, 0)[:, None]
    own = np.take_along_axis(value, column, 1)
    return (value > own) | ((value == own) & (rows.ids < np.take_along_axis(rows.ids, column, 1)))
