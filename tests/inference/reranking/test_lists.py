"""Guards lists.py: who is read with whom, in how many orders, and that every way to compute a list gives its scores."""

import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from inference.engines.open import open_scorer
from inference.engines.packing.prefix_forest import grow
from inference.engines.serving import Serving
from inference.engines.tokenizer import load_tokenizer, reranker_words, yes_token
from inference.engines.transformers.engine import HFScorer, load_reranker
from inference.fusion.calibration import plain
from inference.fusion.ensemble import Member, Models
from inference.machine.profiles import Profile, load_profile
from inference.predict.anytime import Limit
from inference.predict.chunk_store import ChunkStore
from inference.predict.predict import read_rows
from inference.predict.rerank_chunks import open_scoring
from inference.predict.state import Prediction
from inference.reranking.kinds import open_reranker
from inference.reranking.lists import ListReranker
from inference.reranking.order import order_by_score
from shared.artifacts.card import RerankerCard, write_card
from shared.prompts.kinds import kind_of, reading_of
from shared.prompts.lists import CumulativePrompt, ListedPrompt
from shared.prompts.query import Written, query_of
from shared.prompts.reading import prompts_in_order
from shared.task.current import TASK
from shared.task.tables import CANDIDATES, PAIR
from tests.inference.reranking.test_pointwise import WORDS, SumScorer
from tests.tiny_models import make_wide_qwen
from tests.training.tiny import CPU, all_candidates
from training.export.classifier_head import keep_yes_alone

KINDS = [ListedPrompt(60, 20, "?", window=5, listed_tokens=20), CumulativePrompt(60, 20, "?", window=5)]
PROFILE = Profile(device="cpu", dtype="float32", batch_tokens=512, max_tokens=512, cache_gib=0.1, threads=2)


@pytest.fixture
def candidates(queries, misconceptions):
    """All twelve misconceptions as candidates of three queries, the last five of one of them without a rank."""
    rows = all_candidates(queries[:3], misconceptions)
    lost = (pl.col("query_id") == queries["query_id"][1]) & (pl.col("rank") > 7)
    return rows.with_columns(rank=pl.when(~lost).then("rank"))


@pytest.fixture(scope="module")
def folder(tiny_qwen, tmp_path_factory):
    """A reranker as merge makes it, whose heads are as wide as vLLM wants them."""
    folder = make_wide_qwen(tiny_qwen, tmp_path_factory.mktemp("wide"))
    keep_yes_alone(folder, yes_token(load_tokenizer(folder)))
    return folder


class SaidScorer:
    """A Scorer that says what it is told, prompt after prompt."""

    def __init__(self, *said: float):
        self.said = said

    def score(self, prompts):
        assert len(prompts) == len(self.said)
        return np.array(self.said, np.float32)


def test_two_orders_are_averaged_and_ties_go_to_the_lower_id():
    rows = [("a", id_, rank, 0.5) for rank, id_ in enumerate((7, 3, 9), 1)]
    candidates = pl.DataFrame(rows, schema=CANDIDATES.schema, orient="row")
    asked = pl.DataFrame({"query_id": ["a"], "text": ["q"]})
    known = pl.DataFrame({"misconception_id": [3, 7, 9], "text": ["three", "seven", "nine"]})
    # 7, 3, 9 are given 1, 2, 0; reversed, 9, 3, 7 are given 0, 1, 2: the means are 1.5, 1.5 and 0
    reranker = ListReranker(SaidScorer(1, 2, 0, 0, 1, 2), WORDS, replace(KINDS[0], orders=2))
    scores = reranker.score(asked, known, candidates).values
    assert scores.to_list() == [1.5, 1.5, 0]
    ranked = order_by_score(candidates, candidates.select(PAIR).with_columns(scores))
    assert ranked.sort("rank")["misconception_id"].to_list() == [3, 7, 9]
    # one that is alone in its list is the same reversed, and is read once
    assert ListReranker(SaidScorer(4), WORDS, reranker.prompt).score(asked, known, candidates[:1]).values[0] == 4
    # without an answer in one order there is none
    lost = ListReranker(SaidScorer(1, 2, 0, 0, np.nan, 2), WORDS, reranker.prompt).score(asked, known, candidates)
    assert np.isnan(lost.values.to_numpy()).tolist() == [False, True, False]


@pytest.mark.parametrize("prompt", KINDS, ids=["listed", "cumulative"])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_lists_are_of_neighbouring_ranks_however_the_rows_are_shuffled(
    prompt, seed, queries, misconceptions, candidates
):
    table = candidates.sample(fraction=1, shuffle=True, seed=seed) if seed else candidates
    scores = ListReranker(SumScorer(), WORDS, prompt).score(queries, misconceptions, table).values
    found = table.select(PAIR).with_columns(scores)
    texts, reading = dict(misconceptions.iter_rows()), reading_of(prompt)
    for row in queries[:3].iter_rows(named=True):
        ranks = candidates.filter(pl.col("query_id") == row["query_id"])
        # those without a rank stand behind all others, by their ids
        ids = ranks.sort("rank", "misconception_id", nulls_last=True)["misconception_id"].to_list()
        asked = reading.query(WORDS, prompt, query_of(row))
        for part in (ids[:4], ids[4:8], ids[8:]):  # 12 in 3 lists of at most 5
            parts = [reading.candidate(WORDS, prompt, Written(texts[id_])) for id_ in part]
            expected = SumScorer().score(reading.rows(WORDS, prompt, asked, parts).ids)
            own = found.filter(pl.col("query_id") == row["query_id"], pl.col("misconception_id").is_in(part))
            own = own.sort(pl.col("misconception_id").replace_strict(part, range(len(part))))
            np.testing.assert_allclose(own["rerank_score"].to_numpy(), expected, atol=1e-7)


