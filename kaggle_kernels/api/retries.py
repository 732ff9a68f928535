"""Makes one call to Kaggle and says what became of it: an answer, a refusal, or a write that nobody knows the end of.

Reads are asked again, with pauses; a write goes out once.
"""

import sys
import time

from requests import ConnectionError, HTTPError, RequestException, Timeout
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.exceptions import HTTPError as TransportError

# The connection broke, or what came back is no answer: a portal's HTML, half a JSON text, a list.
TROUBLE = (RequestException, TransportError, OSError, ValueError, TypeError, AttributeError)
READ_ATTEMPTS = 7  # pauses of 1, 2, 4 ... 32 s: a minute of trouble passes unnoticed
LONGEST_PAUSE_SECONDS = 300.0  # A Retry-After above it is reported instead.
TIMEOUT_SECONDS = (30, 120)  # They are to connect (and for each write to the socket), and without a byte of answer.
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


def call(api, send):
    """`send`(client), with a client that gives up on a dead connection; kagglesdk alone would wait for ever."""
    with api.build_kaggle_client() as kaggle:
        session = kaggle.http_client()._session
        session.send = _timed(session.send)
        return send(kaggle)


def ask(clock: Clock, what: str, question, absent=_RAISE):
    """The answer of `question`(), asked again while the trouble may pass; `absent` when it is 403 or 404."""
    for attempt in range(READ_ATTEMPTS):
        try:
            return question()
        except TROUBLE as error:
            if absent is not _RAISE and _http_status(error) in (403, 404):
                return absent
            pause = _pause(error, attempt, what)
            if attempt == 2:
                print(f"  Kaggle does not give {what} yet: {_words(error)}; asking again", file=sys.stderr)
        clock.sleep(pause)
    raise AssertionError("the last attempt raises")


def write_once(what: str, write):
    """The answer of `write`(), sent once. Refused: Kaggle did nothing. Lost: it may have."""
    try:
        return write()
    except TROUBLE as error:
        status = _http_status(error)
        if _never_left(error):
            raise Refused(f"Kaggle cannot be reached, so {what} was not sent: run the command again") from None
        if 400 <= status < 500 and status != 408:
            raise Refused(f"Kaggle refuses {what} ({status}): {_words(error)}") from None
        raise Lost(f"no clear answer from Kaggle about {what}: {_words(error)}") from None


def _timed(send):
    return lambda request, **settings: send(request, **{**settings, "timeout": TIMEOUT_SECONDS})


def _pause(error: Exception, attempt: int, what: str) -> float:
    """Seconds to wait before the next attempt; raises Refused when there is to be none."""
    status = _http_status(error)
    if status == 401:
        raise Refused(
            "Kaggle does not accept these credentials (401): run `kaggle auth login`, or make a new token"
        ) from None
    pause = max(2.0**attempt, _retry_after(error))
    passing = status in (0, 408, 429) or status >= 500
    if not passing or attempt == READ_ATTEMPTS - 1 or pause > LONGEST_PAUSE_SECONDS:
        number = f" ({status})" if status else ""
        when = f" in {pause:.0f} s" if pause > LONGEST_PAUSE_SECONDS else ""
        later = f"; run the command again{when}" if passing else ""
        raise Refused(f"Kaggle does not give {what}{number}: {_words(error)}{later}") from None
    return pause


def _http_status(error: Exception) -> int:
    return error.response.status_code if isinstance(error, HTTPError) and error.response is not None else 0


def _never_left(error: Exception) -> bool:
    """Whether not even a connection came about: nobody at Kaggle can have acted on it."""
    while error is not None:
        if isinstance(error, (NewConnectionError, ConnectTimeoutError)):
            return True
        causes = (getattr(error, "reason", None), getattr(error, "original_error", None), *error.args)
        error = next((cause for cause in causes if isinstance(cause, Exception)), None)
    return False


def _retry_after(error: Exception) -> float:
    text = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def _words(error: Exception) -> str:
    """The error on one line, without the addresses of objects that urllib3 puts into it."""
    if isinstance(error, (ConnectionError, Timeout)):
        return "the connection broke"
    return " ".join(str(error).split())[:300] or type(error).__name__
