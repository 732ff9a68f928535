"""Guards the verbs of publish.py, one by one, against a Kaggle of our own."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from kaggle_checkout import ROOT, make_model, make_run, make_vectors, safetensors
from kaggle_server import Fault, Version, packed

from shared.manifest import write_manifest

COMPETITION = {
    "train.csv": b"a,b\n1,2\n",
    "test.csv": b"a\n1\n",
    "misconception_mapping.csv": b"id,name\n",
    "sub/x.csv": b"",
}


def _failure(outcome) -> str:
    assert outcome.code == 1, outcome
    return outcome.err.splitlines()[-1]


def _rewrite(path: Path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_release_brings_everything_up_and_a_second_one_sends_nothing(server, publish, checkout):
    first = publish("release", "iter=1")
    assert (first.code, first.err.count("release:")) == (0, 0), first.err
    assert set(server.datasets) == {"malrule-code", "malrule-iter1-embedder", "malrule-iter1-reranker"}
    assert set(server.kernels) == {"malrule-wheels", "malrule-submit"}
    record = json.loads((checkout / "runs/iter1/full/submission.json").read_text())
    assert (record["public_score"], record["private_score"]) == ("0.505", "0.472")
    assert set(record["sources"]) == set(server.datasets)
    writes = len(server.blobs), server.count("SaveKernel"), server.count("CreateCodeSubmission")
    second = publish("release", "iter=1")
    assert second.code == 0, second.err
    assert (len(server.blobs), server.count("SaveKernel"), server.count("CreateCodeSubmission")) == writes
    assert second.out.count("already there") == 5


def test_what_travels_is_private_with_folders_licence_card_and_kept_times(server, publish, checkout):
    os.utime(checkout / "runs/iter1/full/merge_embedder/config.json", (1e9, 1e9))
    assert publish("push-models", "iter=1").code == 0
    created = server.datasets["malrule-iter1-embedder"]["created"]
    assert (created["isPrivate"], created["licenseName"], created["title"]) == (True, "other", "malrule iter1 embedder")
    assert [folder["name"] for folder in created["directories"]] == ["1_Pooling"]
    assert '| base | "BAAI/bge-en-icl" |' in created["description"] and "Licence: other." in created["description"]
    started = [body for name, body in server.log if name == "StartBlobUpload" and body["name"] == "config.json"]
    assert 1_000_000_000 in [body["lastModifiedEpochSeconds"] for body in started]
    staged = checkout / ".cache/kaggle/malrule-iter1-embedder/files/model.safetensors"
    assert staged.samefile(checkout / "runs/iter1/full/merge_embedder/model.safetensors")


def test_a_changed_model_makes_the_next_version_and_only_of_that_model(server, publish, checkout):
    assert publish("push-models", "iter=1").code == 0
    folder = checkout / "runs/iter1/full/merge_reranker"
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(safetensors(b"other"))
    write_manifest(folder, {"stage": "merge_reranker"})
    again = publish("push-models", "iter=1")
    assert "malrule-iter1-embedder version 1 is already there" in again.out
    assert "malrule-iter1-reranker version 2 is there" in again.out
    assert server.newest("malrule-iter1-reranker").files["model.safetensors"] == safetensors(b"other")


def test_a_dry_run_says_what_would_go_and_sends_nothing(server, publish):
    outcome = publish("release", "iter=1", "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "would send the new dataset alice/malrule-iter1-embedder, private, 7 files, " in outcome.out
    assert "model.safetensors  3,094 bytes" in outcome.out
    assert "vectors.safetensors  " in outcome.out
    assert '"enableInternet": false' in outcome.out and "would push alice/malrule-wheels" in outcome.out
    assert {name for name, _ in server.log} <= {"GetDataset", "GetDatasetStatus", "GetKernel", "GetSubmissionLimits"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "'' is no verb"),
        (["push"], "'push' is no verb"),
        (["push-models"], "which iteration? just push-models iter=1"),
        (["push-models", "iter=7"], "merge_embedder is not there, or not complete: just train iter=7 split=full"),
        (["push-models", "iter=1", "split=cv"], "not complete: just train iter=1 split=cv"),
        (["push-models", "iter=1", "--pub"], "'--pub' is nothing that push-models takes"),
        (["push-models", "iter=1", "public=1"], "'public=1' is nothing that push-models takes"),
        (["push-models", "iter=1", "--public"], "card.json quotes items of the competition"),
        (["push-kernel", "iter=1"], "kernel malrule-wheels was not pushed from here"),
        (["kernel-status"], "kernel malrule-submit was not pushed from here"),
        (["submit"], "kernel malrule-submit was not pushed from here"),
        (["submit", "wait=soon"], "wait='soon' is no number of seconds"),
    ],
)
def test_a_command_that_cannot_be_carried_out_says_so_in_one_sentence_and_sends_nothing(
    arguments, words, publish, server
):
    outcome = publish(*arguments)
    assert words in _failure(outcome) and outcome.err.count("\n") == 1
    assert not server.blobs and not server.kernels


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": "short"}, "has 5 characters"),
        ({"title": "x" * 51}, "has 51 characters"),
        ({"id": "OWNER/another-slug"}, "gives the slug 'malrule-iter1-embedder', not 'another-slug'"),
        ({"id": "OWNER/Bad_Slug"}, "is not of 6 to 50 lower-case letters"),
        ({"licenses": []}, "exactly one"),
        ({"licenses": [{"name": "apache-2.0"}, {"name": "other"}]}, "exactly one"),
        ({"licenses": [{"name": "my own"}]}, "exactly one"),
        ({"subtitle": "too short"}, "has 9 characters"),
    ],
)
def test_metadata_that_kaggle_would_refuse_is_refused_before_a_byte_moves(changes, words, publish, server, checkout):
    _rewrite(checkout / "datasets_meta/embedder/dataset-metadata.json", **changes)
    assert words in _failure(publish("push-models", "iter=1"))
    assert not server.log or {name for name, _ in server.log} <= {"IntrospectToken"}


def test_more_than_fifty_entries_and_an_altered_model_are_refused_before_a_byte_moves(publish, server, checkout):
    folder = checkout / "runs/iter1/full/merge_embedder"
    (folder / "config.json").write_text("{} ")
    assert "config.json differs" in _failure(publish("push-models", "iter=1"))
    for number in range(60):
        (folder / f"model-{number}.safetensors").write_bytes(safetensors(b""))
    write_manifest(folder, {})
    assert "has 66 files and folders at its top; Kaggle takes 50" in _failure(
        publish("push-models", "iter=1", "vectors=skip")
    )
    assert not server.blobs


def test_a_public_dataset_is_never_given_a_private_push_nor_the_other_way_round(publish, server, checkout):
    server.datasets["malrule-code"] = {
        "private": False,
        "versions": [Version({"a": b""}, "", ["READY"], 0)],
        "created": {},
    }
    assert "malrule-code is public and this push is private" in _failure(publish("push-code"))
    server.datasets["malrule-code"]["private"] = True
    assert "malrule-code is private and this push is public" in _failure(publish("push-code", "--public"))
    assert not server.blobs
    server.datasets.clear()
    assert publish("push-code", "--public").code == 0
    assert server.datasets["malrule-code"]["private"] is False


def test_weights_become_public_only_under_the_licence_of_their_base(publish, server, checkout):
    for role in ("embedder", "reranker"):
        folder = checkout / f"runs/iter1/full/merge_{role}"
        (folder / "card.json").write_text("{}")
        write_manifest(folder, {})
    make_vectors(checkout / "runs/iter1/full")
    assert "must name the licence of the base model" in _failure(publish("push-models", "iter=1", "--public"))
    for role in ("embedder", "reranker"):
        _rewrite(checkout / f"datasets_meta/{role}/dataset-metadata.json", licenses=[{"name": "apache-2.0"}])
    assert publish("push-models", "iter=1", "--public").code == 0
    assert server.datasets["malrule-iter1-embedder"]["private"] is False


def test_a_quota_breach_after_success_is_a_failure_and_running_again_sends_anew(publish, server):
    server.statuses = [["BLOBS_RECEIVED", "FAILED"]]
    assert "could not process it (FAILED)" in _failure(publish("push-code"))
    assert publish("push-code").code == 0


def test_a_deleted_dataset_and_one_that_is_never_ready_are_said_to_be_so(publish, server):
    server.statuses = [["BLOBS_RECEIVED"]]
    assert "is not ready yet (BLOBS_RECEIVED): run the same command again" in _failure(publish("push-code", "wait=900"))
    server.newest("malrule-code").statuses = ["READY"]
    blobs = len(server.blobs)
    assert publish("push-code").code == 0
    assert len(server.blobs) == blobs
    server.newest("malrule-code").statuses = ["DELETED"]
    assert "was deleted, and Kaggle does not take its name again" in _failure(publish("push-code"))


def test_a_lock_of_another_owner_is_not_believed(publish, server, checkout):
    assert publish("push-code").code == 0
    _rewrite(checkout / "datasets_meta/malrule-code.lock.json", owner="bob", digest="0")
    assert "version 1 is already there" in publish("push-code").out  # its manifest says so
    assert json.loads((checkout / "datasets_meta/malrule-code.lock.json").read_text())["owner"] == "alice"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"enable_internet": True}, "enable_internet must be false"),
        ({"enable_internet": None}, "enable_internet must be written, and be a bool"),
        ({"is_private": False}, "is_private must be true"),
        ({"machine_shape": "NvidiaTeslaP100"}, "machine_shape 'NvidiaTeslaP100' is none of"),
        ({"docker_image": "gcr.io/kaggle-private-byod/python:latest"}, "must be pinned by its digest"),
        (
            {"docker_image": "gcr.io/kaggle-images/python@sha256:" + "1" * 64},
            "is the CPU image, which wins over the GPU",
        ),
        ({"docker_image_pinning_type": "latest"}, "must be pinned by its digest"),
        ({"title": "another title"}, "gives the slug 'another-title'"),
        ({"code_file": "absent.py"}, "absent.py does not exist"),
        ({"dataset_sources": "malrule-code"}, "dataset_sources must be written, and be a list"),
    ],
)
def test_a_kernel_that_could_not_be_submitted_is_not_pushed(changes, words, publish, server, checkout):
    _rewrite(checkout / "kaggle_kernels/submit/kernel-metadata.json", **changes)
    assert words in _failure(publish("push-kernel", "iter=1"))
    assert not server.kernels


def test_a_kernel_needs_its_datasets_at_the_versions_in_the_locks(publish, server):
    assert publish("push-wheels").code == 0
    assert "malrule-code was not pushed from here" in _failure(publish("push-kernel", "iter=1"))
    assert publish("push-code").code == publish("push-models", "iter=1").code == 0
    server.datasets["malrule-code"]["versions"].append(Version({"x": b""}, "", ["READY"], 0))
    assert "should be version 1, READY, and Kaggle has version 2" in _failure(publish("push-kernel", "iter=1"))


def test_a_source_that_kaggle_drops_is_a_failure_although_kaggle_says_success(publish, server):
    assert publish("push-code").code == publish("push-models", "iter=1").code == publish("push-wheels").code == 0
    server.invalid_sources = ["alice/malrule-iter1-reranker"]
    assert "WITHOUT its sources alice/malrule-iter1-reranker" in _failure(publish("push-kernel", "iter=1"))
    server.faults = [Fault("SaveKernel", 0, "cut_after")]  # the same, and the answer that says so is lost
    assert "has datasetDataSources" in _failure(publish("push-kernel", "iter=1"))
    assert "was not pushed from here" in _failure(publish("submit"))


def test_a_notebook_travels_without_outputs_and_with_its_sources(publish, server, checkout):
    folder = checkout / "kaggle_kernels/submit"
    _rewrite(folder / "kernel-metadata.json", kernel_type="notebook", code_file="kernel.ipynb")
    cell = {
        "cell_type": "code",
        "source": ["x = 1\n", "SOURCES = {}\n"],
        "outputs": [{"text": "secret"}],
        "metadata": {},
    }
    (folder / "kernel.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    assert all(publish(*command).code == 0 for command in (["push-code"], ["push-models", "iter=1"], ["push-wheels"]))
    assert publish("push-kernel", "iter=1").code == 0
    (sent,) = json.loads(server.kernels["malrule-submit"]["versions"][-1]["text"])["cells"]
    assert sent["outputs"] == [] and sent["source"].startswith('x = 1\nSOURCES = {"malrule-code": {"digest": "')


@pytest.mark.parametrize(
    ("status", "code"), [("QUEUED", 0), ("RUNNING", 0), ("COMPLETE", 0), ("ERROR", 1), ("CANCEL_ACKNOWLEDGED", 1)]
)
def test_kernel_status_tells_a_failed_run_by_its_exit_status(status, code, publish, server):
    assert publish("push-wheels").code == 0
    server.kernels["malrule-wheels"]["statuses"][1] = [status]
    outcome = publish("kernel-status", "kernel=wheels")
    assert (outcome.code, f"malrule-wheels version 1: {status}" in outcome.out + outcome.err) == (code, True)


def test_a_submission_waits_for_the_run_and_looks_at_its_output_and_the_limit_first(publish, server):
    for command in (["push-code"], ["push-models", "iter=1"], ["push-wheels"], ["push-kernel", "iter=1"]):
        assert publish(*command).code == 0
    server.kernels["malrule-submit"]["statuses"][1] = ["ERROR"]
    assert "ended as ERROR" in _failure(publish("submit"))
    server.kernels["malrule-submit"]["statuses"][1] = ["RUNNING", "COMPLETE"]
    server.output = ["log.txt"]
    assert "left no submission.csv" in _failure(publish("submit"))
    server.output, server.left = ["submission.csv"], 0
    assert "takes no more submissions today" in _failure(publish("submit"))
    assert not server.submissions
    server.left, server.score_statuses = 1, ["PENDING", "ERROR"]
    assert "submission 1 failed at Kaggle" in _failure(publish("submit"))


def test_the_data_appear_whole_or_not_at_all(publish, server, checkout):
    server.data = {name: len(data) for name, data in COMPETITION.items()}
    server.archive = packed({**COMPETITION, "train.csv": b"short"})
    assert "train.csv of the competition's archive has 5 bytes, Kaggle lists 8" in _failure(publish("data"))
    server.archive = packed(COMPETITION)[:-30]
    assert "archive is broken" in _failure(publish("data"))
    server.archive = packed({name: data for name, data in COMPETITION.items() if name != "test.csv"})
    assert "lacks test.csv" in _failure(publish("data"))
    assert not (checkout / "data/eedi").exists()
    server.archive, server.faults = (
        packed(COMPETITION),
        [Fault("DownloadDataFiles", 0, "cut"), Fault("DownloadDataFiles", 1, "500")],
    )
    assert publish("data").code == 0
    assert {name: (checkout / "data/eedi" / name).read_bytes() for name in COMPETITION} == COMPETITION
    assert "already there" in publish("data").out


@pytest.mark.parametrize("name", ["../evil.csv", "/tmp/evil.csv", "a/../../evil.csv", "a\\..\\evil.csv"])
def test_an_archive_that_wants_to_leave_its_folder_is_refused(name, publish, server, checkout):
    server.data, server.archive = {"train.csv": 1}, packed({"train.csv": b"x", name: b"evil"})
    assert "wants to write to" in _failure(publish("data"))
    assert not list(checkout.rglob("evil*"))


def test_the_rules_must_be_accepted_first(publish, server):
    server.faults = [Fault("ListDataFiles", 0, "403")]
    assert "accept its rules at https://www.kaggle.com/competitions/eedi" in _failure(publish("data"))


def test_without_credentials_nothing_but_one_sentence_is_printed(publish, server, monkeypatch):
    monkeypatch.delenv("KAGGLE_KEY")
    outcome = publish("push-code")
    assert "no valid Kaggle credentials" in _failure(outcome) and outcome.out == "" and outcome.err.count("\n") == 1


def test_a_token_signs_in_and_a_wrong_one_does_not(publish, server, monkeypatch):
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "good")
    assert publish("push-code").code == 0
    monkeypatch.setenv("KAGGLE_API_TOKEN", "expired")
    assert "no valid Kaggle credentials" in _failure(publish("push-code"))


# what only a process of its own can show


def _start(checkout, server, environment, *arguments):
    own = {**environment, "PATH": os.environ["PATH"], "PYTHONPATH": f"{_walled(checkout)}:{ROOT}"}
    own |= dict.fromkeys(("HTTP_PROXY", "http_proxy"), f"http://127.0.0.1:{server.port}")
    command = [sys.executable, "-m", "kaggle_kernels.publish", *arguments]
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
        "socket.socket.connect = connect\n"
    )
    return folder


def _without_project_code(checkout) -> None:
    """The subprocess imports the repository's shared/, which the small one of the checkout would hide."""
    for name in ("shared", "inference", "kaggle_kernels"):
        (checkout / name).rename(checkout / f"{name}_of_checkout")


