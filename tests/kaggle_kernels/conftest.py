"""Gives tests the real Kaggle client, a Kaggle of our own to talk to, and a wall around loopback."""

import contextlib
import io
import ipaddress
import os
import random
import shutil
import socket
from dataclasses import dataclass

import pytest
import requests
from kagglesdk.kaggle_env import KaggleEnv, get_env

from tests.kaggle_kernels.bad_luck import Killed
from tests.kaggle_kernels.kaggle_checkout import ROOT, make_kernel, make_run
from tests.kaggle_kernels.kaggle_server import OWNER, Server


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def client_environment(tmp_path_factory):
    """The environment that points the real client at `server`."""
    config = tmp_path_factory.mktemp("kaggle_config")
    environment = {
        "KAGGLE_CONFIG_DIR": str(config),
        "KAGGLE_USERNAME": OWNER,
        "KAGGLE_KEY": "fake",
        "HOME": str(config),
    }
    environment |= {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "NO_PROXY": "", "no_proxy": ""}
    environment |= dict.fromkeys(
        ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9"
    )
    return environment


@pytest.fixture(scope="session")
def running_server():
    return Server()


@pytest.fixture(autouse=True)
def wall(monkeypatch):
    """No socket of this process reaches anything but loopback, and no name is looked up."""
    real = socket.socket.connect

    def connect(self, address):
        if self.family != socket.AF_UNIX and not ipaddress.ip_address(address[0]).is_loopback:
            raise AssertionError(f"a test wants to reach {address}")
        return real(self, address)

    def look_up(host, *args, **kwargs):
        if host not in ("127.0.0.1", "localhost", "::1", None):
            raise AssertionError(f"a test wants to look up {host}")
        return resolve(host, *args, **kwargs)

    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.fixture
def server(running_server, client_environment, monkeypatch):
    """Kaggle, empty, with the client pointed at it."""
    running_server.reset()
    for name in [name for name in os.environ if name.startswith("KAGGLE_")]:
        monkeypatch.delenv(name)
    for name, value in client_environment.items():
        monkeypatch.setenv(name, value)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{running_server.port}")
    assert get_env() == KaggleEnv.LOCAL, "the client is not pointed at loopback"
    return running_server


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small checkout to run commands in: templates, code, and an iteration that is trained."""
    shutil.copytree(ROOT / "datasets_meta", tmp_path / "datasets_meta", ignore=shutil.ignore_patterns("*.lock.json"))
    for path, text in {
        "shared/a.py": "A = 1\n",
        "inference/b.py": "B = 2\n",
        "inference/engines/c.py": "",
        "inference/p.toml": "x = 1\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    make_run(tmp_path / "runs/iter1/full", random.Random("run"))
    make_kernel(tmp_path / "kaggle_kernels/submit", internet=False)
    make_kernel(tmp_path / "kaggle_kernels/wheels", internet=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def publish(server, checkout):
    """Run one command line in this process: publish("push-models", "iter=1") -> Outcome."""
    clock = FakeClock()
    server.now, server.stale = clock.now, 20.0

    def run(*arguments: str) -> Outcome:
        from kaggle_kernels.cli import main

        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(list(arguments), clock)
        return Outcome(code, out.getvalue(), err.getvalue())

    run.clock = clock
    return run


@pytest.fixture
def kill(monkeypatch):
    """kill(n, after): the process dies at its n-th message to Kaggle, before it goes out or after it was answered."""
    real, plan = requests.Session.send, {}

    def send(self, request, **settings):
        plan["left"] = plan.get("left", -1) - 1
        if plan["left"] == 0 and not plan["after"]:
            raise Killed
        answer = real(self, request, **settings)
        if plan["left"] == 0:
            raise Killed
        return answer

    monkeypatch.setattr(requests.Session, "send", send)
    return lambda left, after: plan.update(left=left, after=after)
