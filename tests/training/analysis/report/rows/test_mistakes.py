"""Guards mistakes.py and beside.py: where the metric is lost and what differs, worked by hand."""

import polars as pl
import pytest

from shared.settings.load import load_settings
from shared.task.tables import QUERIES, RANKS
from training.analysis.report.beside import differing
from training.analysis.report.rows.mistakes import KINDS, confused_pairs, error_budget, reranker_mistakes

PAIRS = [  # question, seen, rank as retrieved, as reranked
    (1, True, 2, 1),
    (2, False, 1, 4),
    (3, False, 3, 2),
    (4, True, 40, 40),
    (5, False, None, None),
    (6, False, 2, 10),
]


@pytest.fixture
def ranks():
    rows = [
        ("labelled", ranking, f"{question}_A", question, question, seen, rank)
        for question, seen, *both in PAIRS
        for ranking, rank in zip(("retrieved", "reranked"), both, strict=True)
    ]
    return pl.DataFrame(rows, schema=RANKS.schema, orient="row")


def test_the_budget_is_a_kind_for_each_pair_and_its_losses_sum_to_what_the_metric_lacks(ranks):
    budget = error_budget(ranks, depth=25)
    assert [row["kind"] for row in budget] == list(KINDS)
    # 1; 2; 3 and 6; 4, which is behind the first 25; 5
    assert [row["pairs"] for row in budget] == [1, 1, 2, 1, 1]
    assert [(row["seen"], row["unseen"]) for row in budget] == [(1, 0), (0, 1), (0, 2), (1, 0), (0, 1)]
    # lost of six pairs: 0; 1 - 1/4; 1 - 1/2 and 1 - 1/10; 1, as rank 40 counts nothing; 1
    assert [row["lost"] * 6 for row in budget] == pytest.approx([0, 0.75, 1.4, 1, 1])
    reached = 1 + 1 / 4 + 1 / 2 + 1 / 10
    assert sum(row["lost"] for row in budget) == pytest.approx(1 - reached / 6)


def test_a_rerankers_mistakes_are_what_it_lowered_the_largest_loss_first(ranks):
    # 2 falls from 1 to 1/4, 6 from 1/2 to 1/10; 4 and 5 were never reranked, 1 and 3 rose
    assert reranker_mistakes(ranks, 25, 9) == [("2_A", 1, 4), ("6_A", 2, 10)]
    assert reranker_mistakes(ranks, 25, 1) == [("2_A", 1, 4)]
    assert reranker_mistakes(ranks, 1, 9) == [("2_A", 1, 4)]  # of a reranker that reads one, 6 was never reranked


def test_confused_pairs_are_counted_by_what_stands_first(ranks):
    queries = pl.DataFrame(
        [(f"{n}_A", n, "c", "s", "q", "1", "2", right, "valid") for n, right in enumerate((7, 7, 8, 9), 1)],
        schema=QUERIES.schema,
        orient="row",
    )
    rows = pl.DataFrame(
        [("1_A", 5, 1, False), ("2_A", 5, 1, False), ("3_A", 8, 1, True), ("4_A", 5, 1, False), ("4_A", 9, 2, True)],
        schema={"query_id": pl.String, "misconception_id": pl.Int64, "rank": pl.Int64, "right": pl.Boolean},
        orient="row",
    )
    assert confused_pairs(rows, queries, 9) == [(7, 5, 2), (9, 5, 1)]
    assert confused_pairs(rows, queries, 1) == [(7, 5, 2)]


def test_settings_that_differ_are_named_and_a_section_of_one_side_is_one_entry():
    there, here = load_settings("demo0"), load_settings("demo0", ["train_embedder.rate=0.5", "machine.threads=3"])
    assert differing(there, here) == ["train_embedder.rate 0.5 here, 0.001 there"]
    said = differing(there, load_settings("demo1"))
    assert "[miner] only there" in said and "iteration.previous demo0 here, empty there" in said
