"""Guards every family as a base: it trains, merges and serves as transformers computes it, in both roles or refused."""

import pytest

from tests.inference.engines.transformers.families import ALONE, DECODERS, ENCODERS, config_of
from tests.training.base_matrix import try_family

FAR = 1e-4  # of a unit vector's coordinate, of the largest score: merged weights are rounded, two layers of them
NO_RERANKER = (
    "apertus",
    "cohere",
    "cohere2",
    "ernie4_5",
    "gemma4_text",
    "granite",
    "lfm2",
    "llama4_text",
    "modernbert-decoder",
)


@pytest.mark.parametrize("name", {**DECODERS, **ALONE, **ENCODERS})
def test_a_family_is_a_base_for_both_roles_or_is_refused_as_one(name, tmp_path, queries, misconceptions):
    tried = try_family(config_of(*{**DECODERS, **ALONE, **ENCODERS}[name]), tmp_path, (queries, misconceptions))
    assert tried.retriever < FAR
    assert (tried.reranker is None) == name.startswith(NO_RERANKER) == bool(tried.refusal)
    assert tried.reranker is None or tried.reranker < FAR
