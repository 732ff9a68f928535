"""Guards rank_figures.py: figures that a hand can work out, and a plain program for random orders and grades."""

import math

import numpy as np
import pytest

from shared.task.rank_figures import FIGURES, average_precision, ndcg, recall, reciprocal_rank

INF = np.inf


def figure(of, ranks, grades, depth):
    return of(np.array([ranks], float), np.array([grades]), depth).item()


def test_ndcg_gives_grades_by_the_logarithm_of_the_rank():
    # grades 3 at rank 2 and 1 at rank 1, one of grade 2 absent: (1 + 3 / log2(3)) / (3 + 2 / log2(3) + 1 / 2)
    expected = (1 + 3 / math.log2(3)) / (3 + 2 / math.log2(3) + 1 / 2)
    assert figure(ndcg, [2, INF, 1], [3, 2, 1], 10) == pytest.approx(expected, abs=1e-15)
    # the depth cuts both: (1 at rank 1) / (3 at rank 1)
    assert figure(ndcg, [2, INF, 1], [3, 2, 1], 1) == pytest.approx(1 / 3, abs=1e-15)
    assert figure(ndcg, [1, 2], [5, 0], 10) == 1  # a grade of 0 fills up


def test_reciprocal_rank_is_of_the_first_right_answer_and_recall_counts_them():
    assert figure(reciprocal_rank, [4, 2], [1, 1], 10) == 1 / 2 and figure(reciprocal_rank, [4, 2], [1, 1], 1) == 0
    assert figure(reciprocal_rank, [3, 1], [1, 0], 10) == 1 / 3
    assert figure(recall, [4, 2, INF], [1, 3, 1], 2) == 1 / 3 and figure(recall, [4, 1], [1, 0], 4) == 1


def test_every_figure_is_what_a_plain_program_says_of_random_orders():
    """On 2,000 such cases pytrec_eval says the same (LOG.md): map_cut there divides by all right answers."""
    rng = np.random.default_rng(7)
    for _ in range(150):
        grades, depth = rng.integers(0, 4, 8), int(rng.integers(1, 12))
        grades[0] = 1
        order = rng.permutation(12)  # places of the candidates; the last of them are not ranked
        ranks = np.array([rank if (rank := int(order[id_]) + 1) <= 9 else INF for id_ in range(8)])
        by_rank = {rank: grade for rank, grade in zip(ranks, grades, strict=True) if grade and rank <= depth}
        right, found = int((grades > 0).sum()), sorted(by_rank)
        best = sorted(grades[grades > 0].tolist(), reverse=True)[:depth]
        expected = {
            "map": sum(place / rank for place, rank in enumerate(found, 1)) / min(right, depth),
            "mrr": 1 / found[0] if found else 0,
            "ndcg": sum(grade / math.log2(rank + 1) for rank, grade in by_rank.items())
            / sum(grade / math.log2(place + 1) for place, grade in enumerate(best, 1)),
            "recall": len(found) / right,
        }
        for name, of in FIGURES.items():
            assert figure(of, ranks, grades, depth) == pytest.approx(expected[name], abs=1e-12), name


def test_average_precision_divides_by_as_many_as_could_be_found():
    assert figure(average_precision, [1, 2, 3], [1, 1, 1], 2) == 1 and figure(average_precision, [1, 3], [2, 0], 2) == 1
