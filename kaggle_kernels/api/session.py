"""Signs in to Kaggle and holds the one client that every call goes through: reads are asked again, writes go out once.

`kaggle` is imported in `connect` only, because importing it signs in.
"""

import contextlib
import io
import os
from collections.abc import Callable

from kaggle_kernels.api.retries import Clock, Refused, ask, call, write_once

PAGE = 200  # entries of a listing asked for at once


def connect(clock: Clock) -> "Kaggle":
    """Sign in. Raises Refused without usable credentials and when Kaggle cannot be reached."""
    for name in ("VERBOSE", "VERBOSE_OUTPUT"):  # with either the client prints the Authorization header
        os.environ.pop(name, None)
    return Kaggle(ask(clock, "a session", _signed_in), clock)


class Kaggle:
    """A session: `owner` is who is signed in. `what` names in a message what a call is about."""

    def __init__(self, api, clock: Clock) -> None:
        self._api, self._clock = api, clock
        self.owner: str = api.config_values["username"]

    def read(self, what: str, send: Callable, **absent):
        """What `send`(client) answers, asked again while the trouble may pass; `absent=` is the answer to 403 and 404.

        Raises Refused when it does not pass.
        """
        return ask(self._clock, what, lambda: call(self._api, send), **absent)

    def write(self, what: str, send: Callable):
        """What `send`(client) answers, sent once. Raises Refused when Kaggle did nothing, Lost when it may have."""
        return write_once(what, lambda: call(self._api, send))

    def pages(self, what: str, request, method: Callable) -> list:
        """Every page of a listing; `method`(client) is what takes `request`."""
        request.page_size, pages = PAGE, []
        while not pages or pages[-1].next_page_token:
            request.page_token = pages[-1].next_page_token if pages else None
            pages.append(self.read(what, lambda client: method(client)(request)))
        return pages


def _signed_in():
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the login text
            from kaggle.api.kaggle_api_extended import KaggleApi

            api = KaggleApi()
            api.authenticate()
        return api
    except SystemExit:
        ways = "run `kaggle auth login`, or set KAGGLE_API_TOKEN, or put kaggle.json into ~/.kaggle"
        raise Refused(f"no valid Kaggle credentials: {ways}") from None
