"""Decides how deep to rerank so that the work ends in time: what was measured goes in, depths come out. No clock here.

A stage is one reranker. Each reads fewer candidates than the one before it, if time is short; the last ones none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LEAST = 5  # candidates: of fewer, most of the work is the query itself (90 tokens on average; a candidate has 54)
RECENT = 4  # shards by which the pace is judged; the slower of these and the last one counts


@dataclass(frozen=True)
class Shard:
    """What was scored in one call of the engine, and how long it took."""

    queries: int
    candidates: int
    query_tokens: int
    candidate_tokens: int
    seconds: float


@dataclass(frozen=True)
class Costs:
    """Seconds of a stage: until its engine runs (0 once it does), of a query, and of each of its candidates."""

    start: float
    query: float
    candidate: float

    def times(self, factor: float) -> "Costs":
        """The costs of a model that is `factor` times as slow."""
        return Costs(self.start * factor, self.query * factor, self.candidate * factor)


@dataclass(frozen=True)
class RerankingStage:
    """How far a stage is: `done[d]` queries have d candidates scored."""

    done: tuple[int, ...]
    costs: Costs


def plan_depths(stages: Sequence[RerankingStage], wanted: Sequence[int], seconds: float) -> tuple[int, ...]:
    """Candidates to score in every stage, of those `wanted` there: the best plan that ends within `seconds`.

    Where none does, it is the cheapest, and the first stage gets through as many queries as it can.
    """
    plans = list(ladder(wanted))
    for depths in plans:
        if sum(map(seconds_for, stages, depths)) <= seconds:
            return depths
    return plans[-1]


def ladder(wanted: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Plans, the best first: all read what is wanted of them; the later ones read fewer, the deepest of them first; the
    last one is left out; the first reads fewer.

    The first reads all before a second reads anything: a candidate that it never saw cannot rise.
    """
    first, *later = wanted
    for running in range(len(later), 0, -1):
        for depth in _downwards(max(later[:running])):
            yield (first, *[min(depth, own) for own in later[:running]], *[0] * (len(later) - running))
    for depth in _downwards(first):
        yield (depth, *[0] * len(later))


def _downwards(most: int) -> range:
    return range(most, min(LEAST, most) - 1, -1)


def seconds_for(stage: RerankingStage, depth: int) -> float:
    """What is left to do until every query of the stage has `depth` candidates scored."""
    costs = stage.costs
    below = [(count, depth - done) for done, count in enumerate(stage.done[:depth]) if count]
    return sum(count * (costs.query + more * costs.candidate) for count, more in below) + bool(below) * costs.start


def affordable(costs: Costs, candidates: int, seconds: float) -> int:
    """How many queries with so many candidates each can be scored within `seconds` by a running engine."""
    return max(0, int(seconds / max(costs.query + candidates * costs.candidate, 1e-9)))


def costs_of(shards: Sequence[Shard], start: float) -> Costs:
    """The costs that the newest of `shards` show."""
    recent = shards[-RECENT:]
    pace = max(_pace(recent), _pace(recent[-1:]))
    query = sum(shard.query_tokens for shard in recent) / sum(shard.queries for shard in recent)
    candidate = sum(shard.candidate_tokens for shard in recent) / sum(shard.candidates for shard in recent)
    return Costs(start, pace * query, pace * candidate)


def _pace(shards: Sequence[Shard]) -> float:
    """Seconds a token; every query is computed once for all of its candidates."""
    tokens = sum(shard.query_tokens + shard.candidate_tokens for shard in shards)
    return max(sum(shard.seconds for shard in shards), 1e-9) / max(tokens, 1)  # 0: rows with fewer candidates
