"""Guards that both engines, shared beginnings and any company of a prompt give the same scores, within a bound."""

import numpy as np
import pytest
from transformers import LlamaConfig

from inference.engines.open import open_scorer
from inference.machine.profiles import Profile
from shared.task.metrics import kendall_tau
from tests.inference.engines.test_vllm import YES, make_model
from training.export.classifier_head import keep_yes_alone

GROUP = 8
QUERIES = [[(5 * place + 7 * step) % 90 + 100 for step in range(60 + place)] for place in range(6)]
PROMPTS = [[*query, 20 + passage, 40 + passage] for query in QUERIES for passage in range(GROUP)]


@pytest.fixture(scope="module")
def reranker(tmp_path_factory):
    folder = make_model(LlamaConfig, tmp_path_factory.mktemp("parity"), tie_word_embeddings=False)
    keep_yes_alone(folder, YES)
    return folder


def scores_of(engine, folder, dtype, size):
    """In calls of `size` prompts, torn apart; 0: all in one."""
    profile = Profile(device="cpu", dtype=dtype, batch_tokens=512, max_tokens=256, cache_gib=0.1, threads=2)
    mixed = np.random.default_rng(1).permutation(len(PROMPTS)).tolist()
    calls = [mixed[start : start + size] for start in range(0, len(mixed), size)] if size else [mixed]
    scores = np.empty(len(PROMPTS))
    with open_scorer(engine, folder, profile) as scorer:
        for call in calls:
            scores[call] = scorer.score([PROMPTS[row] for row in call])
    return scores


# of the spread of a query's scores. Measured: 4e-6 in float32; in bfloat16, which keeps 3 digits, 0.02 for sharing,
# 0.07 for the other engine, 0 for other company
@pytest.mark.parametrize(("dtype", "bound", "tau"), [("float32", 1e-5, 1.0), ("bfloat16", 0.1, 0.95)])
def test_engines_sharing_and_company_move_no_score_beyond_the_bound(reranker, dtype, bound, tau):
    alone = scores_of("hf", reranker, dtype, 1).reshape(-1, GROUP)
    spread = alone.std(1).mean()
    assert spread > 0.1  # else ranks say nothing
    for engine, size in (("hf", 0), ("vllm", 0), ("vllm", 7)):
        scores = scores_of(engine, reranker, dtype, size).reshape(-1, GROUP)
        assert np.abs(scores - alone).max() < bound * spread, (engine, size)
        assert np.mean([kendall_tau(*pair) for pair in zip(alone, scores, strict=True)]) >= tau, (engine, size)
