"""Has rerankers score the groups that were mined: the stages teach_embedder and teach_reranker."""

import gc
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl
import torch

from inference.engines.distributed import rank, wait_for_all
from inference.engines.serving import Serving
from inference.machine.profiles import load_profile
from shared.settings.load import RUNS
from shared.settings.sections import Teach
from shared.task.tables import GROUPS, PAIR, TAUGHT
from training.export.merge_models import merge_teacher
from training.run_folder.stage_context import StageContext
from training.run_folder.teachers import PARTS, Teachers, teachers_of
from training.teaching.teacher_scores import drop_likely_right, mean_scores, positive_mass, score_groups

Tables = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]  # queries, misconceptions, groups


def teach(context: StageContext, model: str) -> None:
    """Fill context.out with the table TAUGHT of the groups of `model`, "embedder" or "reranker"."""
    section: Teach = getattr(context.settings, f"teach_{model}")
    tables = (*context.texts(), context.read(GROUPS, f"mine_for_{model}"))
    serving = Serving(section.engine, load_profile(context.settings.machine.profile))
    if section.teacher == "previous":
        first = score_groups(*tables, context.previous("merge_reranker"), serving)
    else:
        first = _by_parts(context, tables, teachers_of(context, section.teacher), serving)
    more = [score_groups(*tables, RUNS / run / context.run.name / "merge_reranker", serving) for run in section.further]
    if rank() == 0:
        taught = mean_scores([first, *more])
        print(f"the teacher gives the right answers {positive_mass(taught):.3f} of its softmax over a group")
        context.write(_without_likely_right(taught, section), TAUGHT)


def _by_parts(context: StageContext, tables: Tables, teachers: Teachers, serving: Serving) -> pl.DataFrame:
    """TAUGHT, each row scored by the teacher of its query's part."""
    queries, misconceptions, groups = tables
    parts, taught = PARTS.read(teachers.folder), []
    for part in sorted(set(parts["part"])):
        own = groups.join(parts.filter(part=part), on="query_id", how="semi", maintain_order="left")
        with _merged(context, teachers, part) as folder:
            taught.append(score_groups(queries, misconceptions, own, folder, serving))
    scores = pl.concat(taught).select(*PAIR, "teacher_score")
    assert len(scores) == len(groups), "a training row is in no part"
    return groups.join(scores, on=PAIR, how="left", maintain_order="left")


@contextmanager
def _merged(context: StageContext, teachers: Teachers, part: int) -> Iterator[Path]:
    """The folder of a teacher as one model, which the first process makes and takes away again."""
    folder = context.out / "teacher"
    if rank() == 0:
        folder.mkdir()
        where = replace(context, settings=teachers.settings, run=teachers.folder.parent, out=folder)
        merge_teacher(where, teachers.adapter(part))
        gc.collect()  # the models that proved it: an engine needs their memory
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
    wait_for_all()
    yield folder
    wait_for_all()
    if rank() == 0:
        shutil.rmtree(folder)


def _without_likely_right(taught: pl.DataFrame, section: Teach) -> pl.DataFrame:
    if section.margin is None:
        return taught
    left = drop_likely_right(taught, section.margin, section.least)
    print(f"{len(taught) - len(left)} of {len(taught)} rows dropped: the teacher may take them for right answers")
    return left
