"""What the tests of prediction share: a small competition, and two models of each kind as merge makes them."""

import shutil

import pytest

from inference.engines.tokenizer import load_tokenizer, yes_token
from inference.predict.chunk_store import ChunkStore
from shared.artifacts.card import EmbedderCard, RerankerCard, write_card
from shared.prompts.embedder import EmbedderPrompt
from shared.prompts.pointwise import RerankerPrompt
from training.export.classifier_head import keep_yes_alone
from training.synthesis.malrules.generate import write_competition


@pytest.fixture(scope="session")
def competition(tmp_path_factory):
    folder = tmp_path_factory.mktemp("competition")
    write_competition(folder, questions=40, test_questions=4)
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory, tiny_causal, tiny_qwen):
    """Two embedders and two rerankers as merge makes them."""
    place = tmp_path_factory.mktemp("models")
    for name, base in (("e1", tiny_causal), ("e2", tiny_qwen), ("r1", tiny_causal), ("r2", tiny_qwen)):
        shutil.copytree(base, place / name)
        card = EmbedderCard("last", EmbedderPrompt("Find it.", 60, 20, 20, 20))
        write_card(card if name[0] == "e" else RerankerCard(RerankerPrompt(60, 20, "Yes or No?")), place / name)
        if name[0] == "r":
            keep_yes_alone(place / name, yes_token(load_tokenizer(base)))
    return place


def publish(ranked, queries, out):
    """Write `out` from a ranked table as predict does."""
    store = ChunkStore(out)
    try:
        store.add(queries)
        store.publish(lambda chunk: ranked, True)
    finally:
        store.close()
