"""Draws the groups of every epoch: which query, which negatives, which in-context examples, in which order.

Every draw is seeded by names (the setting's seed, the epoch, the query), so that neither the number of processes nor
an interruption changes it.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from shared.prompts.embedder import Example
from shared.prompts.query import Layout, Rationale, row_text
from shared.prompts.reading import cut_lists
from shared.settings.sections import Train
from shared.task.folds import labelled_queries, seed_of
from shared.task.tables import PAIR


@dataclass(frozen=True)
class Group:
    """One training query, a positive of it (first) and its negatives; a query with more positives has more groups."""

    query_id: str
    misconception_ids: tuple[int, ...]
    teacher_scores: tuple[float, ...] = ()  # in the order of the ids; empty without a teacher
    question_id: int | None = None  # where somebody asks for it
    siblings: frozenset[int] = frozenset()  # those of its negatives that are right for a sibling, where asked for
    others: tuple[int, ...] = ()  # the query's other positives

    @property
    def name(self) -> str:
        """What seeds its draws: the query, and which positive where it has several."""
        return f"{self.query_id}/{self.misconception_ids[0]}" if self.others else self.query_id


def read_groups(
    table: pl.DataFrame, questions: Mapping[str, int] | None = None, siblings: pl.DataFrame | None = None
) -> list[Group]:
    """The groups of a groups or taught table with all that was mined, in the order of the queries' ids.

    A query has one for each of its positives, with the same negatives. Each knows its question and siblings, where
    `questions` (query_id -> question_id) and `siblings` (table of query_id and misconception_id) are given.
    """
    taught, questions, kin = "teacher_score" in table.columns, questions or {}, {}
    for query_id, id_ in siblings.select(PAIR).iter_rows() if siblings is not None else ():
        kin.setdefault(query_id, set()).add(id_)
    rows = table.sort("query_id", pl.col("is_positive").not_(), "misconception_id")
    groups = []
    for (query_id,), part in rows.group_by("query_id", maintain_order=True):
        right, ids = part["is_positive"].sum(), tuple(part["misconception_id"])
        assert right, query_id
        scores = tuple(part["teacher_score"]) if taught else ()
        for place in range(right):
            others = ids[:place] + ids[place + 1 : right]
            shown, own = (ids[place], *ids[right:]), scores[place : place + 1] + scores[right:]
            near = frozenset(kin.get(query_id, ())) & frozenset(ids[right:])
            groups.append(Group(query_id, shown, own, questions.get(query_id), near, others))
    return groups


def draw_epoch(
    mined: Sequence[Group], *, group: int, batch: int, epoch: int, seed: str, siblings: float = 0.0
) -> list[list[Group]]:
    """The updates of one epoch: every group once, in a new order and with newly drawn ones of its mined negatives.

    Each of a query's siblings' misconceptions is among them with the probability `siblings`; with 0 they are drawn as
    any other. The last update may hold fewer than `batch` groups. Raises ValueError when a query has too few negatives.
    """
    order = np.random.default_rng(seed_of(seed, epoch, "order")).permutation(len(mined))
    groups = [_draw_group(mined[row], group, seed_of(seed, epoch, mined[row].name), siblings) for row in order]
    return [groups[start : start + batch] for start in range(0, len(groups), batch)]


def keep_together(updates: Sequence[Sequence[Group]], batch: int) -> list[list[Group]]:
    """The groups of `updates` in as many updates of `batch`, those of one question in one of them.

    Questions come in the order of their first groups. One that finds no room in an update waits for the next, and is
    split only where no other that waits would fill the update.
    """
    waiting: dict[int | None, list[Group]] = {}
    for one in (one for update in updates for one in update):
        waiting.setdefault(one.question_id, []).append(one)
    questions, made = list(waiting.values()), []
    while questions:
        update: list[Group] = []
        while questions and (room := batch - len(update)):
            fits = next((place for place, rows in enumerate(questions) if len(rows) <= room), None)
            if fits is None:
                update += questions[0][:room]
                questions[0] = questions[0][room:]
            else:
                update += questions.pop(fits)
        made.append(update)
    return made


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


def draw_examples(
    queries: pl.DataFrame, misconceptions: pl.DataFrame, seed: str, layout: Layout = "plain"
) -> list[tuple[int, int, Example]]:
    """Every labelled training query as (question_id, misconception_id, example), in a seeded order."""
    labelled = labelled_queries(queries, "train").sort("query_id")
    texts = dict(misconceptions.select("misconception_id", "text").iter_rows())
    order = np.random.default_rng(seed_of(seed, "examples")).permutation(len(labelled))
    return [
        (
            row["question_id"],
            row["misconception_id"],
            Example(row_text(row, layout), texts[row["misconception_id"]]),
        )
        for row in labelled[order.tolist()].iter_rows(named=True)
    ]


def choose_training_examples(
    pool: Sequence[tuple[int, int, Example]], question_id: int, right: Set[int], *, most: int, seed: int
) -> list[Example]:
    """0 to `most` examples, drawn anew for each query: never of its question, never with a right answer of it."""
    rng = np.random.default_rng(seed)
    wanted = min(int(rng.integers(most + 1)), len(pool))
    chosen: list[Example] = []
    for place in rng.permutation(len(pool)):
        if len(chosen) == wanted:
            break
        question, answer, example = pool[place]
        if question != question_id and answer not in right:
            chosen.append(example)
    return chosen


def shown_rationale(rationale: Rationale, settings: Train, seed: str, query_id: str) -> Rationale:
    """Which rationales a training query shows this time: by chance none, so that one without any costs a model little.

    `seed` is the update's, in which a query stands once.
    """
    if rationale == "none" or not settings.rationale_dropout:
        return rationale
    left_out = np.random.default_rng(seed_of(seed, query_id, "rationale")).random() < settings.rationale_dropout
    return "none" if left_out else rationale


def draw_lists(group: Group, most: int | None, least: int, seed: str) -> list[list[int]]:
    """Places of a group's candidates in the lists that they are read in, whose order tells nothing about the answer.

    At most `most` are in a list (None: the kind reads no lists, and the order stays); with `least` it is drawn how
    many, from there to `most`. `seed` is the update's, in which a group stands once.
    """
    count = len(group.misconception_ids)
    if most is None:
        return [list(range(count))]
    rng = np.random.default_rng(seed_of(seed, group.name, "list"))
    places = rng.permutation(count).tolist()
    held = int(rng.integers(least, most, endpoint=True)) if least else most
    return [places[part.start : part.stop] for part in cut_lists(count, held)]


def _draw_group(mined: Group, group: int, seed: int, siblings: float) -> Group:
    rng, ids, scores = np.random.default_rng(seed), mined.misconception_ids, mined.teacher_scores
    kin = [place for place in range(1, len(ids)) if siblings and ids[place] in mined.siblings]
    taken = [place for place in kin if rng.random() < siblings][: group - 1]
    others = np.array([place for place in range(1, len(ids)) if place not in kin], dtype=int)
    negatives = len(taken) + len(others)
    if negatives < group - 1:
        raise ValueError(
            f"query {mined.query_id} has {negatives} mined negatives, a group of {group} needs {group - 1}: mine more"
        )
    drawn = rng.choice(len(others), group - 1 - len(taken), replace=False)
    places = [0, *taken, *others[drawn].tolist()]
    return replace(
        mined,
        misconception_ids=tuple(ids[place] for place in places),
        teacher_scores=tuple(scores[place] for place in places if scores),
    )
