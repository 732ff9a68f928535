"""Finds the best ranking that needed no training, which every trained one has to beat, and names who mined."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from shared.artifacts.manifest import digest, is_whole
from shared.settings.load import RUNS, read_settings
from shared.settings.sections import Evaluate, Settings
from shared.task.current import TASK
from shared.task.metrics import interval, resample_maps

UNTRAINED = ("popularity", "bm25", "untrained")  # rankings of RANKS; the miner is another where no iteration precedes


@dataclass(frozen=True)
class Baseline:
    """A ranking that needed no training: its name for people, its rows of RANKS for every run, its weighted figure."""

    name: str
    tables: list[pl.DataFrame]
    figure: float  # averaged over the runs; of all pairs where they are not both seen and unseen


def name_miner(settings: Settings) -> str:
    """Who mined for this iteration: `models/minilm, untrained` or `demo0's embedder`."""
    return f"{settings.miner.base}, untrained" if settings.miner else f"{settings.iteration.previous}'s embedder"


def best_untrained(runs: list[Path], pool: str) -> Baseline | None:
    """The best of popularity, BM25, the untrained embedder, and the untrained miner of the first iteration.

    `runs` are one iteration's evaluated splits. The best has the highest weighted figure, averaged over them. What only
    some of them have is left out, and so is a first iteration that held out other data or is not evaluated.
    """
    names = {name: _name(name, runs[0]) for name in UNTRAINED}
    found = [(names[name], tables) for name in names if (tables := _rows(runs, name, pool))]
    first = [run for run in map(_first, runs) if run]
    if len(first) == len(runs) and (tables := _rows(first, "miner", pool)):
        found.append((f"{read_settings(first[0]).miner.base} (the first miner, untrained)", tables))
    weight = read_settings(runs[0]).evaluate.unseen_weight
    all_of_them = [Baseline(name, tables, float(_maps(tables, weight, 1)[:, 0].mean())) for name, tables in found]
    return max(all_of_them, key=lambda one: one.figure, default=None)


def describe_best(runs: list[Path], pool: str, ranking: str = "reranked") -> str:
    """A sentence: the best without training, and by how much `ranking` is better; "" where one of them is missing."""
    best, tables = best_untrained(runs, pool), _rows(runs, ranking, pool)
    if best is None or not tables:
        return ""
    before, after, difference, low, high = difference_from(best, tables, read_settings(runs[0]).evaluate)
    return (
        f"best without training, {pool} pool: {best.name}, {before:.3f}; {ranking} has {after:.3f}, which is "
        f"{difference:+.3f} (95 %: {low:+.3f} to {high:+.3f})"
    )


def describe_reranking(runs: list[Path], pool: str) -> str:
    """A sentence where the reranker made the order worse than as retrieved, with what to do; "" where it did not."""
    retrieved, reranked = (_rows(runs, ranking, pool) for ranking in ("retrieved", "reranked"))
    if not retrieved or not reranked:
        return ""
    how = read_settings(runs[0]).evaluate
    before, after, difference, low, high = difference_from(Baseline("retrieved", retrieved, 0.0), reranked, how)
    if high >= 0:
        return ""
    return (
        f"the reranker makes the order worse, {pool} pool: {before:.3f} as retrieved, {after:.3f} as reranked, "
        f"{difference:+.3f} (95 %: {low:+.3f} to {high:+.3f}): let `./just calibrate` weigh both, or predict with "
        "--depth 1, which keeps the order as retrieved"
    )


def difference_from(
    best: Baseline, tables: list[pl.DataFrame], settings: Evaluate
) -> tuple[float, float, float, float, float]:
    """(best, `tables`, their difference, low, high): weighted figures as Baseline has them, with a paired interval."""
    maps = _maps([*best.tables, *tables], settings.unseen_weight, settings.bootstrap)
    before, after = maps[: len(best.tables)].mean(0), maps[len(best.tables) :].mean(0)
    return float(before[0]), float(after[0]), float(after[0] - before[0]), *interval(after - before)


def _name(ranking: str, run: Path) -> str:
    if ranking == "untrained":
        return f"{read_settings(run).embedder.base}, untrained"
    return {"popularity": "popularity, which reads no text", "bm25": "BM25"}[ranking]


def _rows(runs: list[Path], ranking: str, pool: str) -> list[pl.DataFrame]:
    """One ranking's rows of RANKS of every run; [] where a run has none."""
    mine = pl.col("pool") == pool, pl.col("ranking") == ranking
    tables = [TASK.tables.ranks.read(run / "evaluate").filter(*mine) for run in runs]
    return [] if any(table.is_empty() for table in tables) else tables


def _first(run: Path) -> Path | None:
    """The same split of the iteration that the chain begins with; None where it is not evaluated on the same rows."""
    folder, settings = run, read_settings(run)
    while settings.iteration.previous:
        folder = RUNS / settings.iteration.previous / run.name
        if not (folder / "settings.json").is_file():
            return None
        settings = read_settings(folder)
    whole = is_whole(folder / "evaluate") and digest(folder / "prepare") == digest(run / "prepare")
    return folder if whole else None


def _maps(tables: list[pl.DataFrame], unseen_weight: float, resamples: int) -> np.ndarray:
    maps = resample_maps(tables, unseen_weight=unseen_weight, resamples=resamples)
    return maps.get("weighted", maps["all"])
