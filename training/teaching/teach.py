"""Has a reranker score the groups that were mined: the stages teach_embedder and teach_reranker."""

import polars as pl

from inference.engines.distributed import rank
from inference.engines.serving import Serving
from inference.machine.profiles import load_profile
from shared.settings.sections import Teach
from shared.task.tables import GROUPS, TAUGHT
from training.run_folder.stage_context import StageContext
from training.teaching.teacher_scores import drop_likely_right, positive_mass, score_groups


def teach(context: StageContext, model: str) -> None:
    """Fill context.out with the table TAUGHT of the groups of `model`, "embedder" or "reranker"."""
    section: Teach = getattr(context.settings, f"teach_{model}")
    queries, misconceptions = context.texts()
    groups = context.read(GROUPS, f"mine_for_{model}")
    serving = Serving(section.engine, load_profile(context.settings.machine.profile))
    taught = score_groups(queries, misconceptions, groups, context.previous("merge_reranker"), serving)
    if rank() == 0:
        print(f"the teacher gives the right answers {positive_mass(taught):.3f} of its softmax over a group")
        context.write(_without_likely_right(taught, section), TAUGHT)


def _without_likely_right(taught: pl.DataFrame, section: Teach) -> pl.DataFrame:
    if section.margin is None:
        return taught
    left = drop_likely_right(taught, section.margin, section.least)
    print(f"{len(taught) - len(left)} of {len(taught)} rows dropped: the teacher may take them for right answers")
    return left
