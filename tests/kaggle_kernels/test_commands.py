"""Guards the commands: what it refuses, the competition's data, signing in, kills, secrets."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.kaggle_kernels.kaggle_checkout import ROOT, failure, make_model, make_run, make_vectors
from tests.kaggle_kernels.kaggle_server import packed
from tests.kaggle_kernels.kaggle_storage import Fault

COMPETITION = {
    "train.csv": b"a,b\n1,2\n",
    "test.csv": b"a\n1\n",
    "misconception_mapping.csv": b"id,name\n",
    "sub/x.csv": b"",
}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say what to do; python -m kaggle_kernels --help lists the verbs"),
        (["push"], "'push' is no verb"),
        (["push-model"], "did you mean push-models?"),
        (["push-models"], "say which iteration: iter=1"),
        (["push-models", "iter=7"], "merge_embedder is not there, or not complete: just train iter=7 split=full"),
        (["push-models", "iter=1", "split=cv"], "not complete: just train iter=1 split=cv"),
        (["push-models", "iter=1", "--pub"], "'--pub' is none of iter=..., split=..., vectors=..."),
        (["push-models", "iter=1", "--pub"], "did you mean --public?"),
        (["push-models", "itr=1"], "'itr=1' is none of iter=..., "),
        (["push-models", "itr=1"], "did you mean iter=1?"),
        (["push-models", "iter=1", "iter=2"], "iter=1 and iter=2: say it once"),
        (["push-models", "iter=1", "quantized", "quantized=reranker"], "quantized=reranker: say one of them"),
        (["push-models", "--help=1"], "Option '--help' does not take a value"),
        (["push-models", "iter=1", "public=1"], "'public=1' is none of "),
        (["data", "--public"], "'--public' is none of competition=..., --dry-run"),
        (["push-models", "iter=1", "--public"], "card.json quotes items of the competition"),
        (["push-kernel", "iter=1"], "kernel malrule-wheels was not pushed from here"),
        (["kernel-status"], "kernel malrule-submit was not pushed from here"),
        (["submit"], "kernel malrule-submit was not pushed from here"),
        (["data", "competition=../eedi"], "competition='../eedi' is no competition's name"),
        (["submit", "wait=soon"], "wait='soon' is no number of seconds"),
    ],
)
def test_a_command_that_cannot_be_carried_out_says_so_in_one_sentence_and_sends_nothing(
    arguments, words, publish, server
):
    outcome = publish(*arguments)
    assert words in failure(outcome) and outcome.err.count("\n") == 1
    assert not server.blobs and not server.kernels


def test_the_data_appear_whole_or_not_at_all(publish, server, checkout, monkeypatch):
    synced, sync = [], os.fsync
    server.data = {name: len(data) for name, data in COMPETITION.items()}
    server.archive = packed({**COMPETITION, "train.csv": b"short"})
    assert "train.csv of the competition's archive has 5 bytes, Kaggle lists 8" in failure(publish("data"))
    server.archive = packed(COMPETITION)[:-30]
    assert "archive is broken" in failure(publish("data"))
    server.archive = packed({name: data for name, data in COMPETITION.items() if name != "test.csv"})
    assert "lacks test.csv" in failure(publish("data"))
    assert not (checkout / "data/eedi").exists()
    server.archive, server.faults = (
        packed(COMPETITION),
        [Fault("DownloadDataFiles", 0, "cut"), Fault("DownloadDataFiles", 1, "500")],
    )
    monkeypatch.setattr(os, "fsync", lambda place: synced.append(os.readlink(f"/proc/self/fd/{place}")) or sync(place))
    assert publish("data").code == 0
    assert {str(checkout / "data/.eedi.partial/files" / name) for name in COMPETITION} <= set(synced)  # then the rename
    assert {name: (checkout / "data/eedi" / name).read_bytes() for name in COMPETITION} == COMPETITION
    assert "already there" in publish("data").out
    server.faults = []
    assert publish("data", "competition=other").code == 0  # never among Eedi's
    assert (checkout / "data/other/train.csv").is_file()


@pytest.mark.parametrize("name", ["../evil.csv", "/tmp/evil.csv", "a/../../evil.csv", "a\\..\\evil.csv"])
def test_an_archive_that_wants_to_leave_its_folder_is_refused(name, publish, server, checkout):
    server.data, server.archive = {"train.csv": 1}, packed({"train.csv": b"x", name: b"evil"})
    assert "wants to write to" in failure(publish("data"))
    assert not list(checkout.rglob("evil*"))


def test_the_rules_must_be_accepted_first(publish, server):
    server.faults = [Fault("ListDataFiles", 0, "403")]
    assert "accept its rules at https://www.kaggle.com/competitions/eedi" in failure(publish("data"))


def test_without_credentials_nothing_but_one_sentence_is_printed(publish, server, monkeypatch):
    monkeypatch.delenv("KAGGLE_KEY")
    outcome = publish("push-code")
    assert "no valid Kaggle credentials" in failure(outcome) and outcome.out == "" and outcome.err.count("\n") == 1


def test_a_token_signs_in_and_a_wrong_one_does_not(publish, server, monkeypatch):
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "good")
    assert publish("push-code").code == 0
    monkeypatch.setenv("KAGGLE_API_TOKEN", "expired")
    assert "the token in KAGGLE_API_TOKEN is not accepted" in failure(publish("push-code"))


# what only a process of its own can show


def _start(checkout, server, environment, *arguments):
    own = {**environment, "PATH": os.environ["PATH"], "PYTHONPATH": f"{_walled(checkout)}:{ROOT}"}
    own |= dict.fromkeys(("HTTP_PROXY", "http_proxy"), f"http://127.0.0.1:{server.port}")
    command = [
        sys.executable,
        "-P",
        "-m",
        "kaggle_kernels",
        *arguments,
    ]  # -P: not its small shared/
    return subprocess.Popen(
        command, cwd=checkout, env={**own, "VERBOSE": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _walled(checkout) -> Path:
    """A folder that Python looks into when it starts, with the wall of conftest.py for that process."""
    folder = checkout / "wall"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(
        "import ipaddress, socket\n"
        "real = socket.socket.connect\n"
        "def connect(self, address):\n"
        "    if not ipaddress.ip_address(address[0]).is_loopback:\n"
        "        raise SystemExit(f'wall: {address}')\n"
        "    return real(self, address)\n"
        "socket.socket.connect = connect\n",
        encoding="utf-8",
    )
    return folder


def test_a_kill_9_in_the_middle_of_an_upload_costs_only_what_had_not_arrived(server, checkout, client_environment):
    size = 30_000_000
    make_run(checkout / "runs/iter2/full", random.Random("run"), 100)
    shutil.rmtree(checkout / "runs/iter2/full/merge_embedder")
    make_model(checkout / "runs/iter2/full/merge_embedder", random.Random("large"), size)
    make_vectors(checkout / "runs/iter2/full")
    server.storage.stall = {"reached": threading.Event(), "go": threading.Event()}
    process = _start(checkout, server, client_environment, "push-models", "iter=2")
    assert server.storage.stall["reached"].wait(60), process.communicate(timeout=5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    server.storage.stall["go"].set()
    server.storage.stall = None
    blob = next(blob for blob in server.blobs.values() if blob.size > size)
    there = len(blob.data)
    assert size // 2 < there < blob.size and not blob.done
    process = _start(checkout, server, client_environment, "push-models", "iter=2")
    _, err = (text.decode() for text in process.communicate(timeout=120))
    assert process.returncode == 0, err
    assert (
        server.newest("malrule-iter2-embedder").files["model.safetensors"]
        == (checkout / "runs/iter2/full/merge_embedder/model.safetensors").read_bytes()
    )
    small = sum(blob.size for blob in server.blobs.values() if blob.size < size)
    assert server.storage.sent_bytes <= blob.size + small + 2_000_000  # what was on its way when it died travels again
    assert len(server.storage.completed()) == len(set(server.storage.completed()))


@pytest.mark.parametrize("kind", ["key", "token"])
def test_nothing_secret_is_printed_by_a_whole_release_even_with_verbose_set(kind, server, checkout, client_environment):
    secret = "abcdef0123456789abcdef0123456789"
    server.token = f"KGAT_{secret}"
    environment = {**client_environment, "VERBOSE_OUTPUT": "1"}
    environment |= {"KAGGLE_KEY": secret} if kind == "key" else {"KAGGLE_API_TOKEN": server.token}
    process = _start(checkout, server, environment, "release", "iter=1")
    out, err = (text.decode() for text in process.communicate(timeout=120))
    assert process.returncode == 0, err
    said = (out + err).lower()
    assert not any(word in said for word in ("authorization", "basic ", "bearer", secret, "localhost/upload", "token-"))
    assert "submission 1 of malrule-submit version 1" in out
