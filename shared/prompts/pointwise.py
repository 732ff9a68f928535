"""Makes the prompt of a reranker that reads one candidate at a time: "A: query / B: misconception / instruction"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shared.prompts.query import Layout, Rationale, Written
from shared.prompts.words import MEANING, THINKING, Length, MaybeLength, Words

INSTRUCTION = (
    "A is a mathematics question with its correct answer and one wrong answer, B is a misconception. "
    'Does the misconception B lead to the wrong answer in A? Predict either "Yes" or "No".'
)
YES = "Yes"


@dataclass(frozen=True)
class RerankerPrompt:
    """How a pair is put together for the reranker; travels with the model. Lengths in tokens."""

    query_tokens: Length
    passage_tokens: Length
    instruction: str
    instruction_place: Literal["last", "first"] = "last"  # behind the pair, or already behind the query
    rationale: Rationale = "none"
    rationale_tokens: MaybeLength = 0
    description_tokens: MaybeLength = 0
    layout: Layout = "plain"


def reranker_query(words: Words, prompt: RerankerPrompt, query: Written) -> list[int]:
    """Ids in front of every candidate of a query."""
    asked = words.cut(query, prompt.query_tokens, THINKING, prompt.rationale_tokens)
    before, behind = _query_frame(prompt)
    return [*words.head, *words.frame(before), *asked, *(words.frame(behind) if behind else ())]


def reranker_passage(words: Words, prompt: RerankerPrompt, passage: Written) -> list[int]:
    """Ids of one candidate behind its query; the last one's logit of "Yes" is the score."""
    cut = words.cut(passage, prompt.passage_tokens, MEANING, prompt.description_tokens)
    before, behind = map(words.frame, _passage_frame(prompt))
    return [*before, *cut, *behind]


def rationale_target(words: Words, text: str, most: int) -> tuple[list[int], list[int]]:
    """Ids that stand behind a query in a candidate's place while the model learns to write, and of what it writes."""
    return words.frame("\nThinking:"), words.encode(f" {text}")[:most]


def pair_prompts(words: Words, prompt: RerankerPrompt, query: Written, passages: Sequence[Written]) -> list[list[int]]:
    """Ids of a query with each of its candidates."""
    before = reranker_query(words, prompt, query)
    return [[*before, *reranker_passage(words, prompt, passage)] for passage in passages]


def pair_frame(words: Words, prompt: RerankerPrompt) -> tuple[list[int], list[int], list[int]]:
    """Ids in front of a pair's query, between it and the candidate, and behind the candidate."""
    (first, second), (third, last) = _query_frame(prompt), _passage_frame(prompt)
    between = [*(words.frame(second) if second else ()), *words.frame(third)]
    return [*words.head, *words.frame(first)], between, words.frame(last)


def pair_text(prompt: RerankerPrompt, query: str, passage: str) -> str:
    """A pair as one text, for people to read."""
    (first, second), (third, last) = _query_frame(prompt), _passage_frame(prompt)
    return f"{first}{query}{second}{third}{passage}{last}"


def _query_frame(prompt: RerankerPrompt) -> tuple[str, str]:
    return "A: ", "" if prompt.instruction_place == "last" else f"\n{prompt.instruction}"


def _passage_frame(prompt: RerankerPrompt) -> tuple[str, str]:
    return "\nB: ", f"\n{prompt.instruction}" if prompt.instruction_place == "last" else "\n"
