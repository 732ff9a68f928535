"""Reranks shard by shard within a time limit: after every shard the best order so far can be written.

The clock and the scoring come from outside, so that a thousand bad days can be played through in seconds.
"""

import math
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

import numpy as np

from inference.predict.budget import LEAST, Costs, RerankingStage, Shard, affordable, costs_of, plan_depths, seconds_for
from inference.predict.patience import ATTEMPTS, Patience

# The first shard is an eighth: how slow a machine is should be known early. So is one that is tried again.
PROBE = 8
PART = 0.25  # of the queries; for fewer a reranker is not loaded
PLANS = 100  # remembered for the log

Score = Callable[[np.ndarray, int, int], tuple[int, int]]


@dataclass(frozen=True)
class Limit:
    """When to be done, in seconds by `clock`."""

    end: float = math.inf
    clock: Callable[[], float] = time.monotonic

    def left(self) -> float:
        return self.end - self.clock()


@dataclass(frozen=True)
class OpenableReranker:
    """A reranker as the driver sees it; `size`, the bytes of its weights, foretells how slow it is beside another.

    `open` gives score(rows, first, last): it scores the candidates first + 1 to last of those rows, keeps the scores
    by itself, and returns the tokens of the queries and of the candidates.
    """

    name: str
    size: float
    open: Callable[[], AbstractContextManager[Score]]
    wanted: int | None = None  # candidates of a row that it reads at most; None: those of the work

    def most(self, work: "Work") -> int:
        return min(self.wanted or work.wanted, work.wanted)


@dataclass
class RerankingProgress:
    """How far one reranker came: candidates scored of every query [Q], its shards, its plans, and how it ended."""

    done: np.ndarray
    failures: np.ndarray  # how often it failed in a row's shard [Q]: such rows come last, and at most twice
    opened: bool = False
    start: float = 0.0  # seconds that opening took
    shards: list[Shard] = field(default_factory=list)
    plans: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)  # (rows scored by then, depths): changes
    ended: str = "not started"


@dataclass(frozen=True)
class Work:
    """Rows to rerank: how many each chunk has, candidates wanted of each, and the most rows of a shard."""

    chunks: tuple[int, ...]
    wanted: int
    rows_at_once: int


Publish = Callable[[Sequence[RerankingProgress], bool], float]


def rerank_in_time(
    rerankers: Sequence[OpenableReranker], work: Work, limit: Limit, publish: Publish
) -> list[RerankingProgress]:
    """Let the rerankers, one after the other, score as many candidates of every query as the limit allows.

    A shard lies in one chunk. Shards depend on the clock only where not everything can be scored in time.
    `publish(progress, final)` writes the best order so far where it thinks fit, and always if final; it returns the
    seconds that writing takes. What an engine raises is printed, and it is opened once more: the shard in which it
    failed comes last and costs itself alone. One that only fails is given up, and the next one gets its turn.
    """
    rows = sum(work.chunks)
    table = [RerankingProgress(np.zeros(rows, np.int16), np.zeros(rows, np.int8)) for _ in rerankers]
    for number, reranker in enumerate(rerankers):
        patience, shards = Patience(), 0
        while not patience.over and not _came_back(rerankers, table, number, work, limit, publish):
            if len(table[number].shards) > shards:
                patience.worked()
            shards = len(table[number].shards)
            say_loudly(patience.failed(reranker.name, opened=table[number].opened))
        publish(table, True)
    return table


def say_loudly(text: str) -> None:
    """A line that nobody overlooks, on standard error."""
    with suppress(OSError):  # a full disk behind the output
        print(f"\n!!! {text}\n", file=sys.stderr, flush=True)


def _came_back(
    rerankers: Sequence[OpenableReranker],
    table: Sequence[RerankingProgress],
    number: int,
    work: Work,
    limit: Limit,
    publish: Publish,
) -> bool:
    """Let a reranker do its part, if it is worth it; False if it failed."""
    state = table[number]
    state.opened = False
    try:
        if not _pending(state, rerankers[number].most(work)).any():  # what is left has failed twice
            state.ended = "complete" if state.shards else "failed"
        elif _worth_opening(rerankers, table, number, work, limit):
            _run(rerankers, table, number, work, limit, publish)
        elif state.ended != "failed":  # by an attempt before
            state.ended = "skipped, no time"
        return True
    except Exception:
        traceback.print_exc()
        state.ended = "failed"
        return False


