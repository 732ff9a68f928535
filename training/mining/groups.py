"""Makes the groups of a training from what was retrieved: who competes, which negatives are drawn, who joins them."""

import polars as pl

from inference.retrieval.retrieve import restrict
from shared.settings.sections import Mine
from shared.task.folds import seen_ids, sibling_answers
from shared.task.tables import GROUPS, PAIR
from training.mining.hard_negatives import add_random, add_siblings, drop_twins, few_negatives, pick_negatives


def make_groups(
    found: pl.DataFrame, queries: pl.DataFrame, misconceptions: pl.DataFrame, section: Mine, *, lenient: bool = False
) -> pl.DataFrame:
    """The table GROUPS of the labelled training rows of `queries`, from the candidates `found`, as `section` says.

    Raises ValueError for a row with too few negatives to draw from; where it is `lenient`, such rows are left out.
    """
    labelled = queries.drop_nulls("misconception_id")
    negatives = seen_ids(queries) if section.negatives == "seen" else misconceptions["misconception_id"]
    easy = round(section.random * section.count)
    reach = len(misconceptions) if easy else section.highest
    near = drop_twins(restrict(found, negatives, reach), labelled, misconceptions)
    siblings = sibling_answers(labelled, misconceptions)
    hard = near.join(siblings, on=PAIR, how="anti", maintain_order="left") if section.siblings else near
    window = {"lowest": section.lowest, "highest": section.highest, "count": section.count - easy}
    if lenient:
        everywhere = window | {"highest": reach, "count": section.count}
        few = few_negatives(labelled, hard, **window) + few_negatives(labelled, hard, **everywhere)
        labelled = labelled.filter(~pl.col("query_id").is_in(few))
        if labelled.is_empty():
            return pl.DataFrame(schema=GROUPS.schema)
    groups = pick_negatives(labelled, hard, **window, seed=section.seed)
    groups = add_random(groups, labelled, hard, lowest=section.lowest, count=easy, seed=section.seed)
    return add_siblings(groups, siblings, near) if section.siblings else groups
