"""Guards catalogue_vectors.py: shipped vectors rank as fresh ones do, and are read only by whom they belong to."""

import shutil

import numpy as np
import polars as pl
import pytest

from inference.engines.serving import Serving
from inference.machine.profiles import Profile
from inference.retrieval.catalogue_vectors import VECTORS_FILE, misfit, read_vectors, write_vectors
from inference.retrieval.retrieve import retrieve
from shared.artifacts.card import EmbedderCard, read_embedder_card, write_card
from shared.artifacts.manifest import write_manifest
from shared.prompts.embedder import EmbedderPrompt

PROFILE = Profile(device="cpu", dtype="float32", batch_tokens=512, max_tokens=256)
HOW = {"engine": "hf", "profile": PROFILE}


@pytest.fixture
def embedder(tiny_bert, tmp_path):
    """A merged embedder, as merge writes it."""
    folder = tmp_path / "merge_embedder"
    shutil.copytree(tiny_bert, folder)
    write_card(EmbedderCard("mean", EmbedderPrompt("", 200, 100, 200, 100)), folder)
    write_manifest(folder, {"stage": "merge_embedder"})
    return folder


@pytest.fixture
def shipped(embedder, misconceptions, tmp_path):
    """The same with vectors in it, as it is staged."""
    folder = tmp_path / "staged"
    shutil.copytree(embedder, folder)
    write_vectors(misconceptions, embedder, tmp_path / "made" / VECTORS_FILE, **HOW)
    shutil.copy(tmp_path / "made" / VECTORS_FILE, folder)
    write_manifest(folder, {"stage": "merge_embedder"})
    return folder


def _candidates(queries, misconceptions, folder):
    return retrieve(queries, misconceptions, folder, read_embedder_card(folder), Serving("hf", PROFILE), k=6)


def test_shipped_vectors_give_the_candidates_and_scores_of_a_fresh_encoding(
    queries, misconceptions, embedder, shipped, capsys
):
    fresh = _candidates(queries, misconceptions, embedder)
    assert capsys.readouterr().out == ""  # a folder without vectors is as it should be
    assert _candidates(queries, misconceptions, shipped).equals(fresh)
    assert f"12 misconceptions are not encoded, {shipped / VECTORS_FILE} has their vectors\n" in capsys.readouterr().out


def test_vectors_come_in_the_order_of_the_table_that_asks(misconceptions, shipped):
    there = read_vectors(misconceptions, shipped)
    assert there.dtype == np.float32 and there.shape == (12, 32)
    shuffled = misconceptions.sample(fraction=1.0, shuffle=True, seed=1)
    places = [misconceptions["misconception_id"].to_list().index(id_) for id_ in shuffled["misconception_id"]]
    np.testing.assert_array_equal(read_vectors(shuffled, shipped), there[places])


@pytest.mark.parametrize("change", ["a text", "an id", "one more", "one less"])
def test_another_catalogue_is_encoded_anew_and_one_line_says_why(change, queries, misconceptions, shipped, capsys):
    other = {
        "a text": misconceptions.with_columns(text=pl.col("text").replace("Counts zero twice", "Counts zero thrice")),
        "an id": misconceptions.with_columns(misconception_id=pl.col("misconception_id").replace(50, 51)),
        "one more": pl.concat([misconceptions, pl.DataFrame({"misconception_id": [60], "text": ["Guesses"]})]),
        "one less": misconceptions.head(11),
    }[change]
    assert read_vectors(other, shipped) is None
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "are encoded here, " in said and said.endswith("made from another catalogue\n")
    assert _candidates(queries, other, shipped)["misconception_id"].is_in(other["misconception_id"].implode()).all()


@pytest.mark.parametrize("name", ["card.json", "model.safetensors", "tokenizer.json"])
def test_vectors_of_another_model_card_or_tokenizer_are_not_used(name, misconceptions, shipped):
    path = shipped / name
    path.write_bytes(path.read_bytes() + b" ")
    write_manifest(shipped, {"stage": "merge_embedder"})
    assert misfit(misconceptions, shipped, shipped / VECTORS_FILE).endswith("was made from another embedder")


def test_a_broken_file_of_vectors_is_said_to_be_broken(misconceptions, shipped):
    (shipped / VECTORS_FILE).write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match="misconceptions.vectors is no file of vectors"):
        read_vectors(misconceptions, shipped)


def test_the_same_vectors_are_the_same_bytes(misconceptions, embedder, shipped, tmp_path):
    write_vectors(misconceptions.reverse(), embedder, tmp_path / "again" / VECTORS_FILE, **HOW)
    assert (tmp_path / "again" / VECTORS_FILE).read_bytes() == (shipped / VECTORS_FILE).read_bytes()
