"""Says what a kind of reranker is to its prompts: how texts become parts, and parts become the prompts of a query."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from shared.prompts.query import Written
from shared.prompts.words import Words


class Rows(NamedTuple):
    """The prompts of candidates that are read together."""

    ids: list[list[int]]  # one for each candidate, in their order; the logit behind it is the candidate's score
    tokens: int  # that are computed behind the query, where what prompts begin with alike is computed once


@dataclass(frozen=True)
class Reading:
    """How a kind makes prompts. A text is tokenised once, into a part; parts are put together for each list."""

    query: Callable[[Words, Any, Written], list[int]]  # the ids in front of all candidates
    candidate: Callable[[Words, Any, Written], Any]  # a candidate's part, in a form of the kind's own
    rows: Callable[[Words, Any, Sequence[int], Sequence[Any]], Rows]  # from a query's ids and its candidates' parts
    at_once: Callable[[Any], int | None]  # the most candidates of a list; None: they do not see each other


def cut_lists(count: int, most: int | None) -> Iterator[range]:
    """Places of `count` candidates, cut into lists of at most `most` that differ by at most one in length."""
    lists = -(-count // most) if most else min(count, 1)
    for number in range(lists):
        yield range(count * number // lists, count * (number + 1) // lists)


def prompts_in_order(
    reading: Reading, words: Words, prompt: Any, query: Written, passages: Sequence[Written]
) -> list[list[int]]:
    """Ids of the prompts of one query, one for each of its candidates, which stand in their lists in this order."""
    asked, parts = reading.query(words, prompt, query), [reading.candidate(words, prompt, one) for one in passages]
    lists = cut_lists(len(parts), reading.at_once(prompt))
    return [ids for places in lists for ids in reading.rows(words, prompt, asked, [parts[p] for p in places]).ids]
