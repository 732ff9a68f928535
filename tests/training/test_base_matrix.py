"""Guards every family as a base: it trains, merges and serves as transformers computes it, in both roles or refused."""

import json

import pytest

from docs.bases import PAGE, TRIED, render
from tests.inference.engines.transformers.families import config_of
from tests.training.base_matrix import FAMILIES, try_family

FAR = 1e-4  # of a unit vector's coordinate, of the largest score: merged weights are rounded, two layers of them
SAID = json.loads(TRIED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_a_base_for_both_roles_or_is_refused_as_one_as_the_page_says(
    name, tmp_path, queries, misconceptions
):
    tried = try_family(config_of(*FAMILIES[name]), tmp_path, (queries, misconceptions))
    assert tried.retriever < FAR
    assert tried.reranker is None or tried.reranker < FAR
    assert (tried.reranker is None) == bool(tried.refusal) == (SAID[name]["reranker"] is None)
    assert tried.refusal == SAID[name]["refusal"]


def test_the_page_of_bases_is_written_from_what_was_tried():
    assert SAID.keys() == FAMILIES.keys()
    assert PAGE.read_text(encoding="utf-8") == render(SAID), "run: python -m docs.bases"
