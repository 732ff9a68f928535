"""Shows how far long work is: a bar in a terminal, a plain line every half a minute in a log file.

epoch 1/2: 120/600, 3.20 updates/s, 00:38 so far, 02:30 left, loss=0.61
"""

import sys

from tqdm import tqdm

from inference.engines.distributed import rank

QUIET_SECONDS = 2.0  # Shorter work says nothing: most pieces of a test or of a merge's check are that.
LOG_QUIET_SECONDS = 10.0  # In a log file, where every line stays, longer work says nothing either.
LOG_EVERY_SECONDS = 30.0  # Two lines of a log file are that far apart.
LINE = "{desc}: {n_fmt}/{total_fmt}, {rate_noinv_fmt}, {elapsed} so far, {remaining} left{postfix}"


class Meter(tqdm):
    """A tqdm for every loop and engine; only the first process shows one, and of nested ones only the outermost."""

    def __init__(self, *arguments, **options):
        inside = any(isinstance(other, Meter) and not getattr(other, "disable", True) for other in self._instances)
        self.in_terminal = sys.stderr.isatty()
        self.quiet_seconds = QUIET_SECONDS if self.in_terminal else LOG_QUIET_SECONDS
        options |= {"delay": self.quiet_seconds, "smoothing": 0, "disable": inside or rank() > 0, "file": sys.stderr}
        if self.in_terminal:
            options |= {"mininterval": 1, "dynamic_ncols": True}
        else:
            options |= {"mininterval": LOG_EVERY_SECONDS, "miniters": 1, "bar_format": LINE}
        super().__init__(*arguments, **options)

    @staticmethod
    def status_printer(file):
        """A function that writes one status: over the last one in a terminal, behind it elsewhere."""
        if file.isatty():
            return tqdm.status_printer(file)
        said = [""]

        def say(status: str) -> None:
            if status != said[0]:  # vLLM asks for the last one twice
                print(status, file=file, flush=True)
            said[0] = status

        return say

    def close(self) -> None:
        """End the bar; a log file gets its last line, unless the work was short."""
        if not self.disable and not self.in_terminal:
            if self._time() - self.start_t >= self.quiet_seconds:
                self.display()
            self.last_print_t = self.start_t  # what tqdm would write to clear its bar is for terminals
        super().close()
