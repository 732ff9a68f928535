"""Measures how much a ranking depends on the wrong answer: how alike the lists of a question's wrong answers are.

Siblings are the labelled wrong answers of one question. They share every text but the wrong answer, so the list of a
sibling is what a ranking says when the wrong answer is swapped with the sibling's: no model has to be asked again.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations, permutations
from statistics import fmean
from typing import NamedTuple

import numpy as np
import polars as pl

from shared.prompts.query import RATIONALES
from shared.task.current import TASK
from shared.task.metrics import kendall_tau, mean_figures
from shared.task.tables import POOLS, SIBLINGS

FIGURES = tuple(SIBLINGS.schema)[len(SIBLINGS.key) :]
LABELS = "labels"  # the ranking that the right answers themselves would be
Ranking = Mapping[str, pl.DataFrame]  # pool -> query_id, misconception_id, rank


class Sibling(NamedTuple):
    """A labelled wrong answer of a question that has several."""

    query_id: str
    right: int


def with_siblings(valid: pl.DataFrame) -> pl.DataFrame:
    """The labelled rows of `valid` whose question has two of them or more; none of a task without wrong answers."""
    if "wrong" not in valid.columns:
        return valid.clear()
    labelled = valid.drop_nulls("misconception_id")
    return labelled.filter(pl.len().over("question_id") > 1)


def hide_answers(valid: pl.DataFrame) -> pl.DataFrame:
    """A row for each question with siblings, without its wrong answer and what was written about that.

    It keeps the id of the question's first row.
    """
    first = with_siblings(valid).unique("question_id", keep="first", maintain_order=True)
    if first.is_empty():
        return first
    return first.with_columns(wrong=pl.lit("")).drop(RATIONALES["both"], strict=False)


def compare_siblings(
    rankings: Mapping[str, Ranking], valid: pl.DataFrame, hidden: Mapping[str, Ranking]
) -> pl.DataFrame:
    """SIBLINGS of every ranking and pool, over the questions of `valid` with siblings, and of the labels.

    `hidden` has the lists of `hide_answers(valid)` of some of the rankings.
    """
    asked = with_siblings(valid).select("question_id", "query_id", "misconception_id")
    questions = {
        question: [Sibling(*row[1:]) for row in part.iter_rows()]
        for (question,), part in asked.group_by("question_id", maintain_order=True)
    }
    rows = []
    for pool in POOLS:
        rows += [(pool, LABELS, question, *_labels(siblings)) for question, siblings in questions.items()]
        for name, tables in rankings.items():
            lists, own = _lists(tables[pool], asked), _places(tables[pool])
            blind = _places(hidden[name][pool]) if name in hidden else None
            for question, siblings in questions.items():
                alike = likeness([lists.get(one.query_id, []) for one in siblings])
                rows.append((pool, name, question, *alike, *_figures(siblings, own, blind)))
    return pl.DataFrame(rows, schema=SIBLINGS.schema, orient="row")


def likeness(lists: Sequence[Sequence[int]]) -> tuple[bool, float, float | None]:
    """(whether all `lists` begin alike, ids that a pair of them shares, tau-a of those ids' order).

    There are two lists or more, and the last two figures are means over their pairs. A pair with fewer than two shared
    ids has no order, and tau is None where no pair has one. Two empty lists do not begin alike.
    """
    firsts = {ids[0] if ids else None for ids in lists}
    pairs = [_shared(one, other) for one, other in combinations(lists, 2)]
    taus = [kendall_tau(*places) for places in pairs if len(places[0]) > 1]
    return (
        len(firsts) == 1 and firsts != {None},
        fmean(len(places[0]) for places in pairs),
        fmean(taus) if taus else None,
    )


def sensitivity(siblings: pl.DataFrame, resamples: int) -> dict[str, dict[str, dict]]:
    """{pool: {ranking: {"questions": their number, figure: {"mean", "low", "high"}}}} of a SIBLINGS table."""
    found: dict[str, dict[str, dict]] = {}
    for (pool, name), part in siblings.group_by("pool", "ranking", maintain_order=True):
        figures = {
            figure: {"mean": mean, "low": low, "high": high}
            for figure, (mean, low, high) in mean_figures([part], FIGURES, resamples).items()
        }
        found.setdefault(pool, {})[name] = {"questions": len(part), **figures}
    return found


def _labels(siblings: Sequence[Sibling]) -> tuple:
    lists = [[one.right] for one in siblings]
    same, shared, _ = likeness(lists)
    return same, shared, None, None, None, None


def _lists(ranked: pl.DataFrame, asked: pl.DataFrame) -> dict[str, list[int]]:
    """The first ids of every query of `asked`, best first."""
    near = (
        ranked.filter(pl.col("rank") <= TASK.metric.depth)
        .join(asked, on="query_id", how="semi")
        .sort("query_id", "rank")
    )
    return dict(near.group_by("query_id", maintain_order=True).agg("misconception_id").iter_rows())


def _places(ranked: pl.DataFrame) -> dict[tuple[str, int], int]:
    near = ranked.filter(pl.col("rank") <= TASK.metric.depth)
    return {(query_id, id_): rank for query_id, id_, rank in near.select("query_id", "misconception_id", "rank").rows()}


def _shared(one: Sequence[int], other: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The places in both lists of the ids that both have."""
    places = {id_: place for place, id_ in enumerate(other)}
    both = [(place, places[id_]) for place, id_ in enumerate(one) if id_ in places]
    return np.array([place for place, _ in both]), np.array([place for _, place in both])


def _figures(siblings: Sequence[Sibling], own: dict, blind: dict | None) -> Iterator[float | None]:
    """own, swapped and hidden, over the siblings' ordered pairs that have unlike right answers."""
    pairs = [(one, other) for one, other in permutations(siblings, 2) if one.right != other.right]
    if not pairs:
        yield from (None, None, None)
        return
    first = siblings[0].query_id
    yield fmean(_figure(own.get((one.query_id, one.right))) for one, _ in pairs)
    yield fmean(_figure(own.get((other.query_id, one.right))) for one, other in pairs)
    yield None if blind is None else fmean(_figure(blind.get((first, one.right))) for one, _ in pairs)


@cache
def _figure(rank: int | None) -> float:
    """The metric of a query whose one right answer has that rank."""
    ranks = np.array([[np.inf if rank is None else rank]])
    return float(TASK.metric.of_ranks(ranks, np.ones_like(ranks), TASK.metric.depth)[0])
