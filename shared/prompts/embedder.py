"""Makes the prompts of an embedder: a query behind its in-context examples, and a misconception."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shared.prompts.query import Layout, Rationale, Written, solved_query
from shared.prompts.words import MEANING, THINKING, Length, MaybeLength, Words

Pooling = Literal["last", "mean"]  # what becomes of the vectors of a text's tokens


@dataclass(frozen=True)
class Example:
    """One solved query, shown in front of another (in-context learning)."""

    query: str
    response: str


@dataclass(frozen=True)
class EmbedderPrompt:
    """How an embedder's texts are put together; travels with the model. Lengths in tokens."""

    task: str
    query_tokens: Length
    passage_tokens: Length
    example_query_tokens: Length
    example_passage_tokens: Length
    end_token: bool = True
    rationale: Rationale = "none"
    rationale_tokens: MaybeLength = 0
    description_tokens: MaybeLength = 0
    layout: Layout = "plain"


def embedder_query(words: Words, prompt: EmbedderPrompt, examples: Sequence[Example], query: Written) -> list[int]:
    """Ids of a query: plain without a task, else FlagEmbedding's in-context format, examples first."""
    ids = words.cut(query, prompt.query_tokens, THINKING, prompt.rationale_tokens)
    if not prompt.task:
        return [*words.head, *ids, *_tail(words, prompt)]
    shown = [token for example in examples for token in _example(words, prompt, example)]
    before = words.frame(f"<instruct>{prompt.task}\n<query>")
    return [*words.head, *shown, *before, *ids, *words.frame("\n<response>"), *_tail(words, prompt)]


def embedder_passage(words: Words, prompt: EmbedderPrompt, passage: Written) -> list[int]:
    """Ids of a misconception as the embedder reads it."""
    ids = words.cut(passage, prompt.passage_tokens, MEANING, prompt.description_tokens)
    return [*words.head, *ids, *_tail(words, prompt)]


def _tail(words: Words, prompt: EmbedderPrompt) -> tuple[int, ...]:
    return (*words.tail, *words.end) if prompt.end_token else words.tail


def _example(words: Words, prompt: EmbedderPrompt, example: Example) -> list[int]:
    # without rationales: they are long
    query = words.cut(solved_query(example.query), prompt.example_query_tokens, THINKING, 0)
    response = words.encode(example.response)[: prompt.example_passage_tokens]
    before = words.frame(f"<instruct>{prompt.task}\n<query>")
    return [*before, *query, *words.frame("\n<response>"), *response, *words.frame("\n\n")]
