"""Gives tests the real Kaggle client, a Kaggle of our own to talk to, and a wall around loopback."""

import ipaddress
import os
import socket

import pytest
import requests
from kagglesdk.kaggle_env import KaggleEnv, get_env

from tests.kaggle_kernels.bad_luck import Killed
from tests.kaggle_kernels.kaggle_server import Server
from tests.kaggle_kernels.lab import Publish, lay_out_checkout, pointed_at


@pytest.fixture(scope="session")
def client_environment(tmp_path_factory, running_server):
    """The environment that points the real client at `server`."""
    return pointed_at(running_server.port, tmp_path_factory.mktemp("kaggle_config"))


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
    assert get_env() == KaggleEnv.LOCAL, "the client is not pointed at loopback"
    return running_server


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small checkout to run commands in, and the folder that they run in."""
    lay_out_checkout(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def publish(server, checkout):
    """Run one command line in this process: publish("push-models", "iter=1") -> Outcome."""
    return Publish(server)


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
