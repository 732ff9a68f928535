"""Looks for rows that were scored by a teacher which had learnt their answers."""

import polars as pl

from shared.task.folds import alike, labels_of
from training.run_folder.teachers import teacher_of


def find_learnt_rows(
    scored: pl.DataFrame, parts: pl.DataFrame, lessons: pl.DataFrame, queries: pl.DataFrame, catalogue: pl.DataFrame
) -> list[str]:
    """The queries of `scored` whose teacher learnt from their question or from a row with one of their right answers.

    `parts` (PARTS) says whose part a query is, `lessons` (LESSONS) what each teacher learnt from. Misconceptions of the
    same words are one. A query that is in no part is found too.
    """
    first, part_of = alike(catalogue), dict(parts.select("query_id", "part").iter_rows())
    answers = labels_of(queries).with_columns(words=pl.col("misconception_id").replace_strict(first))
    learnt = {*lessons.join(answers, on="query_id").select("student", "words").iter_rows()}
    asked = {*lessons.select("student", "question_id").iter_rows()}
    found = []
    rows = answers.join(scored.select("query_id").unique(), on="query_id", how="semi").sort("query_id", "words")
    for query_id, question_id, words in rows.select("query_id", "question_id", "words").iter_rows():
        teacher = teacher_of(part_of.get(query_id, -1))
        if query_id not in part_of or (teacher, question_id) in asked or (teacher, words) in learnt:
            found.append(query_id)
    return list(dict.fromkeys(found))
