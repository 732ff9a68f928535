"""Guards what push-models takes from a run: vectors that fit, quantized models of this very run, nothing unfinished."""

import json
import random
import shutil

import pytest
from safetensors import safe_open

from inference.retrieval.catalogue_vectors import VECTORS_FILE, misfit
from shared.artifacts.card import EmbedderCard, write_card
from shared.artifacts.manifest import digest, read_manifest, verify_manifest, write_manifest
from shared.prompts.embedder import EmbedderPrompt
from shared.task.tables import MISCONCEPTIONS
from tests.kaggle_kernels.kaggle_checkout import failure, make_model, rewrite

EMBEDDER, RERANKER = "malrule-iter1-embedder", "malrule-iter1-reranker"


@pytest.fixture
def run(checkout):
    return checkout / "runs/iter1/full"


def _quantize(run, role: str, of: str = "") -> None:
    """What a stage that quantizes the merged model leaves."""
    folder = run / f"quantize_{role}"
    shutil.rmtree(folder, ignore_errors=True)
    make_model(folder, random.Random("small"), 1000)
    merged = f"runs/iter1/full/merge_{role}"
    write_manifest(folder, {"stage": f"quantize_{role}", "inputs": {merged: of or digest(run / f"merge_{role}")}})


def test_vectors_travel_with_the_embedder_and_its_manifest_lists_them(server, publish, run, checkout):
    assert publish("push-models", "iter=1").code == 0
    staged = checkout / ".cache/kaggle" / EMBEDDER / "files"
    verify_manifest(staged)
    mine, theirs = read_manifest(staged), read_manifest(run / "merge_embedder")
    assert mine["lineage"] == theirs["lineage"] and mine["files"].keys() - theirs["files"].keys() == {VECTORS_FILE}
    assert server.newest(EMBEDDER).files[VECTORS_FILE] == (run / "merge_embedder_vectors" / VECTORS_FILE).read_bytes()
    misconceptions = MISCONCEPTIONS.read(run / "prepare")
    assert misfit(misconceptions, staged, staged / VECTORS_FILE) == ""  # they fit the folder that they stand in
    assert VECTORS_FILE not in read_manifest(run / "merge_embedder")["files"]  # the run's own folder is as it was
    verify_manifest(run / "merge_embedder")


def test_vectors_are_left_out_with_one_word_which_is_said(server, publish, run):
    outcome = publish("push-models", "iter=1", "vectors=skip")
    assert "merge_embedder goes without its misconceptions' vectors, as you said" in outcome.out
    assert VECTORS_FILE not in server.newest(EMBEDDER).files


def test_vectors_that_do_not_fit_are_made_by_the_embedder_itself_once(server, publish, run, tiny_bert):
    shutil.rmtree(run / "merge_embedder")
    shutil.copytree(tiny_bert, run / "merge_embedder")
    write_card(EmbedderCard("mean", EmbedderPrompt("", 200, 100, 200, 100)), run / "merge_embedder")
    write_manifest(run / "merge_embedder", {"stage": "merge_embedder"})
    settings = {"embedder": {"base": "a"}, "reranker": {"base": "b"}, "miner": {"base": "c"}}
    settings |= {"merge_embedder": {"epoch": 1}, "merge_reranker": {"epoch": 1}, "evaluate": {"engine": "hf"}}
    (run / "settings.json").write_text(json.dumps(settings), encoding="utf-8")  # its machine is an H200
    said = failure(publish("push-models", "iter=1"))
    assert "profile h200 needs a GPU, to encode the misconceptions, and there is none here: vectors=cpu" in said
    rehearsed = publish("push-models", "iter=1", "vectors=cpu", "--dry-run")
    assert "would first encode 3 misconceptions with runs/iter1/full/merge_embedder (profile cpu)" in rehearsed.out
    first = publish("push-models", "iter=1", "vectors=cpu")
    assert "encoding 3 misconceptions with runs/iter1/full/merge_embedder (profile cpu)" in first.out, first.err
    with safe_open(run / "merge_embedder_vectors" / VECTORS_FILE, "numpy") as file:
        assert file.get_tensor("ids").tolist() == [3, 5, 7] and file.get_tensor("vectors").shape == (3, 32)
    again = publish("push-models", "iter=1", "vectors=cpu")
    assert "encoding" not in again.out and again.out.count("already there") == 2