def test_a_kill_9_in_the_middle_of_an_upload_costs_only_what_had_not_arrived(server, checkout, client_environment):
    size = 30_000_000
    make_run(checkout / "runs/iter2/full", random.Random("run"), 100)
    shutil.rmtree(checkout / "runs/iter2/full/merge_embedder")
    make_model(checkout / "runs/iter2/full/merge_embedder", random.Random("large"), size)
    make_vectors(checkout / "runs/iter2/full")
    _without_project_code(checkout)
    server.stall = {"reached": threading.Event(), "go": threading.Event()}
    process = _start(checkout, server, client_environment, "push-models", "iter=2")
    assert server.stall["reached"].wait(60), process.communicate(timeout=5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    server.stall["go"].set()
    server.stall = None
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
    assert server.sent_bytes <= blob.size + small + 2_000_000  # what was on its way when it died travels again
    assert len(server.completed()) == len(set(server.completed()))


def test_nothing_secret_is_printed_even_with_verbose_set(server, checkout, client_environment):
    _without_project_code(checkout)
    environment = {**client_environment, "KAGGLE_KEY": "abcdef0123456789abcdef0123456789"}
    process = _start(checkout, server, environment, "push-models", "iter=1")
    out, err = (text.decode() for text in process.communicate(timeout=120))
    assert process.returncode == 0, err
    said = (out + err).lower()
    assert not any(word in said for word in ("authorization", "basic ", "abcdef0123456789", "localhost/upload"))
    assert "is there, manifest" in out
