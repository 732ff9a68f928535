"""Says whether one of two evaluated runs is better than the other, and how small a difference their split can show."""

from pathlib import Path

import numpy as np
import polars as pl

from shared.artifacts.manifest import digest, is_whole
from shared.settings.load import read_settings
from shared.task.current import TASK, use
from shared.task.metrics import interval, resample_maps
from shared.task.splits import DRAWS
from shared.task.tables import POOLS
from training.analysis.console import open_console
from training.analysis.sensitivity import read_siblings, sensitivity_differences
from training.analysis.untrained import describe_best
from training.run_folder.freshness import outdated
from training.run_folder.names import read_target


def compare(a: str, b: str, pool: str = POOLS[0]) -> int:
    """`a` and `b` are RUN or RUN:RANKING, RUN being a folder (runs/iter1/cv) or an iteration (all its draws).

    Prints both figures of weighted MAP@25, their difference with what holds 95 % of the paired resamples of the
    questions, the share of the resamples in which b is better, and half the width of that interval: a smaller
    difference is not told from none by these questions.
    """
    if pool not in POOLS:
        raise ValueError(f"pool={pool}: there are {', '.join(POOLS)}")
    pairs = find_common(*(text.partition(":")[0] for text in (a, b)))
    first = read_settings(pairs[0][0])
    use(first.task)
    settings = first.evaluate
    names = [text.partition(":")[2] or "reranked" for text in (a, b)]
    tables = [[_read(pair[side], pool, names[side]) for pair in pairs] for side in (0, 1)]
    found = paired_difference(*tables, unseen_weight=settings.unseen_weight, resamples=settings.bootstrap)
    before, after, difference, low, high, better = found
    console = open_console()
    for side, value in enumerate((before, after)):
        folders = ", ".join(str(pair[side]) for pair in pairs)
        console.print(f"{'ab'[side]}  {value:.4f}  {names[side]} of {folders}, {pool} pool", highlight=False)
    console.print(
        f"b - a  {difference:+.4f} (95 %: {low:+.4f} to {high:+.4f}) of weighted {TASK.metric.title}, {pool} pool; "
        f"b is better in {better:.0%} of the resamples\n"
        f"the smallest difference that {'these splits' if len(pairs) > 1 else 'this split'} can show: "
        f"{(high - low) / 2:.4f}",
        highlight=False,
    )
    for side in (0, 1):
        if said := describe_best([pair[side] for pair in pairs], pool, names[side]):
            console.print(f"{'ab'[side]}: {said}", highlight=False)
    for line in _sensitivity(pairs, pool, names, settings.bootstrap):
        console.print(line, highlight=False)
    return 0


def find_common(a: str, b: str) -> list[tuple[Path, Path]]:
    """The runs to compare: two folders, or two iterations' runs of every draw that both have evaluated.

    Raises ValueError where there is none, and where two runs hold out different data.
    """
    if ("/" in a) != ("/" in b):
        raise ValueError(f"a={a} b={b}: give two folders like runs/iter1/cv, or two iterations")
    if "/" in a:
        pairs = [(Path(a), Path(b))]
    else:
        folders = [read_target({"iter": text}, there=True).run.parent for text in (a, b)]
        pairs = [(folders[0] / split, folders[1] / split) for split in DRAWS]
        pairs = [pair for pair in pairs if all(is_whole(run / "evaluate") for run in pair)]
    if not pairs:
        raise ValueError(f"a={a} b={b}: no draw is evaluated in both; `just cv iter=N` evaluates all of them")
    for one, other in pairs:
        if digest(one / "prepare") != digest(other / "prepare"):
            raise ValueError(f"{one} and {other} hold out different data, so their figures cannot be compared")
    for run in (run for pair in pairs for run in pair):
        if why := outdated(run):
            raise ValueError(f"{why}: `just train` that split again")
    return pairs


def paired_difference(
    a: list[pl.DataFrame], b: list[pl.DataFrame], *, unseen_weight: float | None, resamples: int
) -> tuple[float, float, float, float, float, float]:
    """(a, b, b - a, low, high, share of the resamples where b is better, a tie being half) of weighted MAP@25.

    `a` and `b` are one ranking's rows of RANKS, a table for every draw; each resample draws the same questions for
    all of them, and the mean over the draws is taken within it.
    """
    maps = resample_maps([*a, *b], unseen_weight=unseen_weight, resamples=resamples)
    if "weighted" not in maps:
        raise ValueError("a run has no seen or no unseen pairs, so there is no weighted figure to compare")
    before, after = maps["weighted"][: len(a)].mean(0), maps["weighted"][len(a) :].mean(0)
    difference = after - before
    better = float(np.mean(difference[1:] > 0) + np.mean(difference[1:] == 0) / 2)
    return float(before[0]), float(after[0]), float(difference[0]), *interval(difference), better


def _sensitivity(pairs: list[tuple[Path, Path]], pool: str, names: list[str], resamples: int) -> list[str]:
    """What both sides read of the wrong answer; nothing where an older version evaluated a run."""
    tables = [[read_siblings(pair[side]) for pair in pairs] for side in (0, 1)]
    if any(table is None for side in tables for table in side):
        return []
    parts = [
        [table.filter(pl.col("pool") == pool, pl.col("ranking") == name) for table in side]
        for side, name in zip(tables, names, strict=True)
    ]
    lines = sensitivity_differences(*parts, resamples)
    return [f"answer sensitivity, {pool} pool, a -> b and their paired difference:", *lines] if lines else []


def _read(run: Path, pool: str, ranking: str) -> pl.DataFrame:
    ranks = TASK.tables.ranks.read(run / "evaluate")
    found = ranks.filter(pl.col("pool") == pool, pl.col("ranking") == ranking)
    if found.is_empty():
        raise ValueError(f"{run} has no ranking {ranking!r}; it has {', '.join(ranks['ranking'].unique().sort())}")
    return found
