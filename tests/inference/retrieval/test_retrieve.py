"""Guards retrieve.py: which candidates a query gets, and which solved examples it is shown."""

import numpy as np
import polars as pl
import pytest

from inference.retrieval.catalogue_vectors import encode_misconceptions
from inference.retrieval.retrieve import choose_examples, find_candidates, query_prompts
from shared.artifacts.card import EmbedderCard
from shared.prompts.embedder import EmbedderPrompt, Example
from shared.prompts.words import Words
from shared.task.tables import CANDIDATES


def letters(text: str) -> list[int]:
    return [ord(letter) for letter in text]


WORDS = Words(letters, letters, head=(), tail=())
POOL = tuple(
    (question, answer, Example(f"question {question}", f"answer {answer}"))
    for question, answer in [(1, 10), (2, 11), (3, 20), (2, 10), (4, 30)]
)
CARD = EmbedderCard("last", EmbedderPrompt("T", 500, 500, 500, 500), POOL, shown=2)


class LetterEncoder:
    """An Encoder that counts letters: texts of the same letters have the same vector."""

    def encode(self, prompts):
        counts = np.array([np.bincount(prompt, minlength=128) for prompt in prompts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def candidates(queries, misconceptions, k):
    """As retrieve does with vectors that nobody shipped."""
    card = EmbedderCard("last", EmbedderPrompt("", 500, 500, 500, 500))
    known = encode_misconceptions(misconceptions, LetterEncoder(), WORDS, card)
    asked = LetterEncoder().encode(query_prompts(queries, WORDS, card))
    return find_candidates(queries, misconceptions, asked, known, k)


def numbers(examples):
    return [(int(example.query.split()[1]), int(example.response.split()[1])) for example in examples]


def test_a_query_is_shown_the_first_examples_neither_of_its_question_nor_of_its_misconception():
    assert numbers(choose_examples(CARD, 9, {99})) == [(1, 10), (2, 11)]
    assert numbers(choose_examples(CARD, 1, {10})) == [(2, 11), (3, 20)]  # (2, 10) has its misconception
    assert numbers(choose_examples(CARD, 2, {20})) == [(1, 10), (4, 30)]
    assert numbers(choose_examples(CARD, 1, set())) == [(2, 11), (3, 20)]


def test_a_training_query_is_never_shown_its_answer_or_its_question(queries, misconceptions):
    texts = dict(misconceptions.iter_rows())
    train = queries.filter(pl.col("fold") == "train").drop_nulls("misconception_id")
    pool = tuple(
        (row["question_id"], row["misconception_id"], Example(row["question"], texts[row["misconception_id"]]))
        for row in train.iter_rows(named=True)
    )
    card = EmbedderCard("last", CARD.prompt, pool, shown=8)
    for row, prompt in zip(train.iter_rows(named=True), query_prompts(train, WORDS, card), strict=True):
        shown, asked = "".join(map(chr, prompt)).rsplit("\n\n", 1)
        assert f"<response>{texts[row['misconception_id']]}" not in shown
        assert f"<query>{row['question']}\n" not in shown
        assert f"Question: {row['question']}" in asked


@pytest.mark.parametrize("fold", ["valid", "test"])
def test_the_label_of_a_query_that_is_not_for_training_does_not_steer_its_examples(queries, fold):
    asked = queries.with_columns(fold=pl.lit(fold))
    blind = asked.with_columns(misconception_id=pl.lit(None, pl.Int64))
    assert query_prompts(asked, WORDS, CARD) == query_prompts(blind, WORDS, CARD)
    assert query_prompts(asked, WORDS, CARD) != query_prompts(queries, WORDS, CARD)  # to training queries it matters


def test_every_query_gets_its_k_nearest_best_first_with_ties_to_the_lower_id(queries, misconceptions):
    table = candidates(queries, misconceptions, 5)
    CANDIDATES.check(table, "candidates")
    assert table["query_id"].unique(maintain_order=True).to_list() == queries["query_id"].to_list()
    for _, part in table.group_by("query_id", maintain_order=True):
        assert part["rank"].to_list() == [1, 2, 3, 4, 5]
        assert part["retrieval_score"].is_sorted(descending=True)
    wide = candidates(queries, misconceptions, 99)
    assert len(wide) == len(queries) * len(misconceptions)  # k is cut to what there is
    places = (
        wide.filter(pl.col("misconception_id").is_in([12, 42]))
        .group_by("query_id", maintain_order=True)
        .agg("misconception_id", "rank")
    )
    assert places["misconception_id"].to_list() == [[12, 42]] * len(queries)  # the same words, the lower id first
    assert all(high == low + 1 for low, high in places["rank"])


# seed: `list(set(corpus))` made mining irreproducible
def test_the_order_of_the_misconceptions_does_not_matter(queries, misconceptions):
    table = candidates(queries, misconceptions, 5)
    assert table.equals(candidates(queries, misconceptions.reverse(), 5))
