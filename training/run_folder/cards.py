"""Makes the card of a reranker from its settings, for training and for merging alike."""

from dataclasses import fields

from shared.artifacts.card import RerankerCard
from shared.prompts.kinds import PROMPTS
from shared.settings.sections import Reranker


def new_reranker_card(section: Reranker) -> RerankerCard:
    """The card of a reranker that is trained with these settings: its prompt's fields are named as they are."""
    prompt = PROMPTS[section.kind]
    names = {field.name for field in fields(prompt)}
    return RerankerCard(prompt(**section.model_dump(include=names)), section.kind)
