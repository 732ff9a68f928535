"""Plays reranking through on made-up machines with a clock of their own: slow ones, stalls, crashes."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from inference.predict.anytime import Limit, OpenableReranker, RerankingProgress, Work, rerank_in_time

LIMIT, MARGIN = 32_400.0, 300.0  # Kaggle's 9 hours
WATCHDOG = LIMIT - MARGIN / 2  # when it kills what has not ended
WORK = Work((210, 210, 180), 25, 20)
QUERY, CANDIDATE = 90, 54  # tokens


class Killed(BaseException):
    """What the watchdog does: no code of the process runs any more."""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now

    def spend(self, seconds: float) -> None:
        self.now += seconds
        if self.now > WATCHDOG:
            self.now = WATCHDOG
            raise Killed


@dataclass(frozen=True)
class Day:
    """One machine and its luck; times are seconds since the start."""

    seed: int
    rerankers: int
    retrieved: float  # when reranking begins
    token: float  # seconds a token takes the first reranker
    slower_from: float = np.inf  # from then on everything takes ten times as long,
    slower_until: float = np.inf  # until then
    stalls: float = np.inf  # the first call after that moment never returns
    crashes: tuple[float, ...] = ()  # the first call after each of these moments raises
    noise: float = 0.2
    there: int = WORK.wanted  # candidates that a query really has
    bad: tuple[int, ...] = ()  # rows whose prompts every engine refuses
    cascade: tuple[int, ...] = ()  # candidates that each reranker wants, where the later ones read fewer

    def wanted(self, number: int) -> int:
        return self.cascade[number] if self.cascade else WORK.wanted


@dataclass
class Outcome:
    """What stood on disk in the end, when, and what the driver said (None: it was killed)."""

    scored: list[np.ndarray]  # of each reranker, the candidates whose scores the file knows [Q]
    time: float
    said: list[RerankingProgress] | None
    publishes: int


def draw_day(seed: int) -> Day:
    """A day with one of eight kinds of luck; the work fills 10 to 400 % of the time there is."""
    rng = random.Random(seed)
    rerankers = rng.choice([1, 1, 2, 3])
    retrieved = rng.uniform(0.01, 0.9) * (LIMIT - MARGIN)
    share = 10 ** rng.uniform(-1, 0.6)
    full = sum(WORK.chunks) * (QUERY + WORK.wanted * CANDIDATE) * sum(2**n for n in range(rerankers))
    when = [rng.uniform(retrieved, LIMIT) for _ in range(4)]
    luck = [
        {},
        {"slower_from": when[0]},
        {"slower_from": min(when[:2]), "slower_until": max(when[:2])},
        {"stalls": when[0]},
        {"crashes": (when[0],)},
        {"crashes": tuple(when)},
        {"slower_from": when[0], "stalls": when[1], "crashes": (when[2],)},
        {"noise": 0.8},
    ][seed % 8]
    return Day(seed, rerankers, retrieved, share * (LIMIT - MARGIN - retrieved) / full, **luck)


def live_through(day: Day, limit: float = LIMIT - MARGIN) -> Outcome:
    """Rerank on that day; the file is what was last published, as on a disk."""
    clock, rng = Clock(), random.Random(day.seed)
    clock.now = day.retrieved
    crashes = sorted(day.crashes)
    memory = [np.zeros(sum(WORK.chunks), np.int16) for _ in range(day.rerankers)]
    outcome = Outcome([scores.copy() for scores in memory], 0.0, None, 0)

    def spend(seconds: float) -> None:
        if clock.now >= day.stalls:
            clock.spend(np.inf)
        if crashes and clock.now >= crashes[0]:
            crashes.pop(0)
            raise RuntimeError("CUDA error: a replica died")
        slow = 10 if day.slower_from <= clock.now < day.slower_until else 1
        clock.spend(seconds * slow * (1 + rng.uniform(-day.noise, day.noise)))

    def reranker(number: int) -> OpenableReranker:
        @contextmanager
        def opened() -> Iterator:
            spend(60 * 2**number)

            def score(rows: np.ndarray, first: int, last: int) -> tuple[int, int]:
                assert len(set(np.searchsorted(np.cumsum(WORK.chunks), rows, side="right"))) == 1
                assert (memory[number][rows] == first).all() and first < last <= day.wanted(number)
                if set(day.bad) & set(rows.tolist()):
                    raise RuntimeError("it breaks every engine")
                read = max(0, min(last, day.there) - first)
                tokens = len(rows) * QUERY * (read > 0), len(rows) * read * CANDIDATE
                spend(sum(tokens) * day.token * 2**number)
                memory[number][rows] = last
                return tokens

            yield score

        return OpenableReranker(f"reranker {number}", 2.0**number, opened, day.wanted(number))

    def publish(progress: list[RerankingProgress], final: bool) -> float:
        began = clock.now
        clock.spend(0.5)  # a kill in here leaves the file as it was
        outcome.scored = [scores.copy() for scores in memory]
        outcome.publishes += 1
        return clock.now - began

    try:
        rerankers = [reranker(number) for number in range(day.rerankers)]
        outcome.said = rerank_in_time(rerankers, WORK, Limit(limit, clock), publish)
    except Killed:
        pass
    outcome.time = clock.now
    return outcome
