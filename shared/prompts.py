"""Makes every string that a model ever sees, for training and for serving; there is no other such place.

A prompt is put together from token ids, part by part: only the query, never the frame around it, can be cut, the
part in front of the query is the same ids for every query (so its computation can be shared), and text inside a
query can never become a special token.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

TASK = (
    "Given a mathematics question with its correct answer and one wrong answer, "
    "find the misconception behind the wrong answer."
)
INSTRUCTION = (
    "A is a mathematics question with its correct answer and one wrong answer, B is a misconception. "
    'Does the misconception B lead to the wrong answer in A? Predict either "Yes" or "No".'
)
YES = "Yes"


@dataclass(frozen=True)
class Words:
    """A tokenizer as a value: `encode` turns a user's text into ids, none of them special; head and tail frame them.

    `frame` turns our own words around a text into ids, special ones where the model has them (bge-en-icl has
    <instruct>). `end` is a decoder's end token, which follows only where the embedder's prompt asks for it.
    """

    encode: Callable[[str], list[int]]
    frame: Callable[[str], list[int]]
    head: tuple[int, ...]  # [CLS] or the beginning of a sequence, where the model has one
    tail: tuple[int, ...]  # [SEP], where the model has one
    end: tuple[int, ...] = ()


@dataclass(frozen=True)
class Example:
    """One solved query, shown in front of another (in-context learning)."""

    query: str
    response: str


@dataclass(frozen=True)
class EmbedderPrompt:
    """How an embedder's texts are put together; travels with the model. Lengths in tokens."""

    task: str
    query_tokens: int
    passage_tokens: int
    example_query_tokens: int
    example_passage_tokens: int
    end_token: bool = True


@dataclass(frozen=True)
class RerankerPrompt:
    """How a pair is put together for the reranker; travels with the model. Lengths in tokens."""

    query_tokens: int
    passage_tokens: int
    instruction: str
    instruction_place: Literal["last", "first"] = "last"  # behind the pair, or already behind the query


def query_text(construct: str, subject: str, question: str, correct: str, wrong: str) -> str:
    """What is asked: a question and the wrong answer whose misconception is wanted."""
    return (
        f"Subject: {subject}\nConstruct: {construct}\nQuestion: {question}\n"
        f"Correct answer: {correct}\nWrong answer: {wrong}"
    )


def row_text(row: dict[str, object]) -> str:
    """`query_text` of a row of the queries table."""
    return query_text(**{name: row[name] for name in ("construct", "subject", "question", "correct", "wrong")})


def question_of(text: str) -> str:
    """The question in a `query_text`."""
    return text.partition("\nQuestion: ")[2].rpartition("\nCorrect answer: ")[0]


def embedder_query(words: Words, prompt: EmbedderPrompt, examples: Sequence[Example], query: str) -> list[int]:
    """Ids of a query: plain without a task, else FlagEmbedding's in-context format, examples first."""
    ids = words.encode(query)[: prompt.query_tokens]
    if not prompt.task:
        return [*words.head, *ids, *_tail(words, prompt)]
    shown = [token for example in examples for token in _example(words, prompt, example)]
    before = words.frame(f"<instruct>{prompt.task}\n<query>")
    return [*words.head, *shown, *before, *ids, *words.frame("\n<response>"), *_tail(words, prompt)]


def embedder_passage(words: Words, prompt: EmbedderPrompt, passage: str) -> list[int]:
    """Ids of a misconception as the embedder reads it."""
    return [*words.head, *words.encode(passage)[: prompt.passage_tokens], *_tail(words, prompt)]


def reranker_query(words: Words, prompt: RerankerPrompt, query: str) -> list[int]:
    """Ids in front of every candidate of a query."""
    ids = [*words.head, *words.frame("A: "), *words.encode(query)[: prompt.query_tokens]]
    return ids if prompt.instruction_place == "last" else [*ids, *words.frame(f"\n{prompt.instruction}")]


def reranker_passage(words: Words, prompt: RerankerPrompt, passage: str) -> list[int]:
    """Ids of one candidate behind its query; the last one's logit of "Yes" is the score."""
    cut = words.encode(passage)[: prompt.passage_tokens]
    end = f"\n{prompt.instruction}" if prompt.instruction_place == "last" else "\n"
    return [*words.frame("\nB: "), *cut, *words.frame(end)]


def _tail(words: Words, prompt: EmbedderPrompt) -> tuple[int, ...]:
    return (*words.tail, *words.end) if prompt.end_token else words.tail


def _example(words: Words, prompt: EmbedderPrompt, example: Example) -> list[int]:
    query = words.encode(example.query)[: prompt.example_query_tokens]
    response = words.encode(example.response)[: prompt.example_passage_tokens]
    before = words.frame(f"<instruct>{prompt.task}\n<query>")
    return [*before, *query, *words.frame("\n<response>"), *response, *words.frame("\n\n")]
