"""Makes the prompts of an embedder: a query behind its in-context examples, and a misconception."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shared.prompts.query import Layout, Rationale, Written, solved_query
from shared.prompts.words import MEANING, THINKING, Length, MaybeLength, Words

EXAMPLE_END = "\n\n"
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
    before, behind = map(words.frame, query_frame(prompt))
    return [*words.head, *shown, *before, *ids, *behind, *_tail(words, prompt)]


def embedder_passage(words: Words, prompt: EmbedderPrompt, passage: Written) -> list[int]:
    """Ids of a misconception as the embedder reads it."""
    ids = words.cut(passage, prompt.passage_tokens, MEANING, prompt.description_tokens)
    return [*words.head, *ids, *_tail(words, prompt)]


def query_frame(prompt: EmbedderPrompt) -> tuple[str, str]:
    """What stands right in front of a query's text and behind it; nothing without a task."""
    return (f"<instruct>{prompt.task}\n<query>", "\n<response>") if prompt.task else ("", "")


def example_text(prompt: EmbedderPrompt, example: Example) -> str:
    """What an example adds in front of a query, as one text."""
    before, behind = query_frame(prompt)
    return f"{before}{example.query}{behind}{example.response}{EXAMPLE_END}"


def _tail(words: Words, prompt: EmbedderPrompt) -> tuple[int, ...]:
    return (*words.tail, *words.end) if prompt.end_token else words.tail


def _example(words: Words, prompt: EmbedderPrompt, example: Example) -> list[int]:
    # without rationales: they are long
    query = words.cut(solved_query(example.query), prompt.example_query_tokens, THINKING, 0)
    response = words.encode(example.response)[: prompt.example_passage_tokens]
    before, behind = map(words.frame, query_frame(prompt))
    return [*before, *query, *behind, *response, *words.frame(EXAMPLE_END)]
