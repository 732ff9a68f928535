"""Guards signing in: which of several ways is taken, a login that expires on the way, and homes without a folder."""

import datetime
import json
from pathlib import Path

import pytest

from tests.kaggle_kernels.kaggle_checkout import failure


@pytest.fixture
def home(tmp_path, monkeypatch, server):
    """home(name, content) writes a file into ~/.kaggle of a home of its own, without any way to sign in."""
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home/.kaggle").mkdir(parents=True)

    def put(name: str, content: str | dict) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "home/.kaggle" / name).write_text(text, encoding="utf-8")

    return put


def _key(key: str = "fake") -> dict:
    return {"username": "alice", "key": key}


def _login(server, expires: float, token: str = "access-0") -> dict:
    """What `kaggle auth login` leaves, with an access token until `expires`."""
    server.tokens[token] = expires
    when = datetime.datetime.fromtimestamp(expires, datetime.UTC).isoformat()
    return {
        "refresh_token": "refresh-1",
        "access_token": token,
        "access_token_expiration": when,
        "username": "alice",
        "scopes": ["resources.admin:*"],
    }


@pytest.mark.parametrize("beside", ["key", "login"])
@pytest.mark.parametrize("where", ["file", "variable"])
def test_an_expired_token_beside_a_sound_key_or_login_is_named_and_the_sound_one_used(
    where, beside, home, server, publish, monkeypatch
):
    home("access_token", "expired") if where == "file" else monkeypatch.setenv("KAGGLE_API_TOKEN", "expired")
    home("kaggle.json", _key()) if beside == "key" else home("credentials.json", _login(server, 2e9))
    outcome = publish("push-code")
    assert outcome.code == 0, outcome.err
    named = "~/.kaggle/access_token is not accepted: remove the file" if where == "file" else "KAGGLE_API_TOKEN is not"
    assert f"the token in {named}" in outcome.err and "going on with " in outcome.err


def test_an_expired_token_alone_is_named_with_its_place(home, server, publish):
    home("access_token", "expired")
    said = failure(publish("push-code"))
    assert said.endswith("the token in ~/.kaggle/access_token is not accepted: remove the file, or put a new one there")


def test_a_key_that_kaggle_takes_no_more_gives_way_to_a_login_of_the_same_person(home, server, publish):
    server.keys = {"new"}
    home("kaggle.json", _key("old"))
    assert "the key of alice in" in failure(publish("push-code"))
    home("credentials.json", _login(server, 2e9))
    assert publish("push-code").code == 0
    assert {body["ownerSlug"] for name, body in server.log if name == "CreateDataset"} == {"alice"}


def test_a_login_of_somebody_else_is_not_taken_in_the_middle_of_a_command(home, server, publish):
    server.keys = {"new"}
    home("kaggle.json", _key("old"))
    home("credentials.json", {**_login(server, 2e9), "username": "bob"})
    assert "the key of alice in" in failure(publish("push-code"))


def test_a_login_that_expires_in_a_long_wait_is_renewed_and_what_was_asked_is_asked_again(home, server, publish):
    home("credentials.json", _login(server, publish.clock.now() + 3600))
    server.kernel_statuses = [*["RUNNING"] * 300, "COMPLETE"]  # with pauses of two minutes: ten hours
    server.lifetime = 3600
    outcome = publish("push-wheels", "wait=40000")
    assert outcome.code == 0, outcome.err
    assert server.made > 5 and server.count("SaveKernel") == 1


def test_a_login_that_expired_a_moment_ago_is_renewed_and_kept(home, server, publish):
    home("credentials.json", _login(server, publish.clock.now() - 1))  # kagglesdk takes it for good for half an hour
    assert publish("push-code").code == 0
    assert server.made == 1 and len(server.datasets["malrule-code"]["versions"]) == 1
    kept = json.loads(Path("~/.kaggle/credentials.json").expanduser().read_text(encoding="utf-8"))
    assert kept["access_token"] == "access-1"


def test_a_login_that_expires_just_before_a_write_is_renewed_and_the_write_carried_out_once(home, server, publish):
    home("credentials.json", _login(server, 2e9))
    real = server.StartBlobUpload

    def last_address(body):
        server.tokens.clear()
        return real(body)

    server.StartBlobUpload = last_address
    assert publish("push-code").code == 0
    del server.StartBlobUpload
    assert server.made >= 1 and len(server.datasets["malrule-code"]["versions"]) == 1


def test_a_login_that_cannot_be_renewed_ends_in_one_sentence(home, server, publish):
    home("credentials.json", _login(server, publish.clock.now() - 1))
    server.refresh.clear()
    outcome = publish("push-code")
    assert "the login in ~/.kaggle/credentials.json is not accepted: run `kaggle auth login`" in failure(outcome)
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("place", ["/dev/null", "a file"])
def test_a_home_that_cannot_be_written_is_said_in_one_sentence(place, server, publish, tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("", encoding="utf-8")
    monkeypatch.setenv("HOME", place if place.startswith("/") else str(tmp_path / place))
    monkeypatch.delenv("KAGGLE_CONFIG_DIR")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    outcome = publish("push-code")
    sentence = "kaggle cannot write ~/.config/kaggle: set KAGGLE_CONFIG_DIR to a folder that can be written"
    assert failure(outcome) == f"push-code: {sentence}" and outcome.err.count("\n") == 1
    assert not server.log


def test_a_broken_kaggle_json_is_named(home, server, publish):
    home("kaggle.json", "{")
    assert "kaggle.json is not JSON" in failure(publish("push-code"))
