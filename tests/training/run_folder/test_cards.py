"""Guards cards.py: a reranker's settings become its card, field by field."""

from shared.artifacts.card import RerankerCard
from shared.prompts.pointwise import RerankerPrompt
from shared.settings.sections import Reranker
from training.run_folder.cards import new_reranker_card


def test_the_settings_of_a_reranker_make_its_card():
    section = Reranker(base="x", query_tokens=9, passage_tokens=10, instruction="Yes or No?")
    assert new_reranker_card(section) == RerankerCard(RerankerPrompt(9, 10, "Yes or No?"))
