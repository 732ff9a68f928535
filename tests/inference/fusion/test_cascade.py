"""Guards cascade.py and what a command line says of one: what a later reranker read stays in front, by hand."""

from pathlib import Path

import polars as pl
import pytest

from inference.fusion.calibration import Calibration, plain
from inference.fusion.cascade import cut_behind_best, rank_in_cascade
from inference.fusion.ensemble import Member, Models, in_cascade
from shared.task.tables import CANDIDATES

CANDIDATES_OF_A = pl.DataFrame(
    [("a", id_, rank, 1 - rank / 10) for rank, id_ in enumerate((7, 3, 9, 5, 1), 1)],
    schema=CANDIDATES.schema,
    orient="row",
)


def scored(**scores: float | None) -> pl.DataFrame:
    rows = [("a", int(name[1:]), score) for name, score in scores.items()]
    schema = {"query_id": pl.String, "misconception_id": pl.Int64, "rerank_score": pl.Float32}
    return pl.DataFrame(rows, schema=schema, orient="row")


def order(ranked: pl.DataFrame) -> list[int]:
    assert ranked.sort("rank")["rank"].to_list() == list(range(1, len(ranked) + 1))
    return ranked.sort("rank")["misconception_id"].to_list()


FIRST = scored(_7=0.0, _3=4.0, _9=3.0, _5=1.0)  # 1 was never read: 3, 9, 5, 7, then 1


def test_what_a_later_reranker_read_is_ordered_by_the_mean_of_all_and_stays_in_front():
    def ranking(*tables, weights=(1.0, 1.0, 1.0), calibration=None):
        used = weights[: len(tables)]
        return order(rank_in_cascade(CANDIDATES_OF_A, tables, used, "score", calibration or plain(4)))

    assert ranking(FIRST) == [3, 9, 5, 7, 1]
    # of 3 and 9, means (4 - 9) / 2 = -2.5 and (3 - 6) / 2 = -1.5: 9 leads, and 5, with 1, stays behind both
    assert ranking(FIRST, scored(_3=-9.0, _9=-6.0)) == [9, 3, 5, 7, 1]
    # with a weight of 9 for the first: (36 - 9) / 10 = 2.7 against (27 - 6) / 10 = 2.1
    assert ranking(FIRST, scored(_3=-9.0, _9=-6.0), weights=(9.0, 1.0, 1.0)) == [3, 9, 5, 7, 1]
    # a third one read 3 alone: it leads whatever it scores
    assert ranking(FIRST, scored(_3=-9.0, _9=-6.0), scored(_3=-50.0)) == [3, 9, 5, 7, 1]
    # one without an answer has what the others said of it: 3 has 4, 5 has (1 + 5) / 2 = 3, 9 has -1.5
    assert ranking(FIRST, scored(_3=None, _9=-6.0, _5=5.0)) == [3, 5, 9, 7, 1]
    # 7 retrieves 0.9 and 3 retrieves 0.8: with a blend of 30, 0 + 27 > -2.5 + 24, where both are read
    blended = Calibration(retrieved=25, depth=4, blend=30.0)
    assert ranking(FIRST, scored(_3=-9.0, _7=0.0), calibration=blended)[:2] == [7, 3]


def test_a_gap_is_measured_from_the_best_of_each_query():
    table = pl.DataFrame(
        {"query_id": ["a", "a", "a", "b", "b", "c", "c"], "rerank_score": [2.0, -1.0, -1.5, None, 3.0, None, None]}
    )
    # a: 2 and -1 are within 3 logits of 2; b: what has no score is left out; c: nothing is known, so both stay
    assert cut_behind_best(table, 3.0)["rerank_score"].to_list() == [2.0, -1.0, 3.0, None, None]
    assert cut_behind_best(table, None).equals(table)


def test_a_cascade_is_a_depth_and_perhaps_a_gap_for_each_further_reranker():
    folders = [Member(Path(name), 2.0) for name in "abc"]
    made = in_cascade(folders, "8@4.6,5")
    assert [(member.weight, member.depth, member.gap) for member in made] == [
        (2.0, None, None),
        (2.0, 8, 4.6),
        (2.0, 5, None),
    ]
    assert Models((), made).is_cascade and not Models((), in_cascade(folders, "")).is_cascade


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("8", "'8' is for 1 rerankers behind the first, and there are 2"),
        ("5,8", "a reranker reads 8 of the 5 before it: go down"),
        ("0,5", "'0' is no depth such as 8"),
        ("8@x,5", "'8@x' is no depth such as 8, nor a depth and a gap such as 8@4.6"),
        ("8@-1,5", "'8@-1' is no depth"),
        ("8@nan,5", "'8@nan' is no depth"),
        ("eight,5", "'eight' is no depth"),
    ],
)
def test_a_cascade_that_cannot_be_is_refused_in_a_sentence(text, words):
    with pytest.raises(ValueError, match=words):
        in_cascade([Member(Path(name)) for name in "abc"], text)
