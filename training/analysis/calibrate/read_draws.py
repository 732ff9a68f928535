"""Reads what the evaluated draws of an iteration left behind, and refuses draws that do not belong together."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from shared.artifacts.lineage import read_lineage
from shared.artifacts.manifest import digest, is_whole
from shared.task.current import TASK
from shared.task.folds import labels_of, seen_ids
from shared.task.splits import DRAWS
from shared.task.tables import CANDIDATES, PAIR, POOLS, RANKED
from training.analysis.calibrate.choose import Draws, labelled_share
from training.analysis.calibrate.replay import Rows, join_rows, rows_of
from training.run_folder.freshness import outdated


class _Evaluation(NamedTuple):
    """What has to be the same in all draws."""

    labelled: tuple[int, ...]  # every id that a row of train.csv carries
    catalogue: int  # ids in all
    retrieved: int  # candidates kept of a query
    depth: int  # candidates reranked of a query
    extra: int  # candidates that nobody labelled, scored behind those
    unseen_weight: float | None


@dataclass(frozen=True)
class _Draw:
    evaluation: _Evaluation
    seen: int  # ids in the training fold
    pools: dict[str, Rows]


def read_draws(iteration: Path) -> Draws:
    """The evaluated draws under `iteration`.

    Raises ValueError for fewer than two of them, and for some that are outdated or do not belong together.
    """
    names = tuple(name for name in DRAWS if is_whole(iteration / name / "evaluate"))
    if len(names) < 2:
        missing = next(name for name in DRAWS if name not in names)
        raise ValueError(
            f"calibrate needs two evaluated draws of {', '.join(DRAWS)}, and {iteration} has {len(names)}: "
            f"just train iter={iteration.name.removeprefix('iter')} split={missing}"
        )
    draws = [_read_draw(iteration / name, number) for number, name in enumerate(names)]
    common = draws[0].evaluation
    for name, draw in zip(names, draws, strict=True):
        if draw.evaluation != common:
            raise ValueError(
                f"{iteration / name} and {iteration / names[0]} were evaluated on other data or with another pool, "
                "depth, extra or unseen_weight: train both with the same"
            )
    seen = sum(draw.seen for draw in draws) / len(draws)
    return Draws(
        names=names,
        digests={name: digest(iteration / name / "evaluate") for name in names},
        pools={pool: join_rows([draw.pools[pool] for draw in draws]) for pool in POOLS},
        labelled=common.labelled,
        labelled_share=labelled_share(seen, len(common.labelled), common.catalogue),
        retrieved=common.retrieved,
        depth=common.depth,
        extra=common.extra,
        unseen_weight=common.unseen_weight,
    )


def _read_draw(run: Path, number: int) -> _Draw:
    if why := outdated(run):
        raise ValueError(f"{why}: `just train` that split again")
    section = read_lineage(run / "evaluate", "settings").settings["evaluate"]
    if "extra" not in section:
        raise ValueError(f"{run}/evaluate was made before there were extra candidates: evaluate it again")
    queries = TASK.tables.queries.read(run / "prepare")
    evaluation = _Evaluation(
        labelled=tuple(labels_of(queries)["misconception_id"].unique().sort()),
        catalogue=len(TASK.tables.misconceptions.read(run / "prepare")),
        retrieved=section["pool"],
        depth=section["depth"],
        extra=section["extra"],
        unseen_weight=section["unseen_weight"],
    )
    pools = _read_pools(run / "evaluate", number, queries, evaluation)
    for rows in pools.values():
        if evaluation.unseen_weight is not None and (rows.seen.all() or not rows.seen.any()):
            raise ValueError(f"all validation rows of {run} are alike, seen or unseen: hold out another share")
    return _Draw(evaluation, len(seen_ids(queries)), pools)


def _read_pools(folder: Path, number: int, queries: pl.DataFrame, evaluation: _Evaluation) -> dict[str, Rows]:
    candidates = CANDIDATES.read(folder)
    scores = RANKED.read(folder).select(*PAIR, "rerank_score")
    ranked = candidates.join(scores, on=PAIR, how="left", maintain_order="left")
    # What was kept below that rank belongs to the other pool.
    whole = ranked.filter(pl.col("rank") <= evaluation.retrieved)
    every = whole["misconception_id"].unique().to_list()
    seen = seen_ids(queries)
    return {
        "labelled": rows_of(number, queries, ranked, evaluation.labelled, seen),
        "catalogue": rows_of(number, queries, whole, every, seen),
    }
