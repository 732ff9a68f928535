"""Shows how far long work is: a bar in a terminal, a plain line every half a minute in a log file.

epoch 1/2: 120/600 updates, 3.2/s, 2:30 left, loss 0.61
"""

import sys
import time

from tqdm import tqdm

from inference.ranks import rank

QUIET = 2.0  # seconds of work that says nothing: most pieces of a test or of a merge's check are shorter
EVERY = 30.0  # seconds between two lines in a log file


class Meter:
    """A context in which `total` units of work are done; shown once, by the first process and the outermost context."""

    _open = 0

    def __init__(self, name: str, total: int, unit: str, done: int = 0):
        self.name, self.total, self.unit, self.first = name, total, unit, done
        self.done, self.note = done, ""

    def __enter__(self) -> "Meter":
        self.shown = rank() == 0 and Meter._open == 0
        Meter._open += 1
        self.start = self.last = time.monotonic()
        in_terminal = self.shown and sys.stderr.isatty()
        self.bar = tqdm(
            desc=self.name,
            total=self.total,
            initial=self.first,
            unit=f" {self.unit}",
            delay=QUIET,
            disable=not in_terminal,
            dynamic_ncols=True,
        )
        return self

    def __exit__(self, *error: object) -> None:
        Meter._open -= 1
        self.bar.close()
        if self.shown and self.bar.disable and time.monotonic() - self.start >= QUIET:
            print(self._line(), file=sys.stderr, flush=True)

    def advance(self, count: int, note: str = "") -> None:
        """Say that `count` more units are done; `note` is shown behind them, as "loss 0.61".

        One of several processes says what all have done by its own: past `total` there is nothing to show.
        """
        count = min(count, self.total - self.done)
        self.done, self.note, now = self.done + count, note, time.monotonic()
        self.bar.set_postfix_str(note, refresh=False)
        self.bar.update(count)
        if self.shown and self.bar.disable and now - self.last >= EVERY and self.done < self.total:
            self.last = now
            print(self._line(), file=sys.stderr, flush=True)

    def _line(self) -> str:
        seconds = time.monotonic() - self.start
        rate = (self.done - self.first) / max(seconds, 1e-9)
        left = f"{tqdm.format_interval((self.total - self.done) / rate)} left" if rate else "just begun"
        spent = left if self.done < self.total else f"took {tqdm.format_interval(seconds)}"
        note = f", {self.note}" if self.note else ""
        return f"{self.name}: {self.done:,}/{self.total:,} {self.unit}, {rate:.3g}/s, {spent}{note}"