@pytest.mark.parametrize("orders", [1, 2])
@pytest.mark.parametrize("prompt", KINDS, ids=["listed", "cumulative"])
def test_the_tokens_are_counted_as_an_engine_computes_them(prompt, orders, queries, misconceptions, candidates):
    asked, prompts = queries[:1], []

    class Keeping(SumScorer):
        def score(self, rows):
            prompts.extend(rows)
            return super().score(rows)

    near = candidates.filter(pl.col("query_id") == asked["query_id"][0])
    made = ListReranker(Keeping(), WORDS, replace(prompt, orders=orders)).score(queries, misconceptions, near)
    assert len(prompts) == 12 * orders
    (forest,) = grow(prompts, most=10**6)
    # what a few texts happen to begin with alike, such as "\nB: ", is saved beside what is counted
    assert 0.85 * (made.query_tokens + made.candidate_tokens) < len(forest)
    assert len(forest) <= made.query_tokens + made.candidate_tokens


@pytest.mark.parametrize("orders", [1, 2])
@pytest.mark.parametrize("prompt", KINDS, ids=["listed", "cumulative"])
def test_scores_together_are_those_of_each_prompt_alone(prompt, orders, folder, queries, misconceptions, candidates):
    words, prompt = reranker_words(load_tokenizer(folder)), replace(prompt, orders=orders)
    together, alone = (HFScorer(load_reranker(folder, "float32", CPU), 0, size) for size in (1000, 1))
    found = ListReranker(together, words, prompt).score(queries, misconceptions, candidates).values

    class Alone:
        def score(self, prompts):
            return np.array([alone.score([ids])[0] for ids in prompts])

    expected = ListReranker(Alone(), words, prompt).score(queries, misconceptions, candidates).values
    assert expected.std() > 0.1  # else equal scores say nothing
    np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), atol=1e-5)


def test_a_cumulative_score_does_not_change_with_what_follows(folder, queries, misconceptions, candidates):
    scorer, words = HFScorer(load_reranker(folder, "float32", CPU), 0, 1000), reranker_words(load_tokenizer(folder))
    query_id = queries["query_id"][0]
    near = candidates.filter(pl.col("query_id") == query_id).sort("rank")
    scores = {}
    for kind, window in ((CumulativePrompt, 20), (ListedPrompt, 20)):
        reranker = ListReranker(scorer, words, kind(60, 20, "?", window=window))
        whole, first = (reranker.score(queries, misconceptions, near[:count]).values.to_numpy() for count in (12, 5))
        scores[kind] = np.abs(whole[:5] - first).max()
    assert scores[CumulativePrompt] < 1e-5 and scores[ListedPrompt] > 1e-2  # where all see all


def test_vllm_gives_the_same_scores_in_each_order(folder, queries, misconceptions, candidates):
    # one engine for all prompts of both kinds and orders
    words, prompts = reranker_words(load_tokenizer(folder)), []
    texts = [Written(text) for text in misconceptions["text"][:10]]
    for prompt in KINDS:
        for shown in (texts, texts[::-1]):
            for row in queries[:2].iter_rows(named=True):
                prompts += prompts_in_order(reading_of(prompt), words, prompt, query_of(row), shown)
    scores = {}
    for engine in ("hf", "vllm"):
        with open_scorer(engine, folder, PROFILE) as scorer:
            scores[engine] = scorer.score(prompts)
    assert len(prompts) == 80 and scores["hf"].std() > 0.1
    np.testing.assert_allclose(scores["vllm"], scores["hf"], atol=1e-4)


@pytest.mark.parametrize("prompt", KINDS, ids=["listed", "cumulative"])
def test_predict_that_comes_back_for_deeper_candidates_reads_them_in_lists_of_their_own(
    prompt, models, competition, tmp_path
):
    folder = shutil.copytree(models / "r1", tmp_path / "lists")
    write_card(RerankerCard(prompt, kind_of(prompt)), folder)
    ensemble = Models((Member(models / "e1"),), (Member(folder),))
    store, serving = ChunkStore(tmp_path / "submission.csv"), Serving("hf", load_profile("cpu"))
    run = Prediction(ensemble, plain(6), TASK.read_misconceptions(competition), store, serving, Limit())
    read_rows(run, competition)
    with open_scoring(run, 0) as score:
        told = [score(np.arange(5), 0, 4), score(np.arange(5), 4, 6)]
    found = store.read("candidates", 0).join(store.read("scored0", 0), on=PAIR).sort("query_id", "rank")
    asked, entries = store.read("queries", 0), TASK.read_misconceptions(competition)
    with open_reranker(folder, serving) as reranker:
        for (first, last), tokens in zip(((1, 4), (5, 6)), told, strict=True):
            part = found.filter(pl.col("rank").is_between(first, last))
            assert len(part) == 5 * (last - first + 1)
            alone = reranker.score(asked, entries, part)
            np.testing.assert_allclose(alone.values.to_numpy(), part["rerank_score"].to_numpy(), atol=1e-5)
            assert (alone.query_tokens, alone.candidate_tokens) == tokens
    store.close()
