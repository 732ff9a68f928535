"""Chooses a calibration on held-out draws, the simplest within the noise, and measures it on the draw left out.

R rows (validation queries of all draws), N candidates of each, P points (calibrations)

The objective is the weighted MAP@25 of both pools, mixed so that an id that nobody labelled deserves as much in advance
as it does in the hidden test (`labelled_share`). In the labelled pool few such ids share the unseen pairs, so the best
offset is too high for the test; in the catalogue, most of whose never-labelled ids cannot be right here, it is too low.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from shared.task.current import TASK
from shared.task.metrics import interval, resample_means
from training.analysis.calibrate.replay import Point, Rows, replay, replay_retrieval

DEPTHS = (10, 15, 20, 25, 35, 50, 75, 100, 150)
EXTRAS = (0, 3, 5, 10, 15, 25)
BLENDS = (0.0, 0.1, 0.25, 0.5, 1.0)  # of the ratio of the spreads of both scores within a query
OFFSETS = (-0.5, -0.25, 0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)  # in spreads of the score
ROUNDING = 1e-6  # of a mean of 32-bit numbers: points that score the same on every row are the same
NOISE = 1.0  # standard errors of the difference from the best point, within which the simplest one is taken


class Choice(NamedTuple):
    point: Point
    tail_offset: float


@dataclass(frozen=True)
class Draws:
    """What the evaluated draws of an iteration left behind."""

    names: tuple[str, ...]
    digests: dict[str, str]  # of their evaluations
    pools: dict[str, Rows]  # "labelled" and "catalogue": the same rows, other candidates
    labelled: tuple[int, ...]  # every id that a row of train.csv carries
    labelled_share: float  # of the labelled pool in what is maximised; the catalogue has the rest
    retrieved: int  # candidates of a query that were kept,
    depth: int  # how many of them were reranked,
    extra: int  # and how many never-labelled ones behind those
    unseen_weight: float | None

    @property
    def rows(self) -> Rows:
        """The rows of the headline pool."""
        return self.pools["labelled"]


def labelled_share(seen: float, labelled: int, catalogue: int) -> float:
    """The labelled pool's share in the objective, from the numbers of ids: in a training fold, in train.csv, in all.

    The odds that a given never-labelled id is right, against a given seen one, go with seen ids / never-labelled ids of
    the pool; an offset of logits acts on their logarithm, so the pools are mixed on that scale. 576 ids in training of
    962 in train.csv and 2,587 in all: log(576 / 386) = 0.40 in the labelled pool, log(576 / 2011) = -1.25 in the
    catalogue, and log(962 / 1625) = -0.52 when all of train.csv is trained on, 0.44 of the way up.
    """
    if labelled == catalogue or seen >= labelled:
        return 1.0  # the pools are the same, or the labelled one has no id that the training fold has not
    near, wide, test = (
        math.log(trained / (pool - trained))
        for trained, pool in ((seen, labelled), (seen, catalogue), (labelled, catalogue))
    )
    return min(max((test - wide) / (near - wide), 0.0), 1.0)


def grid(draws: Draws) -> tuple[list[Point], list[float]]:
    """The points and the tail offsets, simplest first; none asks for a score that the evaluation did not save.

    Simplest: the fewest of extra, blend and offset in use, then the fewest candidates reranked, then the smallest
    values.
    """
    rerank, retrieval = (_spread(scores[:, : draws.depth]) for scores in (draws.rows.rerank, draws.rows.retrieval))
    points = [
        Point(depth, extra, _short(blend * rerank / retrieval), _short(offset * rerank))
        for depth in {*(depth for depth in DEPTHS if depth <= draws.depth), min(TASK.metric.depth, draws.depth)}
        for extra in EXTRAS
        for blend in BLENDS
        for offset in OFFSETS
        if extra <= draws.extra
    ]
    points.sort(key=lambda point: (sum(map(bool, point[1:])), point.depth + point.extra, *map(abs, point), point[3]))
    return points, sorted((_short(offset * retrieval) for offset in OFFSETS), key=lambda offset: (abs(offset), offset))


class Chooser:
    """Chooses among the points, again and again: what each scores on each row is computed once for a tail offset."""

    def __init__(self, draws: Draws, points: Sequence[Point], tails: Sequence[float]):
        self.draws, self.points, self.tails = draws, points, tails
        self.retrieved = self._mix(lambda rows: replay_retrieval(rows, tails))
        self.reranked: dict[float, np.ndarray] = {}

    def choose(self, keep: np.ndarray) -> Choice:
        """What is best on the rows `keep` [R], or the simplest that cannot be told from it."""
        rows, weight = self.draws.rows.take(keep), self.draws.unseen_weight
        tail = self.tails[simplest(self.retrieved[:, keep], rows, weight)]
        if tail not in self.reranked:
            self.reranked[tail] = self._mix(lambda rows: replay(rows, self.points, tail))
        return Choice(self.points[simplest(self.reranked[tail][:, keep], rows, weight)], tail)

    def _mix(self, precisions: Callable[[Rows], np.ndarray]) -> np.ndarray:
        shares = {"labelled": self.draws.labelled_share, "catalogue": 1 - self.draws.labelled_share}
        return sum(
            np.float32(share) * precisions(self.draws.pools[name]).astype(np.float32)
            for name, share in shares.items()
            if share
        )


def simplest(precisions: np.ndarray, rows: Rows, unseen_weight: float | None) -> int:
    """The first of the points, of precisions [P, R], that is within NOISE standard errors of the best.

    The error is that of the difference between the two, over questions: the rows of one, in whichever draw, move
    together.
    """
    weights = _weights(rows.seen, unseen_weight).astype(np.float32)
    means = precisions @ weights
    delta = precisions[means.argmax()] - precisions
    for part in (rows.seen, ~rows.seen) if unseen_weight is not None else (np.ones_like(rows.seen),):
        if part.any():
            delta[:, part] -= delta[:, part].mean(1, keepdims=True)
    order = np.argsort(rows.question, kind="stable")
    starts = np.unique(rows.question[order], return_index=True)[1]
    by_question = np.add.reduceat((delta * weights)[:, order], starts, axis=1)
    errors = np.sqrt(np.square(by_question).sum(1))
    return int(np.argmax(means.max() - means <= NOISE * errors + ROUNDING))


def leave_one_out(chooser: Chooser) -> list[dict]:
    """Figures of every draw with what the other draws chose on questions that it does not have, and of all together.

    Raises ValueError where the draws share so many questions that no seen or no unseen row is left to choose by. Each
    is {"draw", "pool", "ranking", "chosen", "without" and "with": {"all", "seen", "unseen", "weighted"}, "gain",
    "low", "high"}: MAP@25, and 95 % of the weighted gain when whole questions are drawn again.
    """
    draws, base = chooser.draws, chooser.draws.rows
    plain = min(
        (point for point in chooser.points if not any(point[1:])),
        key=lambda point: abs(point.depth - TASK.metric.depth),
    )
    tables = {name: np.zeros((2, len(base.draw))) for name in (*draws.pools, "retrieved")}
    chosen = []
    for number in range(len(draws.names)):
        out = base.draw == number
        others = ~np.isin(base.question, base.question[out])
        if len(np.unique(base.seen[others])) < (2 if draws.unseen_weight is not None else 1):
            raise ValueError(
                f"without the questions of {draws.names[number]} too few rows are left: train another draw"
            )
        choice = chooser.choose(others)
        for pool, rows in draws.pools.items():
            tables[pool][:1, out] = replay(rows.take(out), [plain], 0.0)
            tables[pool][1:, out] = replay(rows.take(out), [choice.point], choice.tail_offset)
        tables["retrieved"][:, out] = replay_retrieval(base.take(out), [0.0, choice.tail_offset])
        chosen.append(choice)
    figures = []
    for name, table in tables.items():
        pool, ranking = ("labelled", "retrieved") if name == "retrieved" else (name, "reranked")
        for number, draw in enumerate((*draws.names, "all")):
            keep = (base.draw == number) | (draw == "all")
            words = "" if draw == "all" else _words(chosen[number], ranking)
            facts = {"draw": draw, "pool": pool, "ranking": ranking, "chosen": words}
            figures.append(facts | _gain(table[:, keep], base.take(keep), draws.unseen_weight))
    return figures


def _spread(scores: np.ndarray) -> float:
    """Standard deviation within a query, of the scores that there are."""
    known = np.where(np.isfinite(scores), scores, np.nan)
    return float(np.sqrt(np.nanmean(np.nanvar(known, axis=1))))


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _weights(seen: np.ndarray, unseen_weight: float | None) -> np.ndarray:
    """What each row counts in the weighted mean of seen and unseen rows, or in the plain mean without a weight."""
    if unseen_weight is None:
        return np.full(len(seen), 1 / len(seen))
    counts = np.where(seen, max(seen.sum(), 1), max((~seen).sum(), 1))
    return np.where(seen, 1 - unseen_weight, unseen_weight) / counts


def _gain(pair: np.ndarray, rows: Rows, unseen_weight: float | None) -> dict:
    """Figures of two lists of precisions [2, R], without and with."""
    tables = [
        pl.DataFrame({"question_id": rows.question, "seen": rows.seen, "figure": precisions}) for precisions in pair
    ]
    maps = resample_means(tables, unseen_weight=unseen_weight)
    without, with_ = ({part: float(maps[part][side, 0]) for part in maps} for side in (0, 1))
    gains = maps["weighted"][1] - maps["weighted"][0]
    low, high = interval(gains)
    return {"without": without, "with": with_, "gain": float(gains[0]), "low": low, "high": high}


def _words(choice: Choice, ranking: str) -> str:
    point = choice.point
    if ranking == "retrieved":
        return f"tail offset {choice.tail_offset:g}"
    return f"depth {point.depth}, extra {point.extra}, blend {point.blend:g}, offset {point.offset:g}"
