"""Chooses how deep to rerank and how to weigh what was never labelled, on the held-out draws of an iteration.

Writes runs/ITERATION/calibration/, which push-models sends along with the reranker of split=full.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from inference.fusion.calibration import Calibration, Fitted, describe_calibration, write_calibration
from shared.artifacts.files import replacing_folder, write_json
from shared.artifacts.lineage import Lineage
from shared.artifacts.manifest import write_manifest
from shared.task.current import TASK
from training.analysis.calibrate.choose import Chooser, grid, leave_one_out
from training.analysis.calibrate.read_draws import read_draws
from training.analysis.console import open_console


def calibrate(iteration: Path) -> Calibration:
    """Fill `iteration`/calibration with calibration.json and figures.json, and print what it gains.

    Raises ValueError for fewer than two evaluated draws, or some that do not belong together.
    """
    draws = read_draws(iteration)
    chooser = Chooser(draws, *grid(draws))
    figures = leave_one_out(chooser)
    point, tail_offset = chooser.choose(np.ones(len(draws.rows.draw), bool))
    calibration = Calibration(
        retrieved=max(draws.retrieved, point.depth, TASK.metric.depth),  # a small catalogue has fewer
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


def _print_table(figures: Sequence[dict], title: str) -> None:
    table = Table("pool", "ranking", "draw", "seen", "unseen", "weighted", "gain (95 %)", "others chose", title=title)
    for facts in figures:
        before, after = facts["without"], facts["with"]
        parts = [
            f"{before[part]:.3f} -> {after[part]:.3f}" if part in before else "-"  # a draw may have no unseen rows
            for part in ("seen", "unseen", "weighted")
        ]
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
