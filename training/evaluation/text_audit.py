"""Looks for labels in what a language model wrote about the queries, before any model learns to read it.

A text that saw its label, or solved examples of the fold that is held out, is refused. A text may also name the
misconception because the thinking is plain: label-blind ones cover most of its words in 5 % (short) and 13 % (chains of
thought) of real rows. Far more than that, or more in training than in validation, is said aloud.
"""

from collections.abc import Set

import polars as pl

from shared.prompts.query import RATIONALES
from shared.task.near_duplicates import words_of

COVERED = 0.8  # of the words of a misconception's name
MOST_COVERED, MOST_APART = 0.25, 0.05  # shares of the labelled rows; between the two folds
SHORT_WORD = 3  # letters: "the", "of" and "is" say nothing


def find_labels_seen(texts: pl.DataFrame, held_out: Set[str]) -> list[str]:
    """The rows of `texts` (table TEXTS) that saw a label, their own or one of the `held_out` query ids."""
    return [
        f"{kind} {key}"
        for kind, key, saw, shots in texts.select("kind", "key", "saw_label", "shots").iter_rows()
        if saw or not held_out.isdisjoint(shots.split())
    ]


def find_own_shots(texts: pl.DataFrame, queries: pl.DataFrame) -> list[str]:
    """The rows of `texts` (table TEXTS) whose writer was shown a solved example of their own question."""
    question = dict(queries.select("query_id", "question_id").iter_rows())
    return [
        f"{kind} {key}"
        for kind, key, shots in texts.filter(pl.col("shots") != "").select("kind", "key", "shots").iter_rows()
        if question[key] in {question.get(shot) for shot in shots.split()}
    ]


def find_own_lessons(texts: pl.DataFrame, lessons: pl.DataFrame, queries: pl.DataFrame) -> list[str]:
    """The rows of `texts` (TEXTS) by a student that learnt from their question, or that no student wrote.

    `lessons` are what the students learnt from (LESSONS); a text's model ends with its student's name.
    """
    taught = set(lessons.select("student", "question_id").iter_rows())
    students, question = set(lessons["student"]), dict(queries.select("query_id", "question_id").iter_rows())
    found = []
    for kind, key, model in texts.select("kind", "key", "model").iter_rows():
        student = model.rpartition("/")[2]
        if student not in students or (student, question[key]) in taught:
            found.append(f"{kind} {key}")
    return found


def coverage(queries: pl.DataFrame, names: dict[int, str], kind: str) -> dict[str, float]:
    """Of each fold, the share of its labelled rows whose text of that kind holds most words of the right name."""
    told: dict[str, list[bool]] = {}
    rows = queries.filter(pl.col("misconception_id").is_not_null(), pl.col(kind).is_not_null())
    for fold, id_, text in rows.select("fold", "misconception_id", kind).iter_rows():
        wanted, there = _words(names[id_]), _words(text)
        told.setdefault(fold, []).append(len(wanted & there) >= COVERED * len(wanted))
    return {fold: sum(rows) / len(rows) for fold, rows in sorted(told.items())}


def alarms(queries: pl.DataFrame, misconceptions: pl.DataFrame) -> list[str]:
    """A sentence for each kind of text that seems to know the labels."""
    names, said = dict(misconceptions.select("misconception_id", "text").iter_rows()), []
    for kind in RATIONALES["both"]:
        if kind not in queries.columns:
            continue
        shares = coverage(queries, names, kind)
        apart = shares.get("train", 0) - shares.get("valid", shares.get("train", 0))
        if max(shares.values(), default=0) > MOST_COVERED or apart > MOST_APART:
            told = ", ".join(f"{share:.0%} of {fold}" for fold, share in shares.items())
            said.append(
                f"the texts of kind {kind} name the right misconception in {told}; label-blind ones do in 5 to 13 %: "
                "look whether their writer was told"
            )
    return said


def _words(text: str) -> set[str]:
    return {word for word in words_of(text) if len(word) > SHORT_WORD}
