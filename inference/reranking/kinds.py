"""Opens the reranker in a folder, of whatever kind its card says; everything that reranks comes through here.

A new kind is a file and a line in each of three rooms:

- shared/prompts/KIND.py makes its prompts from texts and has the class that says how (its fields are named as the
  settings of [reranker] are); a line in PROMPTS of shared/prompts/kinds.py, from which the setting reranker.kind and
  the cards take the name, and one in READINGS, which says how its prompts are made;
- inference/reranking/KIND.py scores candidates with it, as protocols.Reranker says; a line in KINDS below;
- training/trainer/KIND_reranker.py is its update.Objective; a line in OBJECTIVES of training/trainer/train.py. A kind
  that gives each candidate a logit behind a prompt of its own takes RerankerObjective as it is.

Mining, teaching, merging, quantising, evaluating, and predicting within a limit then do what they do for every kind.
A Scorer gives one logit behind a prompt. A kind that reads several at one place (a letter for each candidate) needs
the engines to give as many, and merging to keep as many rows of the head.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from inference.engines.open import open_scorer
from inference.engines.serving import Serving
from inference.engines.tokenizer import answer_of, load_tokenizer, reranker_words
from inference.reranking.lists import ListReranker
from inference.reranking.pointwise import PointwiseReranker
from inference.reranking.protocols import Reranker, RerankerKind
from shared.artifacts.card import read_reranker_card
from shared.prompts.kinds import READINGS
from shared.prompts.query import Written
from shared.prompts.reading import prompts_in_order

KINDS = {
    "pointwise": RerankerKind(PointwiseReranker, READINGS["pointwise"], answer_of),
    "listed": RerankerKind(ListReranker, READINGS["listed"], answer_of),
    "cumulative": RerankerKind(ListReranker, READINGS["cumulative"], answer_of),
}


@contextmanager
def open_reranker(folder: Path, serving: Serving, *, strict: bool = True) -> Iterator[Reranker]:
    """The merged reranker in `folder`; leaving the block gives its memory back. Raises ValueError as open_scorer."""
    card, words = read_reranker_card(folder), reranker_words(load_tokenizer(folder))
    with open_scorer(serving.engine, folder, serving.profile, strict=strict) as scorer:
        yield KINDS[card.kind].open(scorer, words, card.prompt)


def prompts_of(folder: Path) -> Callable[[Written, Sequence[Written]], list[list[int]]]:
    """What makes the prompts of the reranker in `folder`: from a query's text and its candidates', best first."""
    card, words = read_reranker_card(folder), reranker_words(load_tokenizer(folder))
    reading = KINDS[card.kind].reading
    return lambda query, passages: prompts_in_order(reading, words, card.prompt, query, passages)
