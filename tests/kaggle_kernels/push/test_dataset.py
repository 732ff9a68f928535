"""Guards the pushing of datasets, and releases, against a Kaggle of our own."""

import json
import os

import pytest

from shared.artifacts.leaderboard import Score, read_score
from shared.artifacts.manifest import write_manifest
from tests.kaggle_kernels.kaggle_checkout import failure, make_vectors, rewrite, safetensors
from tests.kaggle_kernels.kaggle_server import Version


def test_a_release_brings_everything_up_and_a_second_one_sends_nothing(server, publish, checkout):
    first = publish("release", "iter=1")
    assert (first.code, first.err.count("release:")) == (0, 0), first.err
    assert set(server.datasets) == {"malrule-code", "malrule-iter1-embedder", "malrule-iter1-reranker"}
    assert set(server.kernels) == {"malrule-wheels", "malrule-submit"}
    record = json.loads((checkout / "runs/iter1/full/submission.json").read_text(encoding="utf-8"))
    assert (record["public_score"], record["private_score"]) == ("0.505", "0.472")
    assert set(record["sources"]) == set(server.datasets)
    writes = len(server.blobs), server.count("SaveKernel"), server.count("CreateCodeSubmission")
    second = publish("release", "iter=1")
    assert second.code == 0, second.err
    assert (len(server.blobs), server.count("SaveKernel"), server.count("CreateCodeSubmission")) == writes
    assert second.out.count("already there") == 5
    run = checkout / "runs/iter1/full"
    assert read_score(run) == Score(0.505, 0.472, current=True)  # what `just runs` shows
    (run / "merge_reranker/config.json").write_text("{}", encoding="utf-8")
    write_manifest(run / "merge_reranker", {"stage": "merge_reranker"})
    assert not read_score(run).current  # trained again since


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
    assert "misconceptions.vectors  " in outcome.out
    assert '"enableInternet": false' in outcome.out and "would push alice/malrule-wheels" in outcome.out
    assert {name for name, _ in server.log} <= {"GetDataset", "GetDatasetStatus", "GetKernel", "GetSubmissionLimits"}


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
    rewrite(checkout / "datasets_meta/embedder/dataset-metadata.json", **changes)
    assert words in failure(publish("push-models", "iter=1"))
    assert not server.log or {name for name, _ in server.log} <= {"IntrospectToken"}


def test_more_than_fifty_entries_and_an_altered_model_are_refused_before_a_byte_moves(publish, server, checkout):
    folder = checkout / "runs/iter1/full/merge_embedder"
    (folder / "config.json").write_text("{} ", encoding="utf-8")
    assert "config.json differs" in failure(publish("push-models", "iter=1"))
    for number in range(60):
        (folder / f"model-{number}.safetensors").write_bytes(safetensors(b""))
    write_manifest(folder, {})
    assert "has 66 files and folders at its top; Kaggle takes 50" in failure(
        publish("push-models", "iter=1", "vectors=skip")
    )
    assert not server.blobs


def test_a_public_dataset_is_never_given_a_private_push_nor_the_other_way_round(publish, server, checkout):
    server.datasets["malrule-code"] = {
        "private": False,
        "versions": [Version({"a": b""}, "", ["READY"], 0)],
        "created": {},
    }
    assert "malrule-code is public and this push is private" in failure(publish("push-code"))
    server.datasets["malrule-code"]["private"] = True
    assert "malrule-code is private and this push is public" in failure(publish("push-code", "--public"))
    assert not server.blobs
    server.datasets.clear()
    assert publish("push-code", "--public").code == 0
    assert server.datasets["malrule-code"]["private"] is False


def test_weights_become_public_only_under_the_licence_of_their_base(publish, server, checkout):
    for role in ("embedder", "reranker"):
        folder = checkout / f"runs/iter1/full/merge_{role}"
        (folder / "card.json").write_text("{}", encoding="utf-8")
        write_manifest(folder, {})
    make_vectors(checkout / "runs/iter1/full")
    assert "must name the licence of the base model" in failure(publish("push-models", "iter=1", "--public"))
    for role in ("embedder", "reranker"):
        rewrite(checkout / f"datasets_meta/{role}/dataset-metadata.json", licenses=[{"name": "apache-2.0"}])
    assert publish("push-models", "iter=1", "--public").code == 0
    assert server.datasets["malrule-iter1-embedder"]["private"] is False


def test_a_quota_breach_after_success_is_a_failure_and_running_again_sends_anew(publish, server):
    server.statuses = [["BLOBS_RECEIVED", "FAILED"]]
    assert "could not process it (FAILED)" in failure(publish("push-code"))
    assert publish("push-code").code == 0


def test_a_deleted_dataset_and_one_that_is_never_ready_are_said_to_be_so(publish, server):
    server.statuses = [["BLOBS_RECEIVED"]]
    assert "is not ready yet (BLOBS_RECEIVED): run the same command again" in failure(publish("push-code", "wait=900"))
    server.newest("malrule-code").statuses = ["READY"]
    blobs = len(server.blobs)
    assert publish("push-code").code == 0
    assert len(server.blobs) == blobs
    server.newest("malrule-code").statuses = ["DELETED"]
    assert "was deleted, and Kaggle does not take its name again" in failure(publish("push-code"))


def test_a_lock_of_another_owner_is_not_believed(publish, server, checkout):
    assert publish("push-code").code == 0
    rewrite(checkout / "datasets_meta/malrule-code.lock.json", owner="bob", digest="0")
    assert "version 1 is already there" in publish("push-code").out  # its manifest says so
    assert (
        json.loads((checkout / "datasets_meta/malrule-code.lock.json").read_text(encoding="utf-8"))["owner"] == "alice"
    )
