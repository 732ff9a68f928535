"""Names the roles of models, and the kinds of rerankers, each with the class of its prompt.

The settings and a model's card name them alike; inference/reranking/kinds.py says what else a kind consists of.
"""

from shared.prompts.pointwise import RerankerPrompt

ROLES = ("embedder", "reranker")
PROMPTS = {"pointwise": RerankerPrompt}
