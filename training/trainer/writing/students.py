"""Trains the students of a teacher that wrote about the rows: one for each part of the training rows, and one more.

A student of a part learns from the other parts alone, so that what it writes about its own part is as good as what the
last one, which learns from all training rows, writes about rows that nobody has seen.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from inference.engines.distributed import rank
from inference.engines.tokenizer import load_tokenizer, writer_words
from inference.machine.profiles import load_profile
from inference.writing.replay import replay
from shared.prompts.query import RATIONALES
from shared.settings.texts import TrainWriter
from shared.task.tables import LESSONS, QUERIES
from training.run_folder.base_models import local_folder
from training.run_folder.stage_context import StageContext
from training.run_folder.students import student_of
from training.trainer.writing.lessons import Lesson, cut_parts, lessons_without, make_lessons
from training.trainer.writing.writer import train_writer


def train_students(context: StageContext) -> None:
    """Fill context.out with an adapter for each student and epoch, and the table LESSONS."""
    section, queries = context.settings.train_writer, context.read(QUERIES, "prepare")
    profile = load_profile(context.settings.machine.profile).model_copy(update={"dtype": context.settings.writer.dtype})
    base = local_folder(context.settings.writer.base)
    texts, words = _read_teacher(context, queries), writer_words(load_tokenizer(base))
    lessons = make_lessons(queries, texts, words)
    held_out = make_lessons(queries, texts, words, "valid") if _has_texts(queries, texts, "valid") else []
    parts = parts_of(queries, section, context.settings.prepare.similar)
    learnt = []
    for student, own in _students(lessons, parts, section.parts):
        if not own:
            raise ValueError(
                f"train_writer.file={section.file}: all of its texts are about one part of the training rows, so that "
                f"{student} has nothing to learn from: write about more rows, or say another train_writer.seed"
            )
        if rank() == 0:
            print(f"{student}: {len(own)} texts of {context.settings.writer.base}'s teacher", flush=True)
        train_writer(base, own, held_out, section, context.out / student, profile)
        learnt += [(student, query_id) for query_id in sorted({lesson.query_id for lesson in own})]
    if rank() == 0:
        table = pl.DataFrame(learnt, schema=["student", "query_id"], orient="row")
        known = queries.select("query_id", "question_id")
        context.write(table.join(known, on="query_id", how="left", maintain_order="left"), LESSONS)


def parts_of(queries: pl.DataFrame, section: TrainWriter, similar: float) -> dict[str, int]:
    """The part of each training row, which its student has not seen; see cut_parts."""
    return cut_parts(queries, section.parts, similar, section.seed)


def _students(lessons: Sequence[Lesson], parts: dict[str, int], count: int) -> Iterator[tuple[str, Sequence[Lesson]]]:
    for part in range(count):
        yield student_of(part), lessons_without(lessons, parts, part)
    yield student_of(None), lessons


def _read_teacher(context: StageContext, queries: pl.DataFrame) -> pl.DataFrame:
    """The TEXTS of the teacher, of the kinds that are to be written."""
    path = Path(context.settings.prepare.competition) / context.settings.train_writer.file
    folds = dict(queries.select("query_id", "fold").iter_rows())
    return replay(path, RATIONALES[context.settings.explain.kinds], folds)


def _has_texts(queries: pl.DataFrame, texts: pl.DataFrame, fold: str) -> bool:
    there = set(texts.filter(pl.col("clean") != "")["key"])
    return not there.isdisjoint(queries.filter(pl.col("fold") == fold)["query_id"])
