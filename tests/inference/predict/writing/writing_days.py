"""Plays days through on which a language model writes before reranking begins, with the machines of bad_days.py."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from inference.predict.anytime import Limit
from inference.predict.writing.in_time import OpenableWriting, Phase, WritingProgress, write_in_time
from tests.inference.predict.bad_days import LIMIT, MARGIN, WORK, Clock, Day, Killed, Outcome, draw_day, live_through

ROWS = sum(WORK.chunks)
READ, WRITTEN = 60.0, 600.0  # when writing begins, and how long retrieval takes behind it
TOKENS = {"short": 96, "cot": 512}
USED = {"short": 58, "cot": 325}  # of them, on average


@dataclass(frozen=True)
class WritingDay:
    day: Day
    token: float  # seconds of a written token
    opening: float = 120.0
    bad: int = -1  # a row at which every engine fails


@dataclass
class Written:
    """Which rows had which texts in the end, what the driver said, when it was through, and how the day went on."""

    texts: dict[str, np.ndarray]
    said: WritingProgress | None
    time: float
    rest: Outcome | None


def draw_writing_day(seed: int) -> WritingDay:
    """Writing everything would take 3 to 600 % of the time there is; luck strikes at any moment of the day."""
    rng = random.Random(seed + 10_000)
    share = 10 ** rng.uniform(-1.5, 0.8)
    moved = rng.uniform(-LIMIT / 2, 0)  # earlier than on a day without a writer: into the writing, often
    day = draw_day(seed)
    day = replace(
        day,
        slower_from=max(day.slower_from + moved, READ),
        slower_until=max(day.slower_until + moved, READ),
        stalls=max(day.stalls + moved, READ),
        crashes=tuple(max(moment + moved, READ) for moment in day.crashes),
    )
    return WritingDay(day, share * (LIMIT - MARGIN) / (ROWS * sum(USED.values())), rng.uniform(20, 1200))


def write_through(drawn: WritingDay, limit: float = LIMIT - MARGIN) -> Written:
    """Write, retrieve and rerank on that day."""
    day, clock, rng = drawn.day, Clock(), random.Random(drawn.day.seed)
    clock.now, crashes, stalls = READ, sorted(day.crashes), [day.stalls]
    texts = {kind: np.zeros(ROWS, bool) for kind in TOKENS}

    def spend(seconds: float, patience: float) -> None:
        if clock.now >= stalls[0]:
            stalls[0], seconds = np.inf, np.inf
        if crashes and clock.now >= crashes[0]:
            crashes.pop(0)
            raise RuntimeError("CUDA error: a replica died")
        slow = 10 if day.slower_from <= clock.now < day.slower_until else 1
        seconds *= slow * (1 + rng.uniform(-day.noise, day.noise))
        clock.spend(min(seconds, max(patience, 0.0)))
        if seconds > patience:
            raise TimeoutError("no replica answered")

    @contextmanager
    def opened(seconds: float) -> Iterator[Callable]:
        spend(drawn.opening, seconds)

        def write(rows: Sequence[tuple[str, int]], seconds: float) -> int:
            kind = rows[0][0]
            places = [row for _, row in rows]
            assert not texts[kind][places].any() and {one for one, _ in rows} == {kind}
            if drawn.bad in places:
                raise ValueError("a prompt gave NaN")
            spend(len(rows) * USED[kind] * drawn.token, seconds)
            texts[kind][places] = True
            return len(rows) * USED[kind]

        yield write

    def phase(kind: str) -> Phase:
        return Phase(kind, TOKENS[kind], lambda: [(kind, row) for row in np.flatnonzero(~texts[kind]).tolist()])

    written = Written(texts, None, 0.0, None)
    try:
        written.said = write_in_time(
            OpenableWriting("writer", opened), [phase("short"), phase("cot")], Limit(limit, clock), WritingProgress()
        )
        written.time = clock.now
        clock.spend(WRITTEN)
        left = replace(day, retrieved=clock.now, crashes=tuple(crashes), stalls=stalls[0])
        written.rest = live_through(left, limit)
    except Killed:
        written.time = clock.now
    return written
