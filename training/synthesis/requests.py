"""Makes the requests for written questions: which misconceptions need some, and what their prompts show.

Only the training fold is looked at. A held-out misconception counts as never labelled, its prompt has its name and its
description alone, and every solved example is a training row of another misconception.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from inference.retrieval.bm25 import WordIndex
from inference.writing.write import Request
from shared.prompts.query import DESCRIPTION
from shared.prompts.synthesis import SAMPLING, lines_of, question_prompt
from shared.prompts.words import Words
from shared.task.folds import alike, labelled_queries, seed_of

KIND = "question"
LOOKED_AT = 200  # nearest names among which those with a training row are taken


@dataclass(frozen=True)
class Wanted:
    """How many questions are wanted: of how many misconceptions (0: all), each how many, with how many examples."""

    misconceptions: int
    each: int
    shots: int
    seed: str


@dataclass(frozen=True)
class Shot:
    """A solved example: the training row it is, its misconception's name, and its question in labelled lines."""

    query_id: str
    name: str
    lines: str


def question_requests(
    queries: pl.DataFrame, misconceptions: pl.DataFrame, words: Words, wanted: Wanted
) -> list[Request]:
    """A request for each question, keyed "MisconceptionId/number", in order of need."""
    names = dict(misconceptions.select("misconception_id", "text").iter_rows())
    notes = _notes(misconceptions)
    ids = order_by_need(queries, misconceptions, wanted.seed)[: wanted.misconceptions or None]
    shots = nearest_shots(queries, misconceptions, ids, wanted.shots, wanted.seed)
    requests = []
    for id_ in ids:
        shown = [(shot.name, shot.lines) for shot in shots[id_]]
        tokens = tuple(question_prompt(words, names[id_], notes.get(id_, ""), shown))
        used = tuple(shot.query_id for shot in shots[id_])
        requests += [
            Request(KIND, f"{id_}/{number}", tokens, SAMPLING, "train", shots=used) for number in range(wanted.each)
        ]
    return requests


def order_by_need(queries: pl.DataFrame, misconceptions: pl.DataFrame, seed: str) -> list[int]:
    """All ids: those that no training row carries first, then the rarest; equals in an order drawn by the seed."""
    carried = Counter(labelled_queries(queries, "train")["misconception_id"].to_list())
    ids = misconceptions["misconception_id"].to_list()
    return sorted(ids, key=lambda id_: (carried[id_], seed_of(seed, "need", id_)))


def nearest_shots(
    queries: pl.DataFrame, misconceptions: pl.DataFrame, ids: Sequence[int], count: int, seed: str
) -> dict[int, list[Shot]]:
    """Of each id `count` training rows of the misconceptions whose names are nearest by words, the nearest last.

    None is of the id itself, of one with the same words, or of a question that carries the id. Two are never of one
    question.
    """
    train = labelled_queries(queries, "train").sort("query_id")
    rows: dict[int, list[dict]] = {}
    for row in train.iter_rows(named=True):
        rows.setdefault(row["misconception_id"], []).append(row)
    same, names = alike(misconceptions), dict(misconceptions.select("misconception_id", "text").iter_rows())
    carriers: dict[int, set[int]] = {}
    for row in train.iter_rows(named=True):
        carriers.setdefault(same[row["misconception_id"]], set()).add(row["question_id"])
    answers = _answers(queries)
    index = WordIndex(
        misconceptions.filter(pl.col("misconception_id").is_in(list(rows))).select("misconception_id", "text")
    )
    found, _ = index.find([names[id_] for id_ in ids], LOOKED_AT)
    shots: dict[int, list[Shot]] = {}
    for id_, near in zip(ids, found.tolist(), strict=True):
        taken = set(carriers.get(same[id_], ()))
        shots[id_] = []
        for other in (other for other in near if same[other] != same[id_]):
            free = [row for row in rows[other] if row["question_id"] not in taken]
            if len(shots[id_]) == count:
                break
            if free:
                row = free[seed_of(seed, "shot", id_, other) % len(free)]
                taken.add(row["question_id"])
                shots[id_].insert(0, _shot(row, names[other], answers))
    return shots


def _shot(row: Mapping, name: str, answers: Mapping[int, Sequence[str]]) -> Shot:
    others = [text for query_id, text in answers[row["question_id"]] if query_id != row["query_id"]]
    fields = {**row, **{f"other_{place}": text for place, text in enumerate(others[:2], 1)}}
    return Shot(row["query_id"], name, lines_of(fields))


def _answers(queries: pl.DataFrame) -> dict[int, list[tuple[str, str]]]:
    """Of each question its wrong answers as (query_id, text)."""
    found: dict[int, list[tuple[str, str]]] = {}
    for question_id, query_id, wrong in queries.select("question_id", "query_id", "wrong").iter_rows():
        found.setdefault(question_id, []).append((query_id, wrong))
    return found


def _notes(misconceptions: pl.DataFrame) -> dict[int, str]:
    if DESCRIPTION not in misconceptions.columns:
        return {}
    return {id_: text or "" for id_, text in misconceptions.select("misconception_id", DESCRIPTION).iter_rows()}
