"""Signs in to Kaggle and holds the one client that every call goes through: reads are asked again, writes go out once.

A login that expires on the way is renewed, and what was asked is asked again.
"""

import os
import sys
from collections.abc import Callable

from requests import HTTPError

from kaggle_kernels.api.credentials import Key, Login, NotAccepted, Token, call, check_folder, ways_to_sign_in
from kaggle_kernels.api.retries import Clock, Refused, ask, write_once
from kaggle_kernels.api.transport import http_status

PAGE = 200  # entries of a listing asked for at once
MOST_PAGES = 500
MOST_EMPTY_PAGES = 10  # in a row: pages without an entry that name a next one (Kaggle/kaggle-cli #836)


def connect(clock: Clock) -> "Kaggle":
    """Sign in. Raises Refused without usable credentials and when Kaggle cannot be reached."""
    for name in ("VERBOSE", "VERBOSE_OUTPUT"):  # with either the kaggle package prints the Authorization header
        os.environ.pop(name, None)
    check_folder()
    return Kaggle(ways_to_sign_in(), clock)


class Kaggle:
    """A session: `owner` is who is signed in. `what` names in a message what a call is about."""

    def __init__(self, ways: list[Token | Key | Login], clock: Clock) -> None:
        """Sign in by the first of `ways` that Kaggle takes."""
        self.clock, self._ways, self.owner = clock, ways, ""
        self._auth = self._signed_in(None)

    def read(self, what: str, send: Callable, **absent):
        """What `send`(client) answers, asked again while the trouble may pass; `absent=` is the answer to 403 and 404.

        Raises Refused when it does not pass.
        """
        return ask(self.clock, what, lambda: self._call(send), **absent)

    def write(self, what: str, send: Callable):
        """What `send`(client) answers, sent once. Raises Refused when Kaggle did nothing, Lost when it may have."""
        return write_once(what, lambda: self._call(send))

    def pages(self, what: str, request, method: Callable, entries: Callable, **absent) -> list:
        """Every page of a listing; `method`(client) is what takes `request`, `entries`(page) what a page holds.

        `absent=` is a page in place of 403 and 404. Raises Refused where the listing goes in a circle, or on and on.
        """
        request.page_size, request.page_token, pages, seen, empty = PAGE, "", [], set(), 0
        while True:
            page = self.read(what, lambda client: method(client)(request), **absent)
            pages.append(page)
            token, empty = page.next_page_token, 0 if entries(page) else empty + 1
            if not token and (not empty or len(pages) == 1):
                return pages
            if not token:  # The page before named this one as its next, and it is empty (Kaggle/kaggle-cli #836).
                raise Refused(f"Kaggle's list of {what} has a gap, and may lack something: run the command again")
            if token in seen or empty >= MOST_EMPTY_PAGES or len(pages) >= MOST_PAGES:
                raise Refused(f"Kaggle's list of {what} does not end ({len(pages)} pages): run the command again later")
            seen.add(token)
            request.page_token = token

    def _call(self, send: Callable):
        """With a signature that Kaggle takes: one that it does not (401) did nothing there, so asking again is safe."""
        try:
            return call(self._auth, send)
        except HTTPError as error:
            if http_status(error) != 401:
                raise
        try:
            self._auth = ask(self.clock, "a new access token", self._ways[0].renew)
        except NotAccepted as no:
            self._auth = self._signed_in(no)
        return call(self._auth, send)

    def _signed_in(self, refused: NotAccepted | None) -> object:
        """What signs requests, by the first of the ways that Kaggle takes after one that it `refused`."""
        if refused:
            self._ways = self._ways[1:]
        for number, way in enumerate(self._ways):
            try:
                owner, auth = ask(self.clock, "a session", way.sign_in)
            except NotAccepted as no:
                refused = refused or no
                continue
            if self.owner in ("", owner):
                self._ways, self.owner = self._ways[number:], owner
                if refused:
                    print(f"  {refused}; going on with {way.place}", file=sys.stderr)
                return auth
        ways = "run `kaggle auth login`, or set KAGGLE_API_TOKEN, or put kaggle.json into ~/.kaggle"
        raise Refused(str(refused) if refused else f"no valid Kaggle credentials: {ways}")
