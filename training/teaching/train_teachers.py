"""Trains the teachers: a reranker for each part of the training rows, which has learnt nothing of that part.

Each has a folder of its own in the stage's output, and a checkpoint of its own beside it, so that a stage that was
killed goes on in the teacher that it was at.
"""

import gc
from dataclasses import replace

import polars as pl

from inference.engines.distributed import rank
from shared.task.tables import CANDIDATES, GROUPS, LESSONS
from training.mining.groups import make_groups
from training.run_folder.stage_context import StageContext
from training.run_folder.teachers import PARTS, teacher_of, training_of
from training.teaching.parts import cut_parts, leave_out
from training.trainer.train import train_reranker


def train_teachers(context: StageContext) -> None:
    """Fill context.out with an adapter for each teacher and epoch, the table PARTS, and LESSONS: who learnt what."""
    settings = context.settings.model_copy(update={"train_reranker": training_of(context.settings)})
    queries, misconceptions = context.texts()
    section, candidates = settings.train_teachers, context.read(CANDIDATES, "mine_for_reranker")
    part_of = cut_parts(queries, misconceptions, section.parts, section.seed)
    learnt = []
    for part in range(section.parts):
        name = teacher_of(part)
        groups = _groups(context, part_of, part)
        if rank() == 0:
            print(f"{name}: learns from {groups['query_id'].n_unique()} of {len(part_of)} rows", flush=True)
        train_reranker(replace(context, settings=settings, out=context.out / name), groups, candidates, measure=False)
        gc.collect()  # a model and its adapters refer to each other, and the next one needs their memory
        learnt += [(name, query_id) for query_id in groups["query_id"].unique().sort()]
    if rank() == 0:
        table = pl.DataFrame(learnt, schema=["student", "query_id"], orient="row")
        known = queries.select("query_id", "question_id")
        context.write(table.join(known, on="query_id", how="left", maintain_order="left"), LESSONS)
        context.write(pl.DataFrame(sorted(part_of.items()), schema=PARTS.schema, orient="row"), PARTS)


def _groups(context: StageContext, part_of: dict[str, int], part: int) -> pl.DataFrame:
    """The groups that the teacher of `part` learns from: mined as if the part had been held out.

    A row is left out where fewer candidates were kept than it needs. Raises ValueError where no row is left.
    """
    if context.settings.train_teachers.parts == 1:
        return context.read(GROUPS, "mine_for_reranker")
    (queries, misconceptions), settings = context.texts(), context.settings
    rows, hidden = leave_out(queries, misconceptions, part_of, part, settings.prepare.similar)
    found = context.read(CANDIDATES, "mine_for_reranker").filter(~pl.col("misconception_id").is_in(sorted(hidden)))
    if not rows.drop_nulls("misconception_id").is_empty():
        groups = make_groups(found, rows, misconceptions, settings.mine_for_reranker, lenient=True)
        if not groups.is_empty():
            return groups
    raise ValueError(
        f"train_teachers.parts={settings.train_teachers.parts}: the teacher of part {part} has no row to learn from: "
        "take more parts, keep more candidates (mine_for_reranker.kept), or lower mine_for_reranker.count"
    )
