"""Draws the groups of every epoch: which query, which negatives, which in-context examples, in which order.

Every draw is seeded by names (the setting's seed, the epoch, the query), so that neither the number of processes nor
an interruption changes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from shared.prompts.embedder import Example
from shared.prompts.query import row_text
from shared.task.folds import labelled_queries, seed_of


@dataclass(frozen=True)
class Group:
    """One training query, its positive (first) and its negatives."""

    query_id: str
    misconception_ids: tuple[int, ...]
    teacher: tuple[float, ...]  # scores in the order of the ids; empty without a teacher


@dataclass(frozen=True)
class Mined:
    """What was mined for one query: the positive's id, the negatives' ids, the teacher's score of each id, if any."""

    query_id: str
    positive: int
    negatives: tuple[int, ...]
    teacher: dict[int, float]


def read_mined(groups: pl.DataFrame) -> list[Mined]:
    """The queries of a groups or taught table, in the order of their ids."""
    taught = "teacher_score" in groups.columns
    rows = []
    for (query_id,), part in groups.sort("query_id", "misconception_id").group_by("query_id", maintain_order=True):
        positive = part.filter("is_positive")["misconception_id"].item()
        negatives = tuple(part.filter(~pl.col("is_positive"))["misconception_id"])
        teacher = dict(part.select("misconception_id", "teacher_score").iter_rows()) if taught else {}
        rows.append(Mined(query_id, positive, negatives, teacher))
    return rows


def draw_epoch(mined: Sequence[Mined], *, group: int, batch: int, epoch: int, seed: str) -> list[list[Group]]:
    """The updates of one epoch: every query once, in a new order and with newly drawn negatives.

    The last update may hold fewer than `batch` groups. Raises ValueError when a query has too few negatives.
    """
    order = np.random.default_rng(seed_of(seed, epoch, "order")).permutation(len(mined))
    groups = [_draw_group(mined[row], group, seed_of(seed, epoch, mined[row].query_id)) for row in order]
    return [groups[start : start + batch] for start in range(0, len(groups), batch)]


def cut_evenly(tokens: Sequence[int], most: int, parts: int) -> list[list[int]]:
    """Places of the groups of an update in micro-batches of about equal tokens, at most about `most`.

    Their number is a multiple of `parts`, the number of processes, while there are groups for it. The longest group
    goes first, each to the micro-batch that has the least so far.
    """
    count = -(-sum(tokens) // most)
    count = min(count + -count % parts, len(tokens))
    micros: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for place in sorted(range(len(tokens)), key=lambda place: -tokens[place]):
        lightest = loads.index(min(loads))
        micros[lightest].append(place)
        loads[lightest] += tokens[place]
    return [sorted(micro) for micro in micros]


def draw_examples(queries: pl.DataFrame, misconceptions: pl.DataFrame, seed: str) -> list[tuple[int, int, Example]]:
    """Every labelled training query as (question_id, misconception_id, example), in a seeded order."""
    labelled = labelled_queries(queries, "train").sort("query_id")
    texts = dict(misconceptions.select("misconception_id", "text").iter_rows())
    order = np.random.default_rng(seed_of(seed, "examples")).permutation(len(labelled))
    return [
        (
            row["question_id"],
            row["misconception_id"],
            Example(row_text(row), texts[row["misconception_id"]]),
        )
        for row in labelled[order.tolist()].iter_rows(named=True)
    ]


def choose_training_examples(
    pool: Sequence[tuple[int, int, Example]], question_id: int, misconception_id: int, *, most: int, seed: int
) -> list[Example]:
    """0 to `most` examples, drawn anew for each query: never of its question, never with its misconception."""
    rng = np.random.default_rng(seed)
    wanted = min(int(rng.integers(most + 1)), len(pool))
    chosen: list[Example] = []
    for place in rng.permutation(len(pool)):
        if len(chosen) == wanted:
            break
        question, answer, example = pool[place]
        if question != question_id and answer != misconception_id:
            chosen.append(example)
    return chosen


def _draw_group(mined: Mined, group: int, seed: int) -> Group:
    if len(mined.negatives) < group - 1:
        raise ValueError(
            f"query {mined.query_id} has {len(mined.negatives)} mined negatives, "
            f"a group of {group} needs {group - 1}: mine more"
        )
    drawn = np.random.default_rng(seed).choice(len(mined.negatives), group - 1, replace=False)
    ids = (mined.positive, *(mined.negatives[place] for place in drawn))
    return Group(mined.query_id, ids, tuple(mined.teacher[id_] for id_ in ids) if mined.teacher else ())
