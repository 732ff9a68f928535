"""Draws what every side computes: groups to train on, pairs to score, queries to encode; seeded, as token ids."""

from dataclasses import dataclass

import numpy as np

from benchmarks.lengths import EXAMPLE, INSTRUCTION, LABEL, TASK, draw, draw_siblings
from benchmarks.shapes import EOS, FIRST_WORD, INSTRUCT, NEWLINE, QUERY, RESPONSE
from inference.engines.forward import Tree

Ids = list[int]


@dataclass(frozen=True)
class Pairs:
    """A query ("A: ...") with its passages ("B: ..."), the positive first; instruction and separators are added by a prompt."""

    query: Ids
    passages: list[Ids]
    stem: int  # tokens of the query that the other wrong answers of its question share


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
    return Words(vocabulary, 7).take(INSTRUCTION)


def exact_tree(pairs: Pairs, asked: Ids) -> Tree:
    """A: query / B: passage / instruction, as FlagEmbedding puts it: the instruction is read again for every passage."""
    return Tree(pairs.query, [[NEWLINE, *passage, NEWLINE, *asked] for passage in pairs.passages])


def instruction_first_tree(pairs: Pairs, asked: Ids) -> Tree:
    """A: query / instruction / B: passage."""
    return Tree([*pairs.query, NEWLINE, *asked], [[NEWLINE, *passage] for passage in pairs.passages])


def draw_pairs(vocabulary: int, queries: int, passages: int, seed: int) -> list[Pairs]:
    """`queries` queries, the wrong answers of a question beside each other, each with `passages` passages."""
    words, drawn = Words(vocabulary, seed), []
    while len(drawn) < queries:
        siblings = draw_siblings(1, words.rng)[0]
        answers = draw("answer", siblings, words.rng)
        stem = words.take(LABEL + max(draw("query", 1, words.rng)[0] - answers[0], 8))
        for answer in answers[: queries - len(drawn)]:
            shown = [words.take(LABEL + length) for length in draw("passage", passages, words.rng)]
            drawn.append(Pairs([*stem, *words.take(answer)], shown, len(stem)))
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
    task, words_of_example = words.take(TASK), EXAMPLE - TASK - 7  # 7: the marks around them
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


def tree_tokens(trees: list[Tree]) -> int:
    """Tokens when each query is computed once for its passages."""
    return sum(map(len, trees))


def trie_tokens(pairs: list[Pairs], trees: list[Tree]) -> int:
    """Tokens when, besides, the wrong answers of a question share what their queries have in common."""
    total = tree_tokens(trees)
    for before, after in zip(pairs, pairs[1:], strict=False):
        if before.query[: before.stem] == after.query[: after.stem]:
            total -= after.stem
    return total
