"""Makes the prompt of a reranker that reads one candidate at a time, by the template that its base was made for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from shared.prompts.query import Layout, Rationale, Written
from shared.prompts.reading import Rows
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
    layout: Layout = "plain"
    template: Template = "plain"
    yes: str = YES  # whose logit is the score
    no: str = ""  # whose logit is taken from it, where there is one


def reranker_query(words: Words, prompt: RerankerPrompt, query: Written) -> list[int]:
    """Ids in front of every candidate of a query."""
    before, behind = around_query(words, prompt)
    return [*before, *query_ids(words, prompt, query), *behind]


def query_ids(words: Words, prompt: RerankerPrompt, query: Written) -> list[int]:
    """Ids of a query's own text, with nothing around it."""
    query = replace(query, text=_led(prompt, query.text))
    return words.cut(query, prompt.query_tokens, THINKING, prompt.rationale_tokens)


def reranker_passage(words: Words, prompt: RerankerPrompt, passage: Written) -> list[int]:
    """Ids of one candidate behind its query; the last one's logit of "Yes", or the pair's one label, is the score."""
    before, behind = around_passage(words, prompt)
    passage = replace(passage, text=_led(prompt, passage.text))
    return [*before, *words.cut(passage, prompt.passage_tokens, MEANING, prompt.description_tokens), *behind]


def pair_rows(words: Words, prompt: RerankerPrompt, query: Sequence[int], parts: Sequence[list[int]]) -> Rows:
    """The prompts of pairs, from the ids of a query and of its candidates."""
    return Rows([[*query, *part] for part in parts], sum(map(len, parts)))


def rationale_target(words: Words, text: str, most: int) -> tuple[list[int], list[int]]:
    """Ids that stand behind a query in a candidate's place while the model learns to write, and of what it writes."""
    return words.frame("\nThinking:"), words.encode(f" {text}")[:most]


def pair_frame(words: Words, prompt: RerankerPrompt) -> tuple[list[int], list[int], list[int]]:
    """Ids in front of a pair's query, between it and the candidate, and behind the candidate."""
    (first, second), (third, last) = around_query(words, prompt), around_passage(words, prompt)
    return first, [*second, *third], last


def pair_text(prompt: RerankerPrompt, query: str, passage: str) -> str:
    """A pair as one text, for people to read; what a tokenizer puts around it is not shown."""
    (first, second), (third, last) = _query_frame(prompt), _passage_frame(prompt)
    return f"{first}{_led(prompt, query)}{second}{third}{_led(prompt, passage)}{last}"


def leads_with_space(prompt: RerankerPrompt) -> bool:
    """Whether a text is read with a space in front: behind the colons of Qwen3-Reranker one stands."""
    return prompt.template == "qwen3"


def _led(prompt: RerankerPrompt, text: str) -> str:
    return f" {text}" if leads_with_space(prompt) else text


def around_query(words: Words, prompt: RerankerPrompt) -> tuple[list[int], list[int]]:
    """Ids in front of a query's text, and between it and its candidate."""
    if prompt.template == "pair":
        return [*words.head], [*words.between]
    before, behind = _query_frame(prompt)
    head = () if prompt.template == "qwen3" else words.head
    return [*head, *words.frame(before)], words.frame(behind) if behind else []


def around_passage(words: Words, prompt: RerankerPrompt) -> tuple[list[int], list[int]]:
    """Ids in front of a candidate's text, and behind it."""
    if prompt.template == "pair":
        return [], [*words.tail]
    before, behind = _passage_frame(prompt)
    return words.frame(before), words.frame(behind)


def _query_frame(prompt: RerankerPrompt) -> tuple[str, str]:
    if prompt.template == "qwen3":
        return f"{QWEN3_SYSTEM}<Instruct>: {prompt.instruction}\n<Query>:", ""
    if prompt.template == "pair":
        return "", "\n"
    return "A: ", "" if prompt.instruction_place == "last" else f"\n{prompt.instruction}"


def _passage_frame(prompt: RerankerPrompt) -> tuple[str, str]:
    if prompt.template == "qwen3":
        return "\n<Document>:", QWEN3_END
    if prompt.template == "pair":
        return "", ""
    return "\nB: ", f"\n{prompt.instruction}" if prompt.instruction_place == "last" else "\n"
