"""Makes the lessons of a writer from a teacher's texts: the teacher may have seen labels, its student never does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from shared.prompts.words import Words
from shared.prompts.writer import PROMPTS, row_prompt, taught_text
from shared.task.folds import seed_of
from shared.task.near_duplicates import group_near


@dataclass(frozen=True)
class Lesson:
    """A prompt, and the text that is to be written behind it."""

    query_id: str
    prompt: tuple[int, ...]
    text: tuple[int, ...]  # with the end token


def make_lessons(queries: pl.DataFrame, texts: pl.DataFrame, words: Words, fold: str = "train") -> list[Lesson]:
    """A lesson for each text of TEXTS about a row of that fold of QUERIES; the prompts hold no label.

    Texts about other rows, and empty ones, are passed over. Raises ValueError where nothing is left.
    """
    rows = {row["query_id"]: row for row in queries.filter(pl.col("fold") == fold).to_dicts()}
    there = texts.filter(pl.col("kind").is_in(list(PROMPTS)), pl.col("clean") != "", pl.col("key").is_in(list(rows)))
    lessons = [
        Lesson(key, tuple(row_prompt(words, PROMPTS[kind], rows[key])), tuple(taught_text(words, text)))
        for kind, key, text in there.sort("kind", "key").select("kind", "key", "clean").iter_rows()
    ]
    if not lessons:
        raise ValueError(f"none of the {len(texts)} texts is about a row of fold {fold!r}: write about those first")
    return lessons


def cut_parts(queries: pl.DataFrame, parts: int, similar: float, seed: str) -> dict[str, int]:
    """The part, from 0 on, of each training row: a student that writes about a part learns from the others.

    Rows of one question, and of `similar` ones (shared/task/near_duplicates.py), are in one part.
    """
    train = queries.filter(pl.col("fold") == "train").sort("query_id")
    texts = train["question"].unique().sort().to_list()
    groups = group_near(texts, similar)
    firsts = sorted(set(groups))
    order = np.random.default_rng(seed_of(seed, "parts")).permutation(len(firsts))
    part_of = {firsts[place]: number % parts for number, place in enumerate(order.tolist())}
    part_of_text = {text: part_of[group] for text, group in zip(texts, groups, strict=True)}
    return {row["query_id"]: part_of_text[row["question"]] for row in train.iter_rows(named=True)}


def lessons_without(lessons: Sequence[Lesson], parts: dict[str, int], part: int) -> list[Lesson]:
    """What the student that is going to write about `part` learns from."""
    return [lesson for lesson in lessons if parts[lesson.query_id] != part]


def draw_lessons(lessons: Sequence[Lesson], batch: int, epoch: int, seed: str) -> list[list[Lesson]]:
    """The updates of one epoch: every lesson once, in a new order."""
    order = np.random.default_rng(seed_of(seed, epoch, "order")).permutation(len(lessons)).tolist()
    return [[lessons[place] for place in order[start : start + batch]] for start in range(0, len(order), batch)]
