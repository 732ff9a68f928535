"""The part of the local Kaggle that knows who is asking: keys, tokens, and logins that expire and are renewed."""

import base64

OWNER = "alice"
OPEN = ("IntrospectToken", "GenerateAccessToken")  # They are asked before anybody is signed in [src: kaggle_creds.py].


class Accounts:
    def reset_accounts(self) -> None:
        self.auth: str | None = None  # the Authorization header of the request at hand; None asks nobody
        self.token = "good"  # KAGGLE_API_TOKEN
        self.keys: set[str] | None = None  # of OWNER in kaggle.json; None takes any
        self.tokens: dict[str, float] = {}  # of logins: {token: when it expires}
        self.refresh = {"refresh-1"}
        self.lifetime = 43200  # seconds: 12 hours [src: KaggleCredentials.DEFAULT_ACCESS_TOKEN_EXPIRATION]
        self.made = 0

    def admits(self, header: str | None) -> bool:
        """Basic is kaggle.json's user and key, Bearer a token [src: KaggleHttpClient._try_fill_auth]."""
        if header is None:
            return True
        kind, _, rest = header.partition(" ")
        if kind == "Basic":
            user, _, key = base64.b64decode(rest).decode().partition(":")
            return user == OWNER and (self.keys is None or key in self.keys)
        return kind == "Bearer" and self._is_alive(rest)

    def _is_alive(self, token: str) -> bool:
        return token == self.token or self.tokens.get(token, 0.0) > self.now()

    def IntrospectToken(self, body: dict):
        # An unknown token is not active [src: _introspect_token reads that, and takes 400, 403 and 404 for the same].
        active = self._is_alive(body["token"])
        return 200, {"active": active, **({"username": OWNER} if active else {})}, {}

    def GenerateAccessToken(self, body: dict):
        # A refresh token outlives its access tokens; an unknown one is 401 [src: _authenticate_with_oauth_creds].
        if body.get("refreshToken") not in self.refresh:
            return 401, {"code": 401, "message": "Invalid refresh token"}, {}
        self.made += 1
        token = f"access-{self.made}"
        self.tokens[token] = self.now() + self.lifetime
        return 200, {"token": token, "expiresIn": self.lifetime, "userName": OWNER}, {}
