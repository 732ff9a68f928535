"""Trains and evaluates an iteration on every split that holds data out, and prints one table over all of them."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from shared.artifacts.manifest import is_whole
from shared.settings.load import read_settings
from shared.task.current import TASK
from shared.task.metrics import interval, resample_maps
from shared.task.splits import DRAWS
from shared.task.tables import POOLS
from training.analysis.console import open_console
from training.analysis.sensitivity import MEANING, read_siblings, sensitivity_table
from training.analysis.untrained import describe_best, describe_reranking, name_miner
from training.pipeline.train import train
from training.run_folder.freshness import outdated
from training.run_folder.names import Target

PARTS = ("all", "seen", "unseen", "weighted")


def cv(target: Target, draws: int, replace: bool = False) -> int:
    """Train what is not up to date of the first `draws` draws and of the split questions, then print the table."""
    for split in _splits(draws):
        if status := train(dataclasses.replace(target, split=split), replace=replace):
            return status
    return cv_table(target, draws)


def cv_table(target: Target, draws: int) -> int:
    """Print the table of the splits of `cv` that are evaluated, and name those that are not."""
    folder = target.run.parent
    runs = [folder / split for split in _splits(draws)]
    done = [run for run in runs if is_whole(run / "evaluate")]
    if not done:
        raise ValueError(f"no evaluated run in {', '.join(map(str, runs))}: `just cv iter={folder.name}` makes them")
    console = open_console()
    console.print(_table(folder.name, done))
    console.print(
        "±: standard deviation over the draws. In brackets: what holds 95 % of the resamples of the questions; a "
        "resample is applied to every draw, and the mean over the draws is taken within it.",
        highlight=False,
    )
    drawn = [run for run in done if run.name in DRAWS]
    for pool in POOLS if drawn else ():
        console.print(describe_best(drawn, pool), highlight=False)
        if said := describe_reranking(drawn, pool):
            console.print(said, highlight=False)
    console.print(f"miner: {name_miner(read_settings(done[0]))}", highlight=False)
    _print_sensitivity(console, folder.name, drawn)
    for run in runs:
        if run not in done:
            console.print(f"not evaluated: {run}", highlight=False)
        elif why := outdated(run):
            console.print(why, highlight=False)
    return 0


def measure_draws(
    tables: Sequence[pl.DataFrame], *, unseen_weight: float | None, resamples: int
) -> dict[str, tuple[float, float, float, float]]:
    """{part: (mean over the draws, low, high, standard deviation over the draws)} of one ranking's rows of RANKS.

    The draws share questions, so their errors are not independent: one resample of the questions is applied to every
    draw and the mean is taken within it; low and high hold 95 % of these means. With one draw the deviation is 0.
    """
    figures = {}
    for part, maps in resample_maps(tables, unseen_weight=unseen_weight, resamples=resamples).items():
        means = maps.mean(0)
        spread = float(np.std(maps[:, 0], ddof=1)) if len(maps) > 1 else 0.0
        figures[part] = (float(means[0]), *interval(means), spread)
    return figures


def _print_sensitivity(console: Console, name: str, runs: list[Path]) -> None:
    """A table over the draws that have it; nothing where none has."""
    found = [table for run in runs if (table := read_siblings(run)) is not None]
    if found:
        resamples = read_settings(runs[0]).evaluate.bootstrap
        console.print(sensitivity_table(f"{name}, {len(found)} of {len(DRAWS)} draws", found, POOLS[0], resamples))
        console.print(MEANING, highlight=False)


def _splits(draws: int) -> list[str]:
    return [*DRAWS[:draws], "questions"]


def _table(name: str, runs: list[Path]) -> Table:
    settings = read_settings(runs[0]).evaluate
    how = {"unseen_weight": settings.unseen_weight, "resamples": settings.bootstrap}
    ranks = {run.name: TASK.tables.ranks.read(run / "evaluate") for run in runs}
    columns = ("held out", "ranking", *PARTS, "weighted, whole catalogue")
    table = Table(*columns, title=f"{name}: {TASK.metric.title} among the labelled {TASK.entries}", show_lines=True)
    schemes = {"misconceptions": [split for split in ranks if split in DRAWS], "questions": ["questions"]}
    for scheme, splits in schemes.items():
        tables = [ranks[split] for split in splits if split in ranks]
        for ranking in tables[0]["ranking"].unique(maintain_order=True) if tables else ():
            figures = {
                pool: measure_draws([_only(one, pool, ranking) for one in tables], **how)
                for pool in tables[0]["pool"].unique()
            }
            cells = [_cell(figures["labelled"].get(part), len(tables)) for part in PARTS]
            last = _cell(figures["catalogue"].get("weighted"), len(tables))
            table.add_row(f"{scheme}, {len(tables)} draws" if len(tables) > 1 else scheme, ranking, *cells, last)
        table.add_section()
    return table


def _only(ranks: pl.DataFrame, pool: str, ranking: str) -> pl.DataFrame:
    return ranks.filter(pl.col("pool") == pool, pl.col("ranking") == ranking)


def _cell(figures: tuple[float, float, float, float] | None, draws: int) -> str:
    if figures is None:
        return "-"
    mean, low, high, spread = figures
    return f"{mean:.3f}" + (f" ±{spread:.3f}" if draws > 1 else "") + f"\n({low:.3f}-{high:.3f})"
