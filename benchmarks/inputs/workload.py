"""Draws what every side computes: groups to train on, pairs to score, queries to encode; seeded, as token ids."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.inputs.lengths import EXAMPLE_TOKENS, INSTRUCTION_TOKENS, TASK_TOKENS, draw, draw_siblings
from benchmarks.inputs.shapes import COLON, EOS, FIRST_WORD, INSTRUCT, NEWLINE, QUERY, RESPONSE, A, B
from inference.engines.packing.prefix_forest import sort_rows

Ids = list[int]
Group = tuple[Ids, list[Ids]]  # what all rows of a group begin with, and what follows in each


@dataclass(frozen=True)
class Pairs:
    """A query ("A: ...") with its passages ("B: ..."), the positive first, without instruction and separators."""

    query: Ids
    passages: list[Ids]


@dataclass(frozen=True)
class Texts:
    """A query's row for the embedder, behind its examples, and the rows of its passages; each ends in the end token."""

    query: Ids
    passages: list[Ids]


@dataclass(frozen=True)
class Mining:
    """A mining pass: bare ids of the task, of the example's query and response, of the queries and of the passages."""

    task: Ids
    example: tuple[Ids, Ids]
    queries: list[Pairs]
    passages: list[Ids]


class Words:
    """A seeded source of random words."""

    def __init__(self, vocabulary: int, seed: int):
        self.vocabulary, self.rng = vocabulary, np.random.default_rng(seed)

    def take(self, count: int) -> Ids:
        return self.rng.integers(FIRST_WORD, self.vocabulary, count).tolist()


def instruction(vocabulary: int) -> Ids:
    """The reranker's instruction."""
    return Words(vocabulary, 7).take(INSTRUCTION_TOKENS)


def exact_group(pairs: Pairs, asked: Ids) -> Group:
    """A: query / B: passage / instruction, as FlagEmbedding puts it: every passage has the instruction behind it."""
    return pairs.query, [[NEWLINE, *passage, NEWLINE, *asked] for passage in pairs.passages]


def instruction_first_group(pairs: Pairs, asked: Ids) -> Group:
    """A: query / instruction / B: passage."""
    return [*pairs.query, NEWLINE, *asked], [[NEWLINE, *passage, NEWLINE] for passage in pairs.passages]


def rows_of(group: Group) -> list[Ids]:
    """The query with each passage, as rows of their own."""
    return [[*group[0], *suffix] for suffix in group[1]]


def draw_pairs(vocabulary: int, queries: int, passages: int, seed: int, *, siblings: bool = True) -> list[Pairs]:
    """`queries` queries, each with `passages` passages.

    With siblings the wrong answers of a question lie beside each other, as they do where all rows are scored; an update
    of shuffled training groups rarely holds two of them.
    """
    words, drawn = Words(vocabulary, seed), []
    while len(drawn) < queries:
        answers = draw("answer", draw_siblings(1, words.rng)[0] if siblings else 1, words.rng)
        stem = [A, COLON, *words.take(max(draw("query", 1, words.rng)[0] - answers[0], 8))]
        for answer in answers[: queries - len(drawn)]:
            shown = [[B, COLON, *words.take(length)] for length in draw("passage", passages, words.rng)]
            drawn.append(Pairs([*stem, *words.take(answer)], shown))
    return drawn


def draw_texts(vocabulary: int, queries: int, passages: int, seed: int) -> list[Texts]:
    """Training rows of the in-context embedder."""
    words = Words(vocabulary, seed)
    return [
        Texts(
            [*words.take(length - 1), EOS],
            [[*words.take(size), EOS] for size in draw("passage", passages, words.rng)],
        )
        for length in draw("icl_query", queries, words.rng)
    ]


def draw_mining(vocabulary: int, queries: int, passages: int, seed: int) -> Mining:
    """Queries of a mining pass, the wrong answers of a question beside each other, and the catalogue."""
    words = Words(vocabulary, seed)
    task, words_of_example = words.take(TASK_TOKENS), EXAMPLE_TOKENS - TASK_TOKENS - 7  # 7: the marks around them
    example = (words.take(words_of_example - 14), words.take(14))
    bare = draw_pairs(vocabulary, queries, 0, seed + 1)
    return Mining(task, example, bare, [words.take(length) for length in draw("passage", passages, words.rng)])


def mining_prefix(work: Mining) -> Ids:
    """The example in front of every query, in FlagEmbedding's in-context format."""
    query, response = work.example
    return [INSTRUCT, *work.task, NEWLINE, QUERY, *query, NEWLINE, RESPONSE, *response, NEWLINE, NEWLINE]


def mining_query(work: Mining, pair: Pairs) -> Ids:
    """What follows that prefix."""
    return [INSTRUCT, *work.task, NEWLINE, QUERY, *pair.query, NEWLINE, RESPONSE, EOS]


def mining_rows(work: Mining) -> tuple[list[Ids], list[Ids]]:
    """The queries and the passages as they are encoded, each with its end token."""
    prefix = mining_prefix(work)
    queries = [[*prefix, *mining_query(work, pair)] for pair in work.queries]
    return queries, [[*passage, EOS] for passage in work.passages]


def query_once_tokens(groups: Iterable[Group]) -> int:
    """Tokens when a query is computed once for all of its passages."""
    return sum(len(query) + sum(map(len, suffixes)) for query, suffixes in groups)


def trie_tokens(rows: Iterable[Ids]) -> int:
    """Tokens when everything that rows begin with alike is computed once."""
    rows = list(rows)
    return sum(map(len, rows)) - sum(sort_rows(rows)[1])
