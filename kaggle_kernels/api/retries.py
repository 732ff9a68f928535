"""Makes one call to Kaggle and says what became of it: an answer, a refusal, or a write that nobody knows the end of.

Reads are asked again, with pauses; a write goes out once.
"""

import sys
import time

from kaggle_kernels.api.transport import PASSING, TROUBLE, http_status, lasting, never_left, retry_after, words

READ_ATTEMPTS = 7  # pauses of 1, 2, 4 ... 32 s: a minute of trouble passes unnoticed
LONGEST_PAUSE_SECONDS = 300.0  # A Retry-After above it is reported instead.
_RAISE = object()


class Refused(Exception):
    """Kaggle said no, or never answered a question. The message is one sentence for the person who ran the command."""


class Lost(Exception):
    """A write went out and no clear answer came back: it may have been carried out. Read back, never send blindly."""


class Clock:
    """The time; tests pass another."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def ask(clock: Clock, what: str, question, absent=_RAISE):
    """The answer of `question`(), asked again while the trouble may pass; `absent` when it is 403 or 404."""
    for attempt in range(READ_ATTEMPTS):
        try:
            return question()
        except TROUBLE as error:
            if absent is not _RAISE and http_status(error) in (403, 404):
                return absent
            pause = _pause(error, attempt, what)
            if attempt == 2:
                print(f"  Kaggle does not give {what} yet: {words(error)}; asking again", file=sys.stderr)
        clock.sleep(pause)
    raise AssertionError("the last attempt raises")


def write_once(what: str, write):
    """The answer of `write`(), sent once. Refused: Kaggle did nothing. Lost: it may have."""
    try:
        return write()
    except TROUBLE as error:
        status = http_status(error)
        if sentence := lasting(error):
            raise Refused(f"{what} was not sent, since {sentence}") from None
        if never_left(error):
            raise Refused(f"Kaggle cannot be reached, so {what} was not sent: run the command again") from None
        if 400 <= status < 500 and status != 408:
            raise Refused(f"Kaggle refuses {what} ({status}): {words(error)}") from None
        raise Lost(f"no clear answer from Kaggle about {what}: {words(error)}") from None


def _pause(error: Exception, attempt: int, what: str) -> float:
    """Seconds to wait before the next attempt; raises Refused when there is to be none."""
    if sentence := lasting(error):
        raise Refused(f"Kaggle cannot be asked for {what}: {sentence}") from None
    status, pause = http_status(error), max(2.0**attempt, retry_after(error))
    passing = status == 0 or status in PASSING or status >= 500
    if not passing or attempt == READ_ATTEMPTS - 1 or pause > LONGEST_PAUSE_SECONDS:
        number = f" ({status})" if status else ""
        when = f" in {pause:.0f} s" if pause > LONGEST_PAUSE_SECONDS else ""
        later = f"; run the command again{when}" if passing else ""
        raise Refused(f"Kaggle does not give {what}{number}: {words(error)}{later}") from None
    return pause
