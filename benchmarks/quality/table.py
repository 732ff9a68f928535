"""Prints what the arms of plans reached: means over the draws and seeds, and paired differences to the first arm.

python -m benchmarks.quality.table OUT PLAN [PLAN ...]
"""

import json
import statistics
import sys
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks.quality.plans import Plan, read_plan, result_path
from shared.settings.sections import Evaluate
from shared.task.metrics import interval, resample_maps
from shared.task.tables import POOLS
from training.analysis.cv import PARTS, measure_draws
from training.analysis.sensitivity import sensitivity_table

HOW = {"unseen_weight": Evaluate().unseen_weight, "resamples": Evaluate().bootstrap}
RANKINGS = ("retrieved", "reranked")


def main(out: Path, names: list[str]) -> None:
    """Print the tables of every plan."""
    console = Console(width=170)
    for plan in map(read_plan, names):
        if plan.until == "train_embedder":
            console.print(_epochs(plan, out))
            continue
        for pool in POOLS:
            for ranking in RANKINGS:
                console.print(_ranked(plan, out, pool, ranking, "ranks.parquet"))
        if plan.blank:
            console.print(_ranked(plan, out, POOLS[1], "reranked", "blanked.parquet"))
        for arm in plan.arms:
            if tables := [pl.read_parquet(path) for path in _there(plan, out, arm, "siblings.parquet").values()]:
                console.print(sensitivity_table(f"{plan.name}: {arm}", tables, POOLS[0], HOW["resamples"]))


def _there(plan: Plan, out: Path, arm: str, kind: str) -> dict[tuple[str, str], Path]:
    """The results of a kind that are there, by split and seed."""
    pairs = [(split, seed) for seed in plan.seeds for split in plan.splits]
    paths = {pair: Path(f"{result_path(out, plan, arm, *pair)}.{kind}") for pair in pairs}
    return {pair: path for pair, path in paths.items() if path.exists()}


def _ranked(plan: Plan, out: Path, pool: str, ranking: str, kind: str) -> Table:
    first = next(iter(plan.arms))
    title = f"{plan.name}, {kind.partition('.')[0]}: {ranking}, {pool} pool"
    table = Table("arm", "draws", *PARTS, f"weighted, difference to {first} (95 %)", "seen", "unseen", title=title)
    for arm in plan.arms:
        paths = _there(plan, out, arm, kind)
        if not paths:
            continue
        tables = {pair: _only(path, pool, ranking) for pair, path in paths.items()}
        figures = measure_draws(list(tables.values()), **HOW)
        cells = ["{:.3f} ({:.3f}-{:.3f})".format(*figures[part][:3]) if part in figures else "-" for part in PARTS]
        known = _there(plan, out, first, kind)
        shared = [pair for pair in tables if pair in known] if arm != first else []
        if shared:
            before, after = [_only(known[pair], pool, ranking) for pair in shared], [tables[pair] for pair in shared]
            cells += _differences(before, after)
        table.add_row(arm, str(len(tables)), *cells)
    return table


def _differences(before: list[pl.DataFrame], after: list[pl.DataFrame]) -> list[str]:
    """The weighted figure's difference with its interval, then that of seen and of unseen pairs."""
    maps, cells = resample_maps([*before, *after], **HOW), []
    for part in ("weighted", "seen", "unseen"):
        difference = maps[part][len(before) :].mean(0) - maps[part][: len(before)].mean(0) if part in maps else None
        low, high = (0, 0) if difference is None else interval(difference)
        cells.append("-" if difference is None else f"{difference[0]:+.3f} ({low:+.3f} to {high:+.3f})")
    return cells


def _only(path: Path, pool: str, ranking: str) -> pl.DataFrame:
    return pl.read_parquet(path).filter(pl.col("pool") == pool, pl.col("ranking") == ranking)


def _epochs(plan: Plan, out: Path) -> Table:
    table = Table("arm", "draws", "epoch", "all", "seen", "unseen", "recall", title=f"{plan.name}: the whole catalogue")
    for arm in plan.arms:
        found = [json.loads(path.read_text("utf-8")) for path in _there(plan, out, arm, "metrics.json").values()]
        for epoch in range(len(found[0]) if found else 0):
            cells = [f"{statistics.mean(one[epoch][part]['map@25'] for one in found):.3f}" for part in PARTS[:3]]
            recall = statistics.mean(one[epoch]["all"]["recall@25"] for one in found)
            table.add_row(arm if not epoch else "", str(len(found)), str(epoch), *cells, f"{recall:.3f}")
    return table


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
