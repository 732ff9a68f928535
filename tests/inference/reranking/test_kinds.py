"""Guards kinds.py and the seam behind it: a card's kind decides who reads the candidates, and any kind is driven."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from inference.engines.protocols import Scorer
from inference.engines.serving import Serving
from inference.engines.tokenizer import answer_of
from inference.fusion.calibration import plain
from inference.fusion.ensemble import Member, Models
from inference.machine.profiles import load_profile
from inference.predict.anytime import Limit
from inference.predict.chunk_store import ChunkStore
from inference.predict.predict import read_rows
from inference.predict.rerank_chunks import open_scoring
from inference.predict.state import Prediction
from inference.reranking.kinds import KINDS, open_reranker, prompts_of
from inference.reranking.pointwise import PointwiseReranker
from inference.reranking.protocols import RerankerKind, Scores
from shared.prompts.kinds import PROMPTS, READINGS
from shared.prompts.query import Written, query_of
from shared.prompts.words import Words
from shared.settings.sections import Reranker
from shared.task.current import TASK
from shared.task.tables import PAIR
from training.trainer.train import OBJECTIVES

SERVING = Serving("hf", load_profile("cpu"))


@dataclass(frozen=True)
class CountPrompt:
    """The prompt of a kind that is made up here."""

    query_tokens: int


@dataclass(frozen=True)
class CountingReranker:
    """A kind whose one prompt for a query is its whole list; the score counts down from its length."""

    scorer: Scorer
    words: Words
    prompt: CountPrompt

    def score(self, queries: pl.DataFrame, misconceptions: pl.DataFrame, candidates: pl.DataFrame) -> Scores:
        place = pl.col("rank").rank("ordinal").over("query_id").cast(pl.Float32)
        return Scores(candidates.select((pl.len().over("query_id") - place).alias("rerank_score")).to_series(), 7, 3)


@pytest.fixture
def counting(models, tmp_path, monkeypatch) -> Path:
    """A reranker of that kind, which two lines make known here."""
    monkeypatch.setitem(PROMPTS, "counting", CountPrompt)
    monkeypatch.setitem(KINDS, "counting", RerankerKind(CountingReranker, READINGS["pointwise"], answer_of))
    folder = shutil.copytree(models / "r1", tmp_path / "counting")
    (folder / "card.json").write_text(
        json.dumps({"prompt": {"query_tokens": 60}, "kind": "counting"}), encoding="utf-8"
    )
    return folder


def test_every_room_knows_the_same_kinds_and_the_settings_offer_them():
    assert PROMPTS.keys() == READINGS.keys() == KINDS.keys() == OBJECTIVES.keys()
    for kind in PROMPTS:
        assert Reranker(base="x", kind=kind).kind == kind


def test_a_card_without_a_kind_is_of_a_pointwise_reranker(models):
    assert "kind" not in json.loads((models / "r1" / "card.json").read_text(encoding="utf-8"))
    with open_reranker(models / "r1", SERVING) as reranker:
        assert isinstance(reranker, PointwiseReranker)


def test_the_kind_on_the_card_reads_the_candidates(counting, queries, misconceptions):
    with open_reranker(counting, SERVING) as reranker:
        assert isinstance(reranker, CountingReranker) and reranker.prompt == CountPrompt(60)


def test_predict_gives_a_list_to_any_kind_in_the_order_of_its_ranks(counting, competition, models, tmp_path):
    ensemble = Models((Member(models / "e1"),), (Member(counting),))
    store = ChunkStore(tmp_path / "submission.csv")
    run = Prediction(ensemble, plain(6), TASK.read_misconceptions(competition), store, SERVING, Limit())
    read_rows(run, competition)
    with open_scoring(run, 0) as score:
        assert score(np.arange(5), 0, 4) == (7, 3)  # what the kind says that it read
        score(np.arange(5), 4, 6)
    scored = store.read("scored0", 0)
    found = store.read("candidates", 0).join(scored, on=PAIR).sort("query_id", "rank")
    # the first four count down from three, the next two, in a call of their own, from one
    assert found.group_by("query_id").agg("rerank_score")["rerank_score"].to_list() == [[3, 2, 1, 0, 1, 0]] * 5
    store.close()


def test_the_prompts_of_a_folder_are_those_that_its_reranker_scores(models, queries, misconceptions):
    asked, texts = queries[:1], dict(misconceptions[:3].iter_rows())
    pairs = pl.DataFrame({"query_id": asked["query_id"].to_list() * 3, "misconception_id": list(texts)})
    with open_reranker(models / "r1", SERVING) as reranker:
        scores = reranker.score(asked, misconceptions, pairs).values
        rows = prompts_of(models / "r1")(query_of(asked.row(0, named=True)), list(map(Written, texts.values())))
        np.testing.assert_allclose(reranker.scorer.score(rows), scores.to_numpy(), atol=1e-6)
