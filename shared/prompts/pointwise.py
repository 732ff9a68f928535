"""Makes the prompt of a reranker that reads one candidate at a time, by the template that its base was made for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from shared.prompts.query import Rationale, Written
from shared.prompts.words import MEANING, THINKING, Length, MaybeLength, Words

INSTRUCTION = (
    "A is a mathematics question with its correct answer and one wrong answer, B is a misconception. "
    'Does the misconception B lead to the wrong answer in A? Predict either "Yes" or "No".'
)
YES = "Yes"
Template = Literal["plain", "qwen3", "pair"]
# As Qwen3-Reranker was trained; the text of a query, and of a passage, follows a colon and a space.
QWEN3_SYSTEM = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct"
    ' provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
QWEN3_END = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


@dataclass(frozen=True)
class RerankerPrompt:
    """How a pair is put together for the reranker; travels with the model. Lengths in tokens."""

    query_tokens: Length
    passage_tokens: Length
    instruction: str
    instruction_place: Literal["last", "first"] = "last"  # of the plain template: behind the pair, or behind the query
    rationale: Rationale = "none"
    rationale_tokens: MaybeLength = 0
    description_tokens: MaybeLength = 0
    template: Template = "plain"
    yes: str = YES  # whose logit is the score
    no: str = ""  # whose logit is taken from it, where there is one


def reranker_query(words: Words, prompt: RerankerPrompt, query: Written) -> list[int]:
    """Ids in front of every candidate of a query."""
    if prompt.template == "qwen3":
        query = replace(query, text=f" {query.text}")
    asked = words.cut(query, prompt.query_tokens, THINKING, prompt.rationale_tokens)
    if prompt.template == "pair":
        return [*words.head, *asked, *words.between]
    if prompt.template == "qwen3":
        return [*words.frame(f"{QWEN3_SYSTEM}<Instruct>: {prompt.instruction}\n<Query>:"), *asked]
    ids = [*words.head, *words.frame("A: "), *asked]
    return ids if prompt.instruction_place == "last" else [*ids, *words.frame(f"\n{prompt.instruction}")]


def reranker_passage(words: Words, prompt: RerankerPrompt, passage: Written) -> list[int]:
    """Ids of one candidate behind its query; the last one's logit of "Yes", or the pair's one label, is the score."""
    if prompt.template == "qwen3":
        passage = replace(passage, text=f" {passage.text}")
    cut = words.cut(passage, prompt.passage_tokens, MEANING, prompt.description_tokens)
    if prompt.template == "pair":
        return [*cut, *words.tail]
    if prompt.template == "qwen3":
        return [*words.frame("\n<Document>:"), *cut, *words.frame(QWEN3_END)]
    end = f"\n{prompt.instruction}" if prompt.instruction_place == "last" else "\n"
    return [*words.frame("\nB: "), *cut, *words.frame(end)]


def pair_prompts(words: Words, prompt: RerankerPrompt, query: Written, passages: Sequence[Written]) -> list[list[int]]:
    """Ids of a query with each of its candidates."""
    before = reranker_query(words, prompt, query)
    return [[*before, *reranker_passage(words, prompt, passage)] for passage in passages]