def test_nothing_is_encoded_for_a_model_that_would_be_refused(publish, run):
    (run / "merge_embedder/config.json").write_text("{}", encoding="utf-8")
    (run / "merge_embedder_vectors" / VECTORS_FILE).unlink()
    (run / "settings.json").write_text("{}", encoding="utf-8")
    outcome = publish("push-models", "iter=1", "vectors=cpu")
    assert outcome.code == 1 and "encoding" not in outcome.out


def test_a_quantized_model_is_sent_where_it_is_asked_for(server, publish, run):
    _quantize(run, "reranker")
    assert publish("push-models", "iter=1", "quantized=reranker").code == 0
    sent = json.loads(server.newest(RERANKER).files["manifest.json"])["lineage"]["stage"]
    assert sent == "quantize_reranker" and len(server.newest(RERANKER).files["model.safetensors"]) < 2000
    assert json.loads(server.newest(EMBEDDER).files["manifest.json"])["lineage"]["stage"] == "merge_embedder"
    assert '| stage | "quantize_reranker" |' in server.datasets[RERANKER]["created"]["description"]
    assert publish("push-models", "iter=1").code == 0  # and back
    assert len(server.newest(RERANKER).files["model.safetensors"]) > 2000
    assert len(server.datasets[RERANKER]["versions"]) == 2


@pytest.mark.parametrize(
    ("prepare", "word", "said"),
    [
        (lambda run: None, "quantized", "quantize_embedder is not there, or not complete"),
        (lambda run: _quantize(run, "reranker", "0" * 64), "quantized=reranker", "was made from 000000000000, and"),
        (lambda run: _quantize(run, "reranker"), "quantized", "quantize_embedder is not there, or not complete"),
        (lambda run: None, "quantized=rerankers", "it is embedder or reranker, or both"),
    ],
)
def test_a_quantized_model_of_another_merge_or_none_is_refused(prepare, word, said, server, publish, run):
    prepare(run)
    assert said in failure(publish("push-models", "iter=1", word))
    assert not server.blobs


def test_a_quantized_model_whose_lineage_names_no_merge_is_refused(server, publish, run):
    _quantize(run, "reranker")
    write_manifest(run / "quantize_reranker", {"stage": "quantize_reranker"})
    assert "was made from nobody knows what" in failure(publish("push-models", "iter=1", "quantized=reranker"))


def test_a_release_says_that_a_model_is_not_trained_before_it_pushes_anything(server, publish):
    assert "just train iter=7 split=full" in failure(publish("release", "iter=7"))
    assert not server.log


def test_the_lock_says_version_digest_files_and_time(server, publish, checkout):
    server.stale = 0.0  # no time passes
    assert publish("push-models", "iter=1").code == 0
    lock = json.loads((checkout / f"datasets_meta/{EMBEDDER}.lock.json").read_text(encoding="utf-8"))
    staged = checkout / ".cache/kaggle" / EMBEDDER / "files"
    assert lock.keys() == {"owner", "version", "digest", "files", "time"}
    assert (lock["version"], lock["digest"], lock["time"]) == (1, digest(staged), "2027-01-15T08:00:00+00:00")
    assert lock["files"]["model.safetensors"] == (staged / "model.safetensors").stat().st_size


def test_a_kernel_of_one_iteration_is_not_submitted_for_another(server, publish):
    for command in (["push-code"], ["push-models", "iter=1"], ["push-wheels"], ["push-kernel", "iter=1"]):
        assert publish(*command).code == 0
    said = failure(publish("submit", "iter=2"))
    assert "malrule-submit was pushed for iter1, not for iter2: just push-kernel iter=... first" in said
    assert not server.submissions
    assert publish("submit", "iter=1").code == 0


def test_a_model_without_its_card_is_not_sent(server, publish, run):
    (run / "merge_reranker/card.json").unlink()
    write_manifest(run / "merge_reranker", {"stage": "merge_reranker"})
    assert "holds no card.json" in failure(publish("push-models", "iter=1"))


def test_what_is_encoded_needs_the_misconceptions_of_the_run(publish, run):
    rewrite(run / "merge_embedder/manifest.json", lineage={})
    shutil.rmtree(run / "prepare")
    assert "prepare/misconceptions.parquet does not exist" in failure(publish("push-models", "iter=1"))
