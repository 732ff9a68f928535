"""Gives tests the real Kaggle client, a Kaggle of our own to talk to, and a wall around loopback."""

import contextlib
import io
import ipaddress
import json
import os
import random
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from kaggle_server import OWNER, Server

from shared.manifest import write_manifest

ROOT = Path(__file__).parents[2]


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
    """The environment that points the real client at `server`; kaggle is imported under it, and under no other."""
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
    with contextlib.redirect_stdout(io.StringIO()):
        from kaggle.api.kaggle_api_extended import KaggleApi
    assert "--local" in KaggleApi.args, "kaggle was imported before it was pointed at loopback"
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
        (tmp_path / path).write_text(text)
    for role in ("embedder", "reranker"):
        make_model(tmp_path / "runs/iter1/full" / f"merge_{role}", random.Random(role))
    make_kernel(tmp_path / "kaggle_kernels/submit", internet=False)
    make_kernel(tmp_path / "kaggle_kernels/wheels", internet=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def publish(server, checkout):
    """Run one command line in this process: publish("push-models", "iter=1") -> Outcome."""
    clock = FakeClock()

    def run(*arguments: str) -> Outcome:
        from kaggle_kernels.publish import main

        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(list(arguments), clock)
        return Outcome(code, out.getvalue(), err.getvalue())

    run.clock = clock
    return run


def make_model(folder: Path, draw: random.Random, size: int = 3000) -> None:
    """A merged model as merge writes it, of which nothing but the safetensors file's form is real."""
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(safetensors(draw.randbytes(size)))
    (folder / "config.json").write_text(json.dumps({"hidden_size": draw.randrange(1000)}))
    (folder / "1_Pooling/config.json").write_text(json.dumps({"of": folder.name}))
    empty = "vocab.txt" if "embedder" in folder.name else "merges.txt"  # an empty file must travel too
    (folder / empty).write_text("")
    (folder / "card.json").write_text(json.dumps({"examples": [[1, 2, {"query": folder.name, "answer": "a"}]]}))
    write_manifest(folder, {"stage": folder.name, "base": "BAAI/bge-en-icl", "iteration": "iter1"})


def safetensors(data: bytes, metadata: dict | None = None) -> bytes:
    """A file with one tensor of bytes."""
    header = {
        "__metadata__": metadata or {},
        "t": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]},
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def make_kernel(folder: Path, internet: bool) -> None:
    """A kernel folder with every field written."""
    folder.mkdir(parents=True)
    name = "wheels" if internet else "submit"
    metadata = {
        "id": f"malrule-{name}",
        "title": f"malrule {name}",
        "code_file": "kernel.py",
        "language": "python",
        "kernel_type": "script",
    }
    metadata |= {
        "is_private": True,
        "enable_gpu": True,
        "enable_tpu": False,
        "enable_internet": internet,
        "machine_shape": "NvidiaTeslaT4",
    }
    metadata |= {
        "docker_image": "gcr.io/kaggle-private-byod/python@sha256:" + "1" * 64,
        "docker_image_pinning_type": "original",
    }
    sources = [] if internet else ["malrule-code", "malrule-{tag}-embedder", "malrule-{tag}-reranker"]
    metadata |= {
        "dataset_sources": sources,
        "kernel_sources": [] if internet else ["malrule-wheels"],
        "model_sources": [],
    }
    metadata["competition_sources"] = [] if internet else ["eedi-mining-misconceptions-in-mathematics"]
    (folder / "kernel-metadata.json").write_text(json.dumps(metadata))
    (folder / "kernel.py").write_text("SOURCES = {}\nprint(SOURCES)\n")