def _worth_opening(
    rerankers: Sequence[OpenableReranker], table: Sequence[RerankingProgress], number: int, work: Work, limit: Limit
) -> bool:
    """Whether there is time to load a reranker and to let it read a few candidates of a good part of the queries."""
    if not any(state.shards for state in table):
        return limit.left() > 0
    stage = _stages(rerankers, table, number, work)[0]
    reading = seconds_for(stage, min(LEAST, rerankers[number].most(work))) - stage.costs.start
    return stage.costs.start + PART * reading <= limit.left()


def _run(
    rerankers: Sequence[OpenableReranker],
    table: Sequence[RerankingProgress],
    number: int,
    work: Work,
    limit: Limit,
    publish: Publish,
) -> None:
    """Open a reranker and score shards until its part of the plan is done or no further row fits."""
    state, writing, began, most = table[number], 0.0, limit.clock(), rerankers[number].most(work)
    state.ended = "running"
    with rerankers[number].open() as score:
        state.start, state.opened = limit.clock() - began, True
        while True:
            left = limit.left() - 2 * writing
            depths = _decide(rerankers, table, number, work, left)
            depth, rows = depths[0], _next_rows(state, work, depths[0], left)
            if not len(rows) and not any(depths[1:]):  # time that nobody else will use makes some of the rows deeper
                depth = min(2 * depth, most)
                rows = _next_rows(state, work, depth, left)
            if not len(rows):
                break
            first, began = int(state.done[rows[0]]), limit.clock()
            state.failures[rows] += 1  # until it comes back: one bad row must not keep the others from their turn
            tokens = score(rows, first, depth)
            state.failures[rows] = 0
            state.shards.append(Shard(len(rows), len(rows) * (depth - first), *tokens, limit.clock() - began))
            state.done[rows] = depth
            writing = publish(table, False)
        state.ended = "out of time" if _pending(state, most).any() else "complete"
        publish(table, True)  # before the engine is closed, which may take its time


def _decide(
    rerankers: Sequence[OpenableReranker], table: Sequence[RerankingProgress], number: int, work: Work, left: float
) -> tuple[int, ...]:
    """The depths of this and the later rerankers; everything until a first shard was measured."""
    state, wanted = table[number], tuple(reranker.most(work) for reranker in rerankers[number:])
    if math.isinf(left) or not any(earlier.shards for earlier in table):
        return wanted
    now, *later = _stages(rerankers, table, number, work)
    depths = plan_depths(
        [RerankingStage(now.done, Costs(0.0, now.costs.query, now.costs.candidate)), *later], wanted, left
    )
    if not state.plans or state.plans[-1][1] != depths:
        state.plans = [*state.plans[-PLANS:], (int((state.done > 0).sum()), depths)]
    return depths


def _stages(
    rerankers: Sequence[OpenableReranker], table: Sequence[RerankingProgress], number: int, work: Work
) -> list[RerankingStage]:
    """What is known of this and the later stages; the costs of an unmeasured one come from the last measured one."""
    measured = max(place for place, state in enumerate(table) if state.shards)
    known = costs_of(table[measured].shards, table[measured].start)
    stages = []
    for place in range(number, len(table)):
        state = table[place]
        own = costs_of(state.shards, state.start) if state.shards else None
        costs = own or known.times(rerankers[place].size / rerankers[measured].size)
        stages.append(RerankingStage(tuple(np.bincount(state.done, minlength=work.wanted + 1).tolist()), costs))
    return stages


def _pending(state: RerankingProgress, depth: int) -> np.ndarray:
    """Which rows [Q] can still be brought to `depth`."""
    return (state.done < depth) & (state.failures < ATTEMPTS)


def _next_rows(state: RerankingProgress, work: Work, depth: int, left: float) -> np.ndarray:
    """The next rows to bring to `depth`: of one chunk, with as many candidates scored so far, the least first.

    What an attempt failed in comes when nothing else is left, in small shards: most of it is sound.
    """
    pending = _pending(state, depth)
    if not pending.any() or left <= 0:
        return np.zeros(0, np.int64)
    failures = state.failures[pending].min()
    pending &= state.failures == failures
    level = int(state.done[pending].min())
    rows = np.flatnonzero(pending & (state.done == level))
    ends = np.cumsum(work.chunks)
    rows = rows[rows < ends[np.searchsorted(ends, rows[0], side="right")]]
    if not state.shards or failures:
        return rows[: max(1, work.rows_at_once // PROBE)]
    most = work.rows_at_once
    if not math.isinf(left):
        most = min(most, affordable(costs_of(state.shards, 0.0), depth - level, left))
    return rows[: math.ceil(len(rows) / math.ceil(len(rows) / most))] if most else rows[:0]  # of equal size
