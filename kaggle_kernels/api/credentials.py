"""Finds the ways to sign in to Kaggle on this machine: a token, a key, and the login that `kaggle auth login` left.

They stand where the kaggle package looks for them. Its own signing in is not used: it happens on import, waits without
a limit, and puts an expired token into requests that are to be signed with a sound key.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kagglesdk.kaggle_client import KaggleClient
from kagglesdk.kaggle_creds import KaggleCredentials
from kagglesdk.kaggle_env import get_access_token_from_env
from kagglesdk.kaggle_http_client import KaggleHttpClient
from kagglesdk.security.types.oauth_service import IntrospectTokenRequest
from requests import HTTPError, RequestException

from kaggle_kernels.api.retries import Refused
from kaggle_kernels.api.transport import http_status
from kaggle_kernels.api.types import filled

TIMEOUT_SECONDS = (30, 120)  # They are to connect (and for each write to the socket), and without a byte of answer.
LOGIN = "~/.kaggle/credentials.json"
_LOGIN_REFUSED = f"the login in {LOGIN} is not accepted: run `kaggle auth login`"
TOKENS = ("~/.kaggle/access_token", "~/.kaggle/access_token.txt")


class NotAccepted(Exception):
    """Kaggle does not take this way to sign in; the sentence names where it stands and what to do."""


@dataclass(frozen=True)
class Token:
    value: str
    place: str
    advice: str

    def sign_in(self) -> tuple[str, object]:
        """(who that is, what signs a request)."""
        if not (owner := _introspect(self.value)):
            raise self._refused()
        return owner, KaggleHttpClient.BearerAuth(self.value)

    def renew(self) -> object:
        """A new signature after Kaggle took the old one no more; a token has none."""
        raise self._refused()

    def _refused(self) -> NotAccepted:
        return NotAccepted(f"the token in {self.place} is not accepted: {self.advice}")


@dataclass(frozen=True)
class Key:
    user: str
    key: str
    place: str

    def sign_in(self) -> tuple[str, object]:
        return self.user, (self.user, self.key)

    def renew(self) -> object:
        raise NotAccepted(
            f"the key of {self.user} in {self.place} is not accepted (401): put a new one there, or remove it and run"
            " `kaggle auth login`"
        )


@dataclass(frozen=True)
class Login:
    """Its access token lives for 12 hours, and is renewed with another one that lives longer."""

    place: str = LOGIN

    def sign_in(self) -> tuple[str, object]:
        token, owner = self._ask(KaggleCredentials.get_access_token)
        if not (owner := owner or _introspect(token)):
            raise NotAccepted(_LOGIN_REFUSED)
        return owner, KaggleHttpClient.BearerAuth(token)

    def renew(self) -> object:
        def token(login: KaggleCredentials) -> str:
            try:
                login.refresh_access_token()
            except OSError as error:
                if isinstance(error, RequestException):
                    raise
                # The token is there, and only could not be kept for the next command.
            return login.get_access_token()

        return KaggleHttpClient.BearerAuth(self._ask(token)[0])

    def _ask(self, question: Callable) -> tuple[str, str]:
        """(what `question`(login) answers, whose login it is)."""

        def send(client) -> tuple[str, str]:
            login = KaggleCredentials.load(client)
            return (question(login), login.get_username()) if login else ("", "")

        try:
            answer = call(None, send)
        except HTTPError as error:
            if http_status(error) not in (400, 401, 403, 404):
                raise
            raise NotAccepted(_LOGIN_REFUSED) from None
        if not answer[0]:
            raise NotAccepted(_LOGIN_REFUSED)
        return answer


def call(auth: object, send: Callable):
    """`send`(client), with a client that signs with `auth` and gives up on a dead connection."""
    # Without a token of its own it would look for one, and take one that has expired.
    with KaggleClient(api_token="") as kaggle:
        session = kaggle.http_client()._session
        session.auth, session.send = auth, _timed(session.send)
        return send(kaggle)


def ways_to_sign_in() -> list[Token | Key | Login]:
    """Those that there are, in the order in which kaggle takes them."""
    return [*_tokens(), *_keys(), *([Login()] if Path(LOGIN).expanduser().is_file() else [])]


def check_folder() -> Path:
    """The folder of kaggle's settings. Raises Refused where it cannot be made: kaggle itself does not start then."""
    folder = _folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        sentence = f"kaggle cannot write {_shown(folder)}: set KAGGLE_CONFIG_DIR to a folder that can be written"
        raise Refused(sentence) from None
    return folder


def _shown(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)


def _folder() -> Path:
    if own := os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(own)
    folder = Path("~/.kaggle").expanduser()
    if sys.platform.startswith("linux") and not folder.exists():
        return Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "kaggle"
    return folder


def _tokens() -> list[Token]:
    value, source = get_access_token_from_env()
    if not value:
        return []
    if source == "access_token":
        place = next(place for place in TOKENS if Path(place).expanduser().is_file())
        return [Token(value, place, "remove the file, or put a new one there")]
    return [Token(value, source, "unset it, or set it to a new one")]


def _keys() -> list[Key]:
    path = _folder() / "kaggle.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError:
        raise Refused(f"{_shown(path)} is not JSON: download it again from your account's page at Kaggle") from None
    kept = kept if isinstance(kept, dict) else {}
    user, key = (os.environ.get(f"KAGGLE_{name.upper()}") or kept.get(name) for name in ("username", "key"))
    place = "KAGGLE_USERNAME and KAGGLE_KEY" if os.environ.get("KAGGLE_KEY") else _shown(path)
    return [Key(user, key, place)] if user and key else []


def _introspect(token: str) -> str:
    """Whose token it is; "" where Kaggle does not know it."""
    request = filled(IntrospectTokenRequest(), token=token)
    auth = KaggleHttpClient.BearerAuth(token)
    try:
        answer = call(auth, lambda client: client.security.oauth_client.introspect_token(request))
    except HTTPError as error:
        if http_status(error) not in (400, 401, 403, 404):
            raise
        return ""
    return (answer.username or "") if answer.active else ""


def _timed(send: Callable) -> Callable:
    return lambda request, **settings: send(request, **{**settings, "timeout": TIMEOUT_SECONDS})
