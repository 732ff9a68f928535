"""Guards check_models.py: a reranker whose lists are longer than a machine reads is refused before anything is read."""

import shutil

import pytest

from inference.predict.check_models import check_lists
from shared.artifacts.card import RerankerCard, write_card
from shared.prompts.lists import CumulativePrompt
from shared.prompts.pointwise import RerankerPrompt


def test_a_list_that_a_profile_does_not_read_is_refused_and_a_pair_is_not(tmp_path, tiny_qwen):
    shutil.copytree(tiny_qwen, tmp_path, dirs_exist_ok=True)
    write_card(RerankerCard(CumulativePrompt(100, 20, "Yes?", window=4), "cumulative"), tmp_path)
    check_lists(tmp_path, 1000)
    with pytest.raises(ValueError, match="lists of 4 candidates in up to [0-9]+ tokens, .* profile reads 150"):
        check_lists(tmp_path, 150)  # 100 of the query and 4 times 20 are more
    write_card(RerankerCard(RerankerPrompt(100, 20, "Yes?"), "pointwise"), tmp_path)
    check_lists(tmp_path, 150)
