"""Makes the prompts of rerankers that read a candidate among others of its query: `listed` and `cumulative`.

- listed: the texts of all candidates stand behind the query, a line each, and behind them the one that is read. Each
  sees all others.
- cumulative: the candidates stand behind the query, and each is read where it ends. It sees those in front of it, so
  that each prompt begins with the one before it, but for what stands behind the candidate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal, NamedTuple

from shared.prompts.pointwise import RerankerPrompt, around_passage, around_query, query_ids, reranker_passage
from shared.prompts.query import Written
from shared.prompts.reading import Rows
from shared.prompts.words import Length, Words

LIST, LINE = "\nCandidates:", "\n"  # in front of the list, and of each of its lines


@dataclass(frozen=True)
class CumulativePrompt(RerankerPrompt):
    """How a list is put together; the fields of a pair's prompt mean the same here."""

    window: Length = 16  # the most candidates of a list
    orders: Literal[1, 2] = 1  # 2: in the order of their ranks and reversed, the mean of both scores


@dataclass(frozen=True)
class ListedPrompt(CumulativePrompt):
    """The same, with the length of a line of the list."""

    listed_tokens: Length = 48


class ListedPart(NamedTuple):
    """A candidate among the others, and where it is read."""

    line: list[int]
    passage: list[int]


class CumulativePart(NamedTuple):
    """A candidate, and what stands behind it only where it is read."""

    passage: list[int]
    tail: list[int]


def listed_query(words: Words, prompt: ListedPrompt, query: Written) -> list[int]:
    """Ids in front of every list of a query; an instruction of `instruction_place` first stands behind the list."""
    return [*around_query(words, prompt)[0], *query_ids(words, prompt, query)]


def listed_part(words: Words, prompt: ListedPrompt, passage: Written) -> ListedPart:
    """A candidate's line, without its description, and its prompt behind the list, as a pair has it."""
    line = [*words.frame(LINE), *words.cut(replace(passage, notes=""), prompt.listed_tokens, "", 0)]
    return ListedPart(line, reranker_passage(words, prompt, passage))


def listed_rows(words: Words, prompt: ListedPrompt, query: Sequence[int], parts: Sequence[ListedPart]) -> Rows:
    """The prompts of one list of candidates."""
    shown = [*words.frame(LIST), *(id_ for part in parts for id_ in part.line), *around_query(words, prompt)[1]]
    before = [*query, *shown]
    return Rows([[*before, *part.passage] for part in parts], len(shown) + sum(len(part.passage) for part in parts))


def cumulative_part(words: Words, prompt: CumulativePrompt, passage: Written) -> CumulativePart:
    """A candidate, and apart from it what a pair has behind it."""
    whole, tail = reranker_passage(words, prompt, passage), around_passage(words, prompt)[1]
    return CumulativePart(whole[: len(whole) - len(tail)], tail)


def cumulative_rows(
    words: Words, prompt: CumulativePrompt, query: Sequence[int], parts: Sequence[CumulativePart]
) -> Rows:
    """The prompts of one list of candidates, each up to where its candidate is read."""
    ids, before, tokens = [], [*query], 0
    for place, part in enumerate(parts):
        before = [*before, *part.passage]
        ids.append([*before, *part.tail])
        behind = parts[place + 1].passage if place + 1 < len(parts) else []
        tokens += len(part.passage) + len(part.tail) - _count_alike(part.tail, behind)
    return Rows(ids, tokens)


def _count_alike(first: Sequence[int], second: Sequence[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
