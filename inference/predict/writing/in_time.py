"""Lets a language model write about test rows slice by slice, within its share of the time, most useful texts first.

The clock and the writing come from outside, as in anytime.py. What is not written stays without a text: a model that
reads texts was trained to do without some of them.
"""

import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from inference.predict.anytime import Limit, say_loudly
from inference.predict.patience import ATTEMPTS, Patience

SHARE = 0.5  # of the time that is left belongs to writing: retrieval and reranking are worth more than the last texts
GRACE = 0.1  # of that share is waited for the last slice, should it take longer than its pace foretold
HANGS = 20  # times as long as foretold: a slice that takes more hangs, and a machine that throttles is ten times slower
FIRST_ROWS = 64  # of the first slice: it shows the pace
SLICE_SECONDS = 120.0
MOST_ROWS = 4096
SMALLER = 16  # times fewer rows has a slice of rows of which a slice failed before

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
    lost: int = 0  # texts whose slices failed as often as a part of the work is tried
    ended: str = "not started"


def write_in_time(
    writing: OpenableWriting, phases: Sequence[Phase], limit: Limit, progress: WritingProgress
) -> WritingProgress:
    """Write phase after phase until all is written or the writer's share of the time is used up; it is never raised.

    A slice that fails or hangs goes behind the others, once the model is opened again, and is tried once more.
    """
    span, patience = SHARE * limit.left(), Patience()
    run = _Run(Limit(limit.clock() + span, limit.clock), GRACE * span, progress, patience)
    while not patience.over and run.share.left() > 0:
        try:
            run.go(writing, phases)
            return progress
        except Exception:
            traceback.print_exc()
            say_loudly(patience.failed(f"writer {writing.name}", opened=run.opened))
            progress.ended = "failed"
    if progress.ended == "not started":
        progress.ended = "skipped, no time"
    return progress


def describe_writing(name: str, progress: WritingProgress) -> dict:
    """What a log says of a writer."""
    return {
        "model": name,
        "ended": progress.ended,
        "texts": progress.texts,
        "slices": progress.slices,
        "texts_lost": progress.lost,
        "seconds_to_open": round(progress.start, 1),
        "seconds_of_slices": round(progress.seconds, 1),
        "tokens_per_second": round(progress.tokens / progress.seconds, 1) if progress.seconds else 0.0,
    }


class _Run:
    """One opening of the writer after the other: what failed, and the pace, outlive it."""

    def __init__(self, share: Limit, grace: float, progress: WritingProgress, patience: Patience):
        self.share, self.grace, self.progress, self.patience = share, grace, progress, patience
        self.failed: dict = {}  # (phase, row): how often a slice failed that held it
        self.pace: tuple[float, int] | None = None  # seconds of a row, and the tokens that such a row could get
        self.opened = False

    def go(self, writing: OpenableWriting, phases: Sequence[Phase]) -> None:
        """Write until all is written or the share is used up."""
        began, self.opened = self.share.clock(), False
        self.progress.ended = "running"
        with writing.open(self.share.left() + self.grace) as write:
            self.opened = True
            self.progress.start = self.share.clock() - began
            turns = [(phase, failed) for failed in range(ATTEMPTS) for phase in phases]  # what failed comes last
            whole = all(self._finish(write, phase, failed) for phase, failed in turns)
            self.progress.ended = "complete" if whole else "out of time"

    def _finish(self, write: Write, phase: Phase, failed: int) -> bool:
        """Whether there was time for all of the phase that failed so often before."""
        rows = [row for row in phase.pending() if self.failed.get((phase.name, row), 0) == failed]
        while rows:
            count = _affordable(self.pace, phase, self.share.left())
            if not count:
                return False
            count = max(count // SMALLER**failed, 1)  # one bad row costs few others
            self._write_slice(write, phase, rows[:count])
            rows = rows[count:]
        return True

    def _write_slice(self, write: Write, phase: Phase, rows: Sequence) -> None:
        progress, began = self.progress, self.share.clock()
        names = {(phase.name, row): self.failed.get((phase.name, row), 0) for row in rows}
        self.failed.update({name: count + 1 for name, count in names.items()})
        progress.lost = sum(count >= ATTEMPTS for count in self.failed.values())
        progress.tokens += write(rows, self._patience(phase, len(rows)))
        for name in names:
            del self.failed[name]
        progress.lost = sum(count >= ATTEMPTS for count in self.failed.values())
        self.patience.worked()
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
