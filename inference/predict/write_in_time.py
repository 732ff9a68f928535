"""Lets a language model write about test rows slice by slice, within its share of the time, most useful texts first.

The clock and the writing come from outside, as in anytime.py. What is not written stays without a text: a model that
reads texts was trained to do without some of them.
"""

import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from inference.predict.anytime import ATTEMPTS, Limit, say_loudly

SHARE = 0.5  # of the time that is left belongs to writing: retrieval and reranking are worth more than the last texts
GRACE = 0.1  # of that share is waited for the last slice, should it take longer than its pace foretold
HANGS = 20  # times as long as foretold: a slice that takes more hangs, and a machine that throttles is ten times slower
FIRST_ROWS = 64  # of the first slice: it shows the pace
SLICE_SECONDS = 120.0
MOST_ROWS = 4096

Write = Callable[[Sequence, float], int]


@dataclass(frozen=True)
class Phase:
    """Texts of one kind: how long one can get, beside other kinds, and which rows are without one when it begins."""

    name: str
    tokens: int
    pending: Callable[[], Sequence]


@dataclass(frozen=True)
class OpenableWriting:
    """The writer as the driver sees it.

    `open(seconds)` gives write(rows, seconds): it writes about those rows, keeps the texts by itself and returns their
    tokens. Whatever takes longer than the seconds raises TimeoutError.
    """

    name: str
    open: Callable[[float], AbstractContextManager[Write]]


@dataclass
class WritingProgress:
    """How far the writer came: texts by phase, seconds until it ran, seconds and tokens of its slices, how it ended."""

    texts: dict[str, int] = field(default_factory=dict)
    start: float = 0.0
    seconds: float = 0.0
    tokens: int = 0
    slices: int = 0
    ended: str = "not started"


def write_in_time(
    writing: OpenableWriting, phases: Sequence[Phase], limit: Limit, progress: WritingProgress
) -> WritingProgress:
    """Write phase after phase until all is written or the writer's share of the time is used up; it is never raised.

    A slice that fails or hangs goes behind the others, once the model is opened again.
    """
    span = SHARE * limit.left()
    run = _Run(Limit(limit.clock() + span, limit.clock), GRACE * span, progress)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            if run.share.left() > 0:
                run.go(writing, phases)
            elif progress.ended == "not started":
                progress.ended = "skipped, no time"
            return progress
        except Exception:
            traceback.print_exc()
            say_loudly(f"writer {writing.name} failed, attempt {attempt} of {ATTEMPTS}")
            progress.ended = "failed"
    return progress


def describe_writing(name: str, progress: WritingProgress) -> dict:
    """What a log says of a writer."""
    return {
        "model": name,
        "ended": progress.ended,
        "texts": progress.texts,
        "slices": progress.slices,
        "seconds_to_open": round(progress.start, 1),
        "seconds_of_slices": round(progress.seconds, 1),
        "tokens_per_second": round(progress.tokens / progress.seconds, 1) if progress.seconds else 0.0,
    }


class _Run:
    """One opening of the writer after the other: what failed, and the pace, outlive it."""

    def __init__(self, share: Limit, grace: float, progress: WritingProgress):
        self.share, self.grace, self.progress = share, grace, progress
        self.tried: set = set()  # what a slice that failed held: it comes last
        self.pace: tuple[float, int] | None = None  # seconds of a row, and the tokens that such a row could get

    def go(self, writing: OpenableWriting, phases: Sequence[Phase]) -> None:
        """Write until all is written or the share is used up."""
        began = self.share.clock()
        self.progress.ended = "running"
        with writing.open(self.share.left() + self.grace) as write:
            self.progress.start = self.share.clock() - began
            turns = [(phase, again) for again in (False, True) for phase in phases]  # one bad row stops nobody else
            whole = all(self._finish(write, phase, again) for phase, again in turns)
            self.progress.ended = "complete" if whole else "out of time"

    def _finish(self, write: Write, phase: Phase, again: bool) -> bool:
        """Whether there was time for all of the phase that did not fail before, or for all that did."""
        rows = [row for row in phase.pending() if ((phase.name, row) in self.tried) == again]
        while rows:
            count = _affordable(self.pace, phase, self.share.left())
            if not count:
                return False
            self._write_slice(write, phase, rows[:count])
            rows = rows[count:]
        return True

    def _write_slice(self, write: Write, phase: Phase, rows: Sequence) -> None:
        progress, names, began = self.progress, [(phase.name, row) for row in rows], self.share.clock()
        self.tried.update(names)
        progress.tokens += write(rows, self._patience(phase, len(rows)))
        self.tried.difference_update(names)
        took = self.share.clock() - began
        self.pace = (took / len(rows), phase.tokens)
        progress.seconds, progress.slices = progress.seconds + took, progress.slices + 1
        progress.texts[phase.name] = progress.texts.get(phase.name, 0) + len(rows)

    def _patience(self, phase: Phase, count: int) -> float:
        """Seconds after which a slice hangs."""
        most = self.share.left() + self.grace
        return min(most, HANGS * max(_row_seconds(self.pace, phase) * count, SLICE_SECONDS)) if self.pace else most


def _affordable(pace: tuple[float, int] | None, phase: Phase, left: float) -> int:
    """Rows of the next slice: as many as take SLICE_SECONDS at the pace of the last one, and end in time."""
    if left <= 0:
        return 0
    if pace is None:
        return FIRST_ROWS
    row = _row_seconds(pace, phase)
    if left < row:
        return 0
    return max(1, min(MOST_ROWS, int(min(SLICE_SECONDS, left) / row)))


def _row_seconds(pace: tuple[float, int], phase: Phase) -> float:
    return max(pace[0] * phase.tokens / pace[1], 1e-9)
