"""Names the roles of models, and the kinds of rerankers, each with the class of its prompt and how prompts are made.

The settings and a model's card name them alike; inference/reranking/kinds.py says what else a kind consists of.
"""

from shared.prompts.lists import (
    CumulativePrompt,
    ListedPrompt,
    cumulative_part,
    cumulative_rows,
    listed_part,
    listed_query,
    listed_rows,
)
from shared.prompts.pointwise import RerankerPrompt, pair_rows, reranker_passage, reranker_query
from shared.prompts.reading import Reading

ROLES = ("embedder", "reranker")
PROMPTS = {"pointwise": RerankerPrompt, "listed": ListedPrompt, "cumulative": CumulativePrompt}
READINGS = {
    "pointwise": Reading(reranker_query, reranker_passage, pair_rows, lambda prompt: None),
    "listed": Reading(listed_query, listed_part, listed_rows, lambda prompt: prompt.window),
    "cumulative": Reading(reranker_query, cumulative_part, cumulative_rows, lambda prompt: prompt.window),
}


def kind_of(prompt: RerankerPrompt) -> str:
    """The kind that `prompt` is of."""
    return next(kind for kind, made in PROMPTS.items() if type(prompt) is made)


def reading_of(prompt: RerankerPrompt) -> Reading:
    """How the kind that `prompt` is of makes prompts."""
    return READINGS[kind_of(prompt)]
