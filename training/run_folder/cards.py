"""Makes the cards of models from their settings and their bases, for training and for merging alike."""

from dataclasses import fields
from pathlib import Path

from shared.artifacts.card import EmbedderCard, RerankerCard
from shared.artifacts.sentence_folder import read_sentence_folder
from shared.prompts.embedder import EmbedderPrompt
from shared.prompts.kinds import PROMPTS
from shared.settings.sections import Embedder, Reranker


def new_embedder_card(section: Embedder, folder: Path) -> EmbedderCard:
    """The card, without examples, of an embedder that is trained with these settings; `folder` is its base's.

    What the settings leave open is what the folder says of itself. Raises ValueError as read_sentence_folder does.
    """
    own = read_sentence_folder(folder)
    said = section.model_dump(include={field.name for field in fields(EmbedderPrompt)})
    for name in ("query_prefix", "passage_prefix"):
        said[name] = getattr(own, name) if said[name] is None else said[name]
    return EmbedderCard(own.pooling if section.pooling == "auto" else section.pooling, EmbedderPrompt(**said))


def new_reranker_card(section: Reranker) -> RerankerCard:
    """The card of a reranker that is trained with these settings: its prompt's fields are named as they are."""
    prompt = PROMPTS[section.kind]
    names = {field.name for field in fields(prompt)}
    return RerankerCard(prompt(**section.model_dump(include=names)), section.kind)
