"""Chooses how deep to rerank and how to weigh what was never labelled, on the held-out draws of an iteration.

Writes runs/ITERATION/calibration/, which push-models sends along with the reranker of split=full.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from rich.table import Table

from inference.fusion.calibration import Calibration, Fitted, describe_calibration, write_calibration
from shared.artifacts.files import replacing_folder, write_json
from shared.artifacts.lineage import Lineage, read_lineage
from shared.artifacts.manifest import digest, write_manifest
from shared.task.folds import seen_ids
from shared.task.splits import DRAWS
from shared.task.tables import CANDIDATES, MISCONCEPTIONS, PAIR, POOLS, QUERIES, RANKED
from training.analysis.calibrate.choose import Chooser, Draws, grid, labelled_share, leave_one_out
from training.analysis.calibrate.replay import Rows, join_rows, rows_of
from training.analysis.report.terminal import open_console
from training.pipeline.plan import outdated


def calibrate(iteration: Path) -> Calibration:
    """Fill `iteration`/calibration with calibration.json and figures.json, and print what it gains.

    Raises ValueError for fewer than two evaluated draws, or some that do not belong together.
    """
    draws = read_draws(iteration)
    chooser = Chooser(draws, *grid(draws))
    figures = leave_one_out(chooser)
    point, tail_offset = chooser.choose(np.ones(len(draws.rows.draw), bool))
    calibration = Calibration(
        retrieved=max(draws.retrieved, point.depth),
        **point._asdict(),
        tail_offset=tail_offset,
        labelled=draws.labelled,
        fitted=Fitted(iteration=iteration.name, splits=draws.digests),
    )
    _print_table(figures, f"{iteration.name}: without -> with calibration, each draw with what the other draws chose")
    print(f"chosen among {len(chooser.points):,} settings on all draws: {describe_calibration(calibration)}")
    for name, value, most in (("depth", point.depth, draws.depth), ("extra", point.extra, draws.extra)):
        if value == most > 0:
            print(f"evaluate.{name}={most} is all that was scored, and all of it is taken: a higher one may gain more")
    _publish(iteration / "calibration", calibration, figures)
    return calibration


def read_draws(iteration: Path) -> Draws:
    """The evaluated draws under `iteration`. Raises ValueError as `calibrate` does."""
    names = tuple(name for name in DRAWS if (iteration / name / "evaluate" / "manifest.json").is_file())
    if len(names) < 2:
        missing = next(name for name in DRAWS if name not in names)
        raise ValueError(
            f"calibrate needs two evaluated draws of {', '.join(DRAWS)}, and {iteration} has {len(names)}: "
            f"just train iter={iteration.name.removeprefix('iter')} split={missing}"
        )
    parts, common, seen = {pool: [] for pool in POOLS}, [], []
    for number, name in enumerate(names):
        folder = iteration / name
        if why := outdated(folder):
            raise ValueError(f"{why}: `just train` that split again")
        section = read_lineage(folder / "evaluate", "settings").settings["evaluate"]
        if "extra" not in section:
            raise ValueError(f"{folder}/evaluate was made before there were extra candidates: evaluate it again")
        queries = QUERIES.read(folder / "prepare")
        catalogue = MISCONCEPTIONS.read(folder / "prepare")["misconception_id"]
        labelled = tuple(queries["misconception_id"].drop_nulls().unique().sort())
        seen.append(len(seen_ids(queries)))
        common.append(
            (labelled, len(catalogue), *(section[key] for key in ("pool", "depth", "extra", "unseen_weight")))
        )
        for pool, rows in _read_rows(folder / "evaluate", number, queries, labelled, section["pool"]).items():
            parts[pool].append(rows)
            if rows.seen.all() or not rows.seen.any():
                raise ValueError(f"all validation rows of {folder} are alike, seen or unseen: hold out another share")
        if common[-1] != common[0]:
            raise ValueError(
                f"{folder} and {iteration / names[0]} were evaluated on other data or with another pool, depth, extra "
                "or unseen_weight: train both with the same"
            )
    rows = {pool: join_rows(parts[pool]) for pool in POOLS}
    share = labelled_share(sum(seen) / len(seen), len(labelled), len(catalogue))
    digests = {name: digest(iteration / name / "evaluate") for name in names}
    sizes = (section[key] for key in ("pool", "depth", "extra"))
    return Draws(names, digests, rows, labelled, share, *sizes, section["unseen_weight"])


def _read_rows(
    folder: Path, number: int, queries: pl.DataFrame, labelled: tuple[int, ...], kept: int
) -> dict[str, Rows]:
    candidates = CANDIDATES.read(folder)
    scores = RANKED.read(folder).select(*PAIR, "rerank_score")
    ranked = candidates.join(scores, on=PAIR, how="left", maintain_order="left")
    whole = ranked.filter(pl.col("rank") <= kept)  # what was kept below that belongs to the other pool
    every = whole["misconception_id"].unique().to_list()
    seen = seen_ids(queries)
    return {
        "labelled": rows_of(number, queries, ranked, labelled, seen),
        "catalogue": rows_of(number, queries, whole, every, seen),
    }


def _print_table(figures: Sequence[dict], title: str) -> None:
    table = Table("pool", "ranking", "draw", "seen", "unseen", "weighted", "gain (95 %)", "others chose", title=title)
    for facts in figures:
        before, after = facts["without"], facts["with"]
        parts = [f"{before[part]:.3f} -> {after[part]:.3f}" for part in ("seen", "unseen", "weighted")]
        gain = f"{facts['gain']:+.4f} ({facts['low']:+.4f} to {facts['high']:+.4f})"
        table.add_row(facts["pool"], facts["ranking"], facts["draw"], *parts, gain, facts["chosen"])
        if facts["draw"] == "all":
            table.add_section()
    open_console(170).print(table)


def _publish(folder: Path, calibration: Calibration, figures: list[dict]) -> None:
    """Put the folder in place whole."""
    with replacing_folder(folder) as partial:
        write_calibration(calibration, partial)
        write_json(partial / "figures.json", figures)
        lineage = Lineage(stage="calibrate", **calibration.fitted.model_dump())
        write_manifest(partial, lineage.record())
    print(f"written to {folder}")
